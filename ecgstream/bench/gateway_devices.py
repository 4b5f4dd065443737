"""Devices that send recordings to a gateway, each by its way, and go on whatever becomes of the connection."""

import asyncio
import random
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

import httpx

from ecg.records import Int16Array, Record, exact_rate
from ecg.windows import Grid
from ecgstream.client import Stream
from gateway.devices import TABLE, Device
from ops.tokens import hash_of, new_token

RETRY_S = 0.2
ANSWER_S = 10.0  # a request that takes longer is sent again
WEBSOCKET, HTTP = "websocket", "http"
WAYS = (WEBSOCKET, HTTP)


@dataclass(slots=True, kw_only=True)
class RecordedDevice:
    """A device that sends a recording.

    Attributes
    ----------
    patient, name, token : who sends for whom
    record : what it sends
    start_ns : time of its first sample, ns UTC
    way : how it sends
    acknowledged : samples that the gateway has said are stored
    heard_s : monotonic times of the acknowledgements
    """

    patient: str
    name: str
    token: str = field(default_factory=new_token)
    record: Record
    start_ns: int
    way: str
    acknowledged: int = 0
    heard_s: list[float] = field(default_factory=list)

    @property
    def entry(self) -> Device:
        """Its entry in the gateway's file."""
        return Device(name=self.name, sha256=hash_of(self.token), patients=[self.patient])

    def time_ns(self, index: int) -> int:
        """Time of a sample, ns UTC."""
        return self.start_ns + Grid(exact_rate(self.record.fs_hz)).offset_ns(index)

    async def live(self, url: str, *, chunk_s: float, speed: float) -> None:
        """Send the whole recording; returns when all of it is acknowledged.

        Parameters
        ----------
        url : of the gateway
        chunk_s : of a message, s
        speed : times real pace
        """
        sending = _ByWebSocket(self, url, chunk_s) if self.way == WEBSOCKET else _ByHttp(self, url)
        began_s, step = time.monotonic(), round(chunk_s * self.record.fs_hz)
        async with sending:
            for start in range(0, len(self.record.samples), step):
                piece = self.record.samples[start : start + step]
                due_s = began_s + (start + len(piece)) / self.record.fs_hz / speed
                await asyncio.sleep(max(0.0, due_s - time.monotonic()))
                await sending.send(start, piece)

    def hear(self, samples: int) -> None:
        """Note an acknowledgement."""
        self.acknowledged += samples
        self.heard_s.append(time.monotonic())


class _ByWebSocket:
    """By ``ecgstream.client``, as any program would."""

    def __init__(self, device: RecordedDevice, url: str, chunk_s: float) -> None:
        record = device.record
        self._device = device
        self._stream = Stream(
            patient=device.patient,
            fs_hz=record.fs_hz,
            leads=record.leads,
            url=url,
            token=device.token,
            gain=record.gain,
            baseline=record.baseline,
            chunk_s=chunk_s,
            on_acknowledged=device.hear,
        )

    async def __aenter__(self) -> Self:
        await self._stream.__aenter__()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._stream.flush(timeout_s=120.0)
        await self._stream.__aexit__(None, None, None)

    async def send(self, start: int, samples: Int16Array) -> None:
        await self._stream.send(samples, start_ns=self._device.time_ns(start))


class _ByHttp:
    """By requests of which each is repeated until it is answered."""

    def __init__(self, device: RecordedDevice, url: str) -> None:
        self._device = device
        self._http = httpx.AsyncClient(
            base_url=url, timeout=ANSWER_S, headers={"Authorization": f"Bearer {device.token}"}, trust_env=False
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._http.aclose()

    async def send(self, start: int, samples: Int16Array) -> None:
        record = self._device.record
        query = {
            "fs_hz": repr(record.fs_hz),
            "leads": ",".join(record.leads),
            "gain": ",".join(map(repr, record.gain)),
            "baseline": ",".join(map(str, record.baseline)),
            "start_index": str(start),
            "start_ns": str(self._device.time_ns(start)),
        }
        await _until_answered(
            lambda: self._http.post(
                f"/v1/patients/{self._device.patient}/chunks",
                params=query,
                content=samples.astype("<i2").tobytes(),
                headers={"Content-Type": "application/octet-stream"},
            )
        )
        self._device.hear(len(samples))


async def _until_answered(request: Callable[[], Awaitable[httpx.Response]]) -> None:
    while True:
        try:
            answer = await request()
        except httpx.TransportError:
            pass
        else:
            if answer.is_success:
                return
            if answer.status_code not in {429, 503}:
                answer.raise_for_status()
        await asyncio.sleep(RETRY_S * random.uniform(0.5, 1.0))  # noqa: S311 # not secret


def write_entries(devices: list[RecordedDevice], path: Path) -> Path:
    """Write the file of the devices that a gateway reads."""
    path.write_text("\n".join(device.entry.written(TABLE) for device in devices), encoding="utf-8")
    path.chmod(0o600)
    return path
