"""Load on the gateway: many devices by WebSocket at real pace, each chunk timed until it is acknowledged."""

import asyncio
import json
import time
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from websockets.asyncio.client import ClientConnection, connect

from ecg.errors import EcgStreamError
from ecg.records import Record
from ecgstream.bench.bench_broker import bench_broker
from ecgstream.bench.gateway_devices import WEBSOCKET, RecordedDevice, write_entries
from ecgstream.bench.process_usage import ProcessUsage
from ecgstream.children import Command
from ecgstream.client import stream_address
from gateway.forms import FRAME
from ops.ports import free_ports

SETTLE_S = 5.0  # of the beginning, which is not measured: connections come up and are looked after
LAST_S = 30.0  # for the last acknowledgements
CONNECT_AT_ONCE = 20
BEHIND_S = 1.0  # an acknowledgement that comes later than that has not kept up
_MS = 1e3


@dataclass(frozen=True, slots=True, kw_only=True)
class GatewayLoadPlan:
    """Plan of a run.

    Attributes
    ----------
    devices : how many devices send, each for a patient of its own
    duration_s : how long, s
    chunk_s : of each message, s
    """

    devices: int
    duration_s: float = 60.0
    chunk_s: float = 0.25


@dataclass(slots=True)
class _Load:
    """One device on its WebSocket."""

    device: RecordedDevice
    step: int
    under_way: deque[float] = field(default_factory=deque)
    latencies_s: list[float] = field(default_factory=list)
    sent: int = 0
    late_s: float = 0.0

    async def send(self, socket: ClientConnection, *, first_s: float, chunks: int, measured_from_s: float) -> None:
        """Send chunk after chunk, each when its last sample would have been taken."""
        samples, pace_s = self.device.record.samples, self.step / self.device.record.fs_hz
        hearing = asyncio.create_task(self._hear(socket, measured_from_s))
        try:
            for number in range(chunks):
                due_s = first_s + number * pace_s
                await asyncio.sleep(max(0.0, due_s - time.monotonic()))
                start = number * self.step
                rows = samples.take(range(start, start + self.step), axis=0, mode="wrap")
                frame = FRAME.pack(start, self.device.time_ns(start)) + rows.tobytes()
                now_s = time.monotonic()
                self.late_s = max(self.late_s, now_s - due_s)
                self.under_way.append(now_s)
                self.sent += 1
                await socket.send(frame)
            async with asyncio.timeout(LAST_S):
                while self.under_way:  # noqa: ASYNC110 # what empties it is a task that is not at its end then
                    await asyncio.sleep(0.05)
        except TimeoutError:
            pass
        finally:
            hearing.cancel()
            await asyncio.gather(hearing, return_exceptions=True)

    async def _hear(self, socket: ClientConnection, measured_from_s: float) -> None:
        async for text in socket:
            answer = json.loads(text)
            if answer["type"] == "refused":
                raise EcgStreamError(f"the gateway refuses what the bench sends: {answer['detail']}")
            if answer["type"] == "ack":
                sent_s = self.under_way.popleft()
                if sent_s >= measured_from_s:
                    self.latencies_s.append(time.monotonic() - sent_s)


async def run_gateway_load(plan: GatewayLoadPlan, records: Sequence[Record]) -> dict[str, Any]:
    """Let devices send through a gateway, on a broker of its own, and measure.

    Returns
    -------
    the JSON object of ``ecgstream bench gateway --json``

    Raises
    ------
    EcgStreamError : when the gateway ends by itself or refuses what comes
    """
    devices = [
        RecordedDevice(
            patient=f"patient-{number:04d}",
            name=f"device-{number:04d}",
            record=records[number % len(records)],
            start_ns=0,
            way=WEBSOCKET,
        )
        for number in range(plan.devices)
    ]
    async with bench_broker() as broker:
        kafka = await broker.kafka()
        (port,) = free_ports(1)
        file = write_entries(devices, broker.folder / "devices.toml")
        gateway = Command(
            *("gateway", "gateway", "--port", str(port), "--devices", str(file)), kafka=kafka, logs=broker.folder
        )
        async with gateway:
            await gateway.ready()
            loads = [_Load(device, round(plan.chunk_s * device.record.fs_hz)) for device in devices]
            usage = ProcessUsage(gateway.pid)
            elapsed_s = await _run(plan, loads, f"http://127.0.0.1:{port}", usage)
            await gateway.check()
    latencies = np.array([each for load in loads for each in load.latencies_s]) * _MS
    sent, lacking = sum(load.sent for load in loads), sum(len(load.under_way) for load in loads)
    p50, p99, most = (np.percentile(latencies, share) for share in (50, 99, 100)) if len(latencies) else (None,) * 3
    return {
        "devices": plan.devices,
        "chunk_ms": round(plan.chunk_s * _MS),
        "duration_s": round(elapsed_s, 1),
        "kept_up": lacking == 0 and most is not None and bool(most < BEHIND_S * _MS),
        "chunks": sent,
        "unacknowledged": lacking,
        "chunks_per_s": round(len(latencies) / elapsed_s, 1),
        "ack_ms": {
            name: None if value is None else round(float(value), 2)
            for name, value in (("p50", p50), ("p99", p99), ("max", most))
        },
        "sender_late_ms": round(max(load.late_s for load in loads) * _MS, 1),
        "gateway_cores": round(usage.cpu_s / elapsed_s, 3),
        "gateway_cpu_ms_per_chunk": round(usage.cpu_s * _MS / max(1, len(latencies)), 3),
        "rss_mb": usage.rss,
    }


async def _run(plan: GatewayLoadPlan, loads: Sequence[_Load], url: str, usage: ProcessUsage) -> float:
    """Connect all, send, and measure after a while; how long was measured, s."""
    turn = asyncio.Semaphore(CONNECT_AT_ONCE)
    sockets: list[ClientConnection] = []

    async def connected(load: _Load) -> ClientConnection:
        record, device = load.device.record, load.device
        address = stream_address(
            url,
            patient=device.patient,
            fs_hz=record.fs_hz,
            leads=record.leads,
            gain=record.gain,
            baseline=record.baseline,
        )
        async with turn:
            return await connect(
                address,
                additional_headers={"Authorization": f"Bearer {device.token}"},
                compression=None,
                proxy=None,
            )

    sockets = list(await asyncio.gather(*map(connected, loads)))
    try:
        begin_s = time.monotonic() + plan.chunk_s
        measured_from_s = begin_s + SETTLE_S
        chunks = round((SETTLE_S + plan.duration_s) / plan.chunk_s)
        async with asyncio.TaskGroup() as ward:
            for number, (load, socket) in enumerate(zip(loads, sockets, strict=True)):
                # Evenly over the length of a chunk: nobody's devices beat together.
                first_s = begin_s + plan.chunk_s * number / len(loads)
                load.device.start_ns = time.time_ns() + round(1e9 * (first_s - plan.chunk_s - time.monotonic()))
                ward.create_task(load.send(socket, first_s=first_s, chunks=chunks, measured_from_s=measured_from_s))
            await asyncio.sleep(measured_from_s - time.monotonic())
            usage.sample()
            await asyncio.sleep(plan.duration_s)
            usage.sample()
            ended_s = time.monotonic()
    finally:
        await asyncio.gather(*(socket.close() for socket in sockets), return_exceptions=True)
    return ended_s - measured_from_s
