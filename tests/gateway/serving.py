"""The gateway at work in this process, devices with tokens, and what is in the topic."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import numpy as np
from prometheus_client import CollectorRegistry

from bus import topics
from bus.clients import KafkaReader
from bus.interfaces import Headers
from bus.samples import Chunk, decode
from bus.settings import KafkaSettings
from gateway import service
from gateway.devices import TABLE, Device
from gateway.settings import GatewaySettings
from ops.clock import SystemClock
from ops.ports import free_ports
from ops.tokens import hash_of
from tests.support.waiting import DEADLINE_S, until

TOKENS = {"holter": "ecgs_" + "h" * 43, "strap": "ecgs_" + "s" * 43}
PATIENTS = {"holter": ["p1", "ward-*"], "strap": ["p2"]}


def write_devices(path: Path) -> Path:
    """Write a file of the devices ``TOKENS`` names."""
    entries = [Device(name=name, sha256=hash_of(token), patients=PATIENTS[name]) for name, token in TOKENS.items()]
    path.write_text("\n".join(entry.written(TABLE) for entry in entries))
    path.chmod(0o600)
    return path


@dataclass(slots=True, kw_only=True)
class Gateway:
    """A gateway at work."""

    address: str
    registry: CollectorRegistry

    @property
    def url(self) -> str:
        """Its address."""
        return f"http://{self.address}"

    @property
    def mqtt_at_work(self) -> bool:
        """Return whether it takes in what the MQTT broker has."""
        return self.registry.get_sample_value("ecgstream_gateway_mqtt_connected") == 1

    def metric(self, name: str, **labels: str) -> float:
        """One figure of its metrics; 0 where it has not been counted."""
        return self.registry.get_sample_value(f"ecgstream_gateway_{name}", labels) or 0.0


@contextlib.asynccontextmanager
async def serving(
    kafka: KafkaSettings, folder: Path, *, port: int | None = None, **settings: Any
) -> AsyncIterator[Gateway]:
    """A gateway on a free port; ``settings`` are its own."""
    if port is None:
        (port,) = free_ports(1)
    stop = asyncio.Event()
    servers: list[Any] = []
    registry = CollectorRegistry()
    configured = GatewaySettings(_env_file=None, port=port, devices=write_devices(folder / "devices.toml"), **settings)
    async with asyncio.TaskGroup() as group:
        group.create_task(service.run(kafka, configured, stop, registry=registry, on_start=servers.append))
        await until(lambda: bool(servers) and servers[0].ready)
        try:
            yield Gateway(address=f"127.0.0.1:{port}", registry=registry)
        finally:
            stop.set()


@contextlib.asynccontextmanager
async def device(gateway: Gateway, name: str = "holter") -> AsyncIterator[httpx.AsyncClient]:
    """A device that sends by HTTP."""
    headers = {"Authorization": f"Bearer {TOKENS[name]}"}
    async with httpx.AsyncClient(base_url=f"{gateway.url}/v1", timeout=DEADLINE_S, headers=headers) as http:
        yield http


async def traces(kafka: KafkaSettings) -> list[Headers]:
    """The headers of every chunk in the topic, in its order."""
    async with KafkaReader(kafka, [topics.SAMPLES], start="beginning") as reader:
        return [tuple(message.headers) async for message in reader.to_end()]


async def stored(kafka: KafkaSettings) -> list[Chunk]:
    """Every chunk in the topic, in its order."""
    async with KafkaReader(kafka, [topics.SAMPLES], start="beginning") as reader:
        return [decode(message.value, key=message.key) async for message in reader.to_end()]


def indexes(chunks: list[Chunk], patient: str = "p1") -> list[int]:
    """The running index of every sample that is stored of a patient, in the order of the topic."""
    return [i for chunk in chunks if chunk.patient == patient for i in range(chunk.start_index, chunk.end_index)]


def now_ns() -> int:
    """Now, ns UTC."""
    return SystemClock().now_ns()


def counting(start: int, count: int, leads: int = 1) -> "np.typing.NDArray[np.int16]":
    """Samples that tell their place, up to 32,000 of them."""
    places = (np.arange(start, start + count) % 32_000).astype(np.int16)
    return np.repeat(places[:, None], leads, axis=1)
