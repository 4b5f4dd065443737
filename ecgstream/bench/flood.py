"""Patient ids without end: what each service carries, refuses and needs, within the memory that its container has."""

import asyncio
import time
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field, replace
from typing import Any

import psutil
from prometheus_client.parser import text_string_to_metric_families

from bus import topics
from bus.clients import KafkaPublisher, KafkaReader
from bus.interfaces import Outgoing
from bus.messages import DeadLetter
from bus.samples import Chunk, encode
from bus.settings import KafkaSettings
from ecg.errors import EcgStreamError
from ecg.records import Record, exact_rate
from ecg.windows import HOP_S, Grid
from ecgstream.bench.bench_broker import bench_broker, following
from ecgstream.bench.memory_limit import MemoryLimit
from ecgstream.bench.verdict_log import VerdictLog
from ecgstream.children import Command
from ops.ports import free_ports
from ops.processes import number_in_proc
from producer.streams import Patient, cut, deal

# As docker-compose.yml limits the containers.
LIMITS_MB = {"detect": 1024, "alert": 512, "web": 1024}
MB = 1024 * 1024
CHUNK_S = 3.0  # two make a window due
CHUNKS = 2  # of each id
RETURNS = 0.05  # of the ids come back
GOOD = 4  # patients at real pace beside them
LEAD_S = 10.0  # they are there first
SAMPLE_EVERY_S = 1.0
QUIET_S = 20.0  # nothing waits and no verdict has come for so long: what is missing is lost
PATIENCE_S = 1_800.0
_YIELD_EVERY = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class FloodPlan:
    """Plan of a run: the number of patient ids, and the records that all are cut from."""

    ids: int
    records: Sequence[Record]


@dataclass(slots=True, kw_only=True)
class _Service:
    """One service within its limit.

    Attributes
    ----------
    rss_mb : the most that its processes held at a look, together
    page : its metrics, at the last look
    """

    command: Command
    limit: MemoryLimit
    limit_mb: int
    rss_mb: float = 0.0
    page: str = ""

    async def sample(self) -> None:
        """Take the present figures.

        Raises
        ------
        EcgStreamError : when it has ended
        """
        await self.command.check()
        if not self.command.running:
            raise EcgStreamError("a service has ended by itself")
        process = psutil.Process(number_in_proc(self.command.pid))
        family = [process, *process.children(recursive=True)]
        self.rss_mb = max(self.rss_mb, sum(_rss_mb(each) for each in family))
        self.page = await asyncio.to_thread(self.command.page, "metrics")


@dataclass(slots=True, kw_only=True)
class _Run:
    """Messages sent and verdicts that came."""

    verdicts: VerdictLog = field(default_factory=VerdictLog)
    services: dict[str, _Service] = field(default_factory=dict)
    sent: int = 0
    flood_s: float = 0.0
    good_s: float = 0.0


async def run_flood(plan: FloodPlan) -> dict[str, Any]:
    """Send many patient ids past good patients, and measure.

    Returns
    -------
    the JSON object of ``ecgstream bench flood --json``

    Raises
    ------
    EcgStreamError : when a service ends by itself, or is killed for its memory
    """
    run = _Run()
    async with bench_broker() as broker, AsyncExitStack() as stack:
        kafka = await broker.kafka()
        await stack.enter_async_context(following(kafka, run.verdicts))
        (port,) = free_ports(1)
        arguments = {"web": ("web", "--host", "127.0.0.1", "--port", str(port))}
        for service, limit_mb in LIMITS_MB.items():
            limit = stack.enter_context(MemoryLimit(service, limit_mb * MB))
            command = Command(service, *arguments.get(service, (service,)), kafka=kafka, logs=broker.folder)
            await stack.enter_async_context(command)
            limit.add(command.pid)
            await command.ready()  # one by one: all at once they would load their libraries for too long
            run.services[service] = _Service(command=command, limit=limit, limit_mb=limit_mb)
        publisher = await stack.enter_async_context(KafkaPublisher(kafka))
        await _work(plan, run, publisher)
        letters = await _letters(kafka)
        return _report(plan, run, letters)


async def _work(plan: FloodPlan, run: _Run, publisher: KafkaPublisher) -> None:
    start_ns = time.time_ns()
    stop = asyncio.Event()
    async with asyncio.TaskGroup() as group:
        watching = group.create_task(_watch(run))
        good = deal(plan.records, GOOD, loop=True)
        keeping = [group.create_task(_keep_on(each, publisher, start_ns, stop)) for each in good]
        await asyncio.sleep(LEAD_S)
        began_s = time.monotonic()
        await _send(run, publisher, _strangers(plan, start_ns, chunks=range(CHUNKS)))
        await _drained(run)
        run.flood_s = time.monotonic() - began_s
        back = replace(plan, ids=round(RETURNS * plan.ids))
        await _send(run, publisher, _strangers(back, start_ns, chunks=range(CHUNKS, 2 * CHUNKS)))
        await _drained(run)
        stop.set()
        run.good_s = min([await each for each in keeping])
        await _drained(run)
        for each in run.services.values():
            await each.sample()
        watching.cancel()


async def _watch(run: _Run) -> None:
    while True:
        for each in run.services.values():
            await each.sample()
        await asyncio.sleep(SAMPLE_EVERY_S)


