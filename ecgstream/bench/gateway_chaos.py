"""Chaos for the gateway: its connections are cut and it is killed while devices send recordings through it.

Every sample that a device was told is stored must be in the topic, once and as it was sent, and the verdicts on what
the detector finds there must be those on the files.
"""

import asyncio
import random
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from statistics import median
from typing import Any

import structlog

from bus import topics
from bus.clients import KafkaReader
from bus.messages import Verdict
from bus.samples import decode
from bus.settings import KafkaSettings
from detector.offline import judge_record, verdicts_in
from detector.scorer import Scorer
from ecg.records import Record
from ecgstream.bench.bench_broker import bench_broker, following
from ecgstream.bench.chaos import PATIENCE_S, count_different
from ecgstream.bench.cutting import Cable, cable
from ecgstream.bench.gateway_devices import WAYS, RecordedDevice, write_entries
from ecgstream.bench.verdict_log import VerdictLog
from ecgstream.children import Command
from ops.ports import free_ports

CUTS_A_KILL = 2
EVERY_S = 2.0  # from one fault to the next: devices are back and have sent some chunks
START_S = 3.0  # that a gateway takes to be at work again: the replay is as long as all that
CHUNK_S = 0.25
EARLY = 0.2  # of the faults come before the gateway is at work again
CUT, KILL = "cut", "sigkill"

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class GatewayChaosPlan:
    """Plan of a run.

    Attributes
    ----------
    kills, seed : how often the gateway is killed, and the moments; connections are cut twice as often
    patients, record_s : how many patients, each with a device, and seconds of the recording of each
    """

    kills: int
    seed: int
    patients: int = 10
    record_s: float = 300.0

    @property
    def wall_s(self) -> float:
        """Return how long the devices send."""
        return self.kills * (START_S + (1 + CUTS_A_KILL) * EVERY_S) + 2 * EVERY_S


async def run_gateway_chaos(plan: GatewayChaosPlan, records: Sequence[Record], scorer: Scorer) -> dict[str, Any]:
    """Cut and kill while devices send, and tell what came of it.

    Parameters
    ----------
    plan : what happens
    records : dealt out to the devices
    scorer : judges the files

    Returns
    -------
    the JSON object of ``ecgstream chaos --service gateway --json``

    Raises
    ------
    EcgStreamError : when a service ends by itself
    """
    start_ns = time.time_ns() - round(1e9 * plan.record_s)
    devices = [
        RecordedDevice(
            patient=f"patient-{number:03d}",
            name=f"device-{number:03d}",
            record=_beginning(records[number % len(records)], plan.record_s),
            start_ns=start_ns,
            way=WAYS[number % len(WAYS)],
        )
        for number in range(plan.patients)
    ]
    expected = await asyncio.to_thread(_file_verdicts, devices, scorer)
    verdicts = VerdictLog()
    async with bench_broker() as broker:
        kafka = await broker.kafka()
        (port,) = free_ports(1)
        file = write_entries(devices, broker.folder / "devices.toml")
        gateway = Command(
            *("gateway", "gateway", "--port", str(port), "--devices", str(file)), kafka=kafka, logs=broker.folder
        )
        detector = Command("detect", "detect", kafka=kafka, logs=broker.folder)
        async with following(kafka, verdicts), detector, gateway, cable(port) as way:
            await asyncio.gather(gateway.ready(), detector.ready())
            faults, moments = await _storm(plan, gateway, way, devices)
            await verdicts.wait_for(len(expected), patience_s=PATIENCE_S, check=detector.check)
            counted = await _stored(kafka, devices)
    found = verdicts.verdicts
    return {
        "service": "gateway",
        "seed": plan.seed,
        "faults": dict(faults),
        "patients": plan.patients,
        "ways": dict(Counter(device.way for device in devices)),
        "acknowledged": sum(device.acknowledged for device in devices),
        **counted,
        "verdicts": {
            "expected": len(expected),
            "lost": len(expected.keys() - found.keys()),
            "duplicated": verdicts.duplicated,
            "different": count_different(expected, found),
            "unexpected": len(found.keys() - expected.keys()),
        },
        "takeover_s": _takeover_s(moments, devices),
    }


def _beginning(record: Record, length_s: float) -> Record:
    return replace(record, samples=record.samples[: round(length_s * record.fs_hz)])


def _file_verdicts(devices: Sequence[RecordedDevice], scorer: Scorer) -> dict[str, Verdict]:
    return {
        verdict.id: verdict
        for device in devices
        for verdict in verdicts_in(
            judge_record(device.record, scorer, patient=device.patient, device=device.name, start_ns=device.start_ns)
        )
    }


async def _storm(
    plan: GatewayChaosPlan, gateway: Command, way: Cable, devices: Sequence[RecordedDevice]
) -> tuple[Counter[str], list[float]]:
    """Let the devices send while things break; the faults done, and when the gateway was killed."""
    seeded = random.Random(plan.seed)  # noqa: S311 # seeded, not secret
    kinds = [KILL] * plan.kills + [CUT] * (CUTS_A_KILL * plan.kills)
    seeded.shuffle(kinds)
    done, moments = Counter[str](), list[float]()
    url, speed = f"http://127.0.0.1:{way.port}", plan.record_s / plan.wall_s
    async with asyncio.TaskGroup() as ward:
        for device in devices:
            ward.create_task(device.live(url, chunk_s=CHUNK_S, speed=speed))
        for kind in kinds:
            if seeded.random() >= EARLY:
                await gateway.ready()
            await asyncio.sleep(EVERY_S * seeded.uniform(0.2, 1.8))
            log.info("fault", kind=kind)
            done[kind] += 1
            if kind == CUT:
                way.cut()
            else:
                moments.append(time.monotonic())
                await gateway.kill()
                await gateway.start()
    return done, moments


async def _stored(kafka: KafkaSettings, devices: Sequence[RecordedDevice]) -> dict[str, int]:
    """Hold the topic against what was acknowledged."""
    times = {device.patient: Counter[int]() for device in devices}
    different = 0
    records = {device.patient: device.record for device in devices}
    async with KafkaReader(kafka, [topics.SAMPLES], start="beginning") as reader:
        async for message in reader.to_end():
            chunk = decode(message.value, key=message.key)
            times[chunk.patient].update(range(chunk.start_index, chunk.end_index))
            sent = records[chunk.patient].samples[chunk.start_index : chunk.end_index]
            different += int((sent != chunk.samples).any(axis=1).sum())
    return {
        "stored": sum(len(counts) for counts in times.values()),
        "lost": sum(device.acknowledged - len(times[device.patient]) for device in devices),
        "duplicated": sum(counts.total() - len(counts) for counts in times.values()),
        "different": different,
    }


def _takeover_s(moments: Sequence[float], devices: Sequence[RecordedDevice]) -> dict[str, float] | None:
    """From the gateway's end to the next acknowledgement that any device heard."""
    heard = sorted(at_s for device in devices for at_s in device.heard_s)
    stalls = [next(at_s for at_s in heard if at_s > moment) - moment for moment in moments if heard[-1] > moment]
    return {"p50": round(median(stalls), 3), "max": round(max(stalls), 3)} if stalls else None