async def _keep_on(patient: Patient, publisher: KafkaPublisher, start_ns: int, stop: asyncio.Event) -> float:
    """Send a good patient at real pace until the end; how many seconds of the recording that were."""
    began_s, sent_s = time.monotonic(), 0.0
    for chunk in cut(patient, chunk_ms=500, start_ns=start_ns):
        if stop.is_set():
            break
        sent_s = chunk.end_index / chunk.fs_hz
        await asyncio.sleep(max(0.0, sent_s - (time.monotonic() - began_s)))
        await publisher.send(Outgoing(topic=topics.SAMPLES, key=chunk.patient.encode(), value=encode(chunk)))
    return sent_s


def _strangers(plan: FloodPlan, start_ns: int, *, chunks: range) -> Iterator[Chunk]:
    """The chunks of every id, one id after the other."""
    for number in range(plan.ids):
        record = plan.records[number % len(plan.records)]
        count = round(CHUNK_S * record.fs_hz)
        grid = Grid(exact_rate(record.fs_hz))
        for place in chunks:
            first = place * count
            yield Chunk(
                patient=f"id-{number:06d}",
                device="flood",
                start_ns=start_ns + grid.offset_ns(first),
                start_index=first,
                fs_hz=record.fs_hz,
                leads=record.leads[:1],
                gain=record.gain[:1],
                baseline=record.baseline[:1],
                samples=record.samples[first : first + count, :1],
            )


async def _send(run: _Run, publisher: KafkaPublisher, chunks: Iterator[Chunk]) -> None:
    for number, chunk in enumerate(chunks):
        await publisher.send(Outgoing(topic=topics.SAMPLES, key=chunk.patient.encode(), value=encode(chunk)))
        run.sent += 1
        if number % _YIELD_EVERY == 0:
            await asyncio.sleep(0)
    await publisher.flush()


async def _drained(run: _Run) -> None:
    """Return when nothing waits for the detector or alerting any more, for a while."""
    until_s = time.monotonic() + PATIENCE_S
    quiet_s = time.monotonic()
    while time.monotonic() - quiet_s < QUIET_S / 4:
        if time.monotonic() > until_s:
            raise EcgStreamError(f"the services have not caught up in {PATIENCE_S:g} s: send fewer ids")
        await asyncio.sleep(SAMPLE_EVERY_S)
        # The good patients' messages are on their way at any moment.
        if any(_metric(each.page, "lag_messages") > 8 * GOOD for each in run.services.values()):
            quiet_s = time.monotonic()


async def _letters(kafka: KafkaSettings) -> Counter[str]:
    counts: Counter[str] = Counter()
    async with KafkaReader(kafka, [topics.DEAD_LETTERS], start="beginning") as reader:
        async for message in reader.to_end():
            letter = DeadLetter.model_validate_json(message.value or b"")
            counts[f"{letter.service}/{letter.code or 'unnamed'}"] += letter.count
    return counts


def _report(plan: FloodPlan, run: _Run, letters: Counter[str]) -> dict[str, Any]:
    windows: defaultdict[str, set[int]] = defaultdict(set)
    for verdict in run.verdicts.verdicts.values():
        if verdict.decision != "unusable":
            windows[verdict.patient].add(verdict.window)
    good = [each.id for each in deal(plan.records, GOOD, loop=True)]
    due = int((run.good_s - 1) // HOP_S)
    back = [f"id-{number:06d}" for number in range(round(RETURNS * plan.ids))]
    strangers = windows.keys() - set(good)
    return {
        "ids": plan.ids,
        "messages": run.sent,
        "flood_s": round(run.flood_s, 1),
        "carried": len(strangers),
        "refused": dict(letters),
        "returned": {
            "ids": len(back),
            "judged_before": sum(bool(windows[name]) for name in back),
            "judged_again": sum(1 in windows[name] for name in back),
        },
        "good": {"windows": GOOD * due, "judged": sum(len(windows[name] & set(range(due))) for name in good)},
        "services": {
            name: {
                "limit_mb": each.limit_mb,
                "enforced": each.limit.enforced,
                "peak_mb": each.limit.peak_mb,
                "rss_mb": round(each.rss_mb, 1),
                "killed": each.limit.kills,
                "metrics": _of_patients(each.page),
            }
            for name, each in run.services.items()
        },
    }


def _of_patients(page: str) -> dict[str, float]:
    """Return what a service tells of how many patients it carries and refuses."""
    found: defaultdict[str, float] = defaultdict(float)
    for family in text_string_to_metric_families(page):
        for sample in family.samples:
            kept = "patients" in sample.name or "refused" in sample.name
            if sample.name.startswith("ecgstream_") and kept and not sample.name.endswith("_created") and sample.value:
                found[" ".join([sample.name, *sample.labels.values()])] += sample.value
    return dict(found)


def _metric(page: str, ending: str) -> float:
    return sum(
        sample.value
        for family in text_string_to_metric_families(page)
        for sample in family.samples
        if sample.name.startswith("ecgstream_") and sample.name.endswith(ending)
    )


def _rss_mb(process: psutil.Process) -> float:
    try:
        return float(process.memory_info().rss) / 1e6
    except psutil.NoSuchProcess:
        return 0.0
