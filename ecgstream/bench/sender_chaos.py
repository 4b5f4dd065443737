"""Chaos by senders: hostile and broken ones beside good patients, compared with the same replay undisturbed.

Everything that is sent follows from the seed. A bystander's sender is good throughout; a victim's goes wrong again and
again, and mends for long enough in between to see whether its patient is judged again.
"""

import asyncio
import heapq
import random
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import structlog

from bus import topics
from bus.clients import KafkaPublisher, KafkaReader
from bus.interfaces import Outgoing
from bus.messages import DeadLetter, Urgent
from bus.settings import KafkaSettings
from ecg.errors import EcgStreamError
from ecg.records import Record
from ecg.windows import HOP_S
from ecgstream.bench.alert_log import AlertLog
from ecgstream.bench.bench_broker import all_come, bench_broker, following
from ecgstream.bench.process_usage import ProcessUsage
from ecgstream.bench.sender_report import Fate, Seen, report
from ecgstream.bench.verdict_log import VerdictLog
from ecgstream.children import Command
from producer.hostile import KINDS, Fault, Target
from producer.streams import Patient, cut, deal

SENDER = "sender"  # every kind of fault of a sender
SPEED = 6.0  # times real pace: a fault every two seconds, each victim's with a minute of good ECG behind it
CHUNK_MS = 250
LEAD_S = 40.0  # good at first, s of the recording: alarms are open before the first fault
FAULT_S = (1.0, 12.0)  # how long a fault lasts
GOOD_S = (66.0, 76.0)  # good ECG behind a fault: longer than it may take to be judged again
VICTIMS = 0.6  # of the patients
TICK_S = 0.02
SAMPLE_EVERY_S = 1.0
PATIENCE_S = 60.0  # no verdict for so long: what is missing is lost
SETTLE_S = 3.0  # what is doubled may come after what was missing
SERVICES = ("detect", "alert")

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class SenderPlan:
    """Plan of a run: who is replayed, and whose sender goes wrong.

    Attributes
    ----------
    faults, seed, kinds : how many faults, what brings the same ones again, and the kinds they are taken from
    patients : how many; the last ones are bystanders
    """

    faults: int
    seed: int
    kinds: Sequence[str] = tuple(KINDS)
    patients: int = 10

    def __post_init__(self) -> None:
        unknown = [kind for kind in self.kinds if kind not in KINDS]
        if unknown or not self.kinds:
            raise EcgStreamError(
                f"kinds={','.join(unknown) or 'none'} is no kind of fault of a sender: choose from {', '.join(KINDS)}"
            )
        if self.patients < 2:
            raise EcgStreamError(f"patients={self.patients}: a victim and a bystander are the least")

    @property
    def victims(self) -> int:
        """Return how many patients have a sender that goes wrong."""
        return min(self.patients - 1, max(1, round(VICTIMS * self.patients)))

    def fates(self) -> list[list[Fate]]:
        """Return what goes wrong with each victim's sender, in order."""
        seeded = random.Random(self.seed)  # noqa: S311 # seeded, not secret
        kinds: list[str] = []
        while len(kinds) < self.faults:  # each as often as the others
            kinds += seeded.sample(list(self.kinds), len(self.kinds))
        ends_s = [LEAD_S + seeded.uniform(0.0, GOOD_S[1]) for _ in range(self.victims)]
        fates: list[list[Fate]] = [[] for _ in range(self.victims)]
        for number, kind in enumerate(kinds[: self.faults]):
            victim = min(range(self.victims), key=lambda one: ends_s[one])
            start_s = ends_s[victim]
            mended_s = start_s + seeded.uniform(*FAULT_S)
            ends_s[victim] = mended_s + seeded.uniform(*GOOD_S)
            fates[victim].append(Fate(kind=kind, seed=f"{self.seed}/{number}", start_s=start_s, mended_s=mended_s))
        return fates


def sender_kinds(kinds: Sequence[str]) -> tuple[str, ...]:
    """Return the kinds of fault of a sender that are meant: all for "sender", none where none is named.

    Raises
    ------
    EcgStreamError : when services are to die too: their faults are another run
    """
    meant = [kind for kind in kinds if kind == SENDER or kind in KINDS]
    if meant and len(meant) < len(kinds):
        others = [kind for kind in kinds if kind not in meant]
        raise EcgStreamError(f"kinds={','.join(others)} beside those of senders: choose one or the other")
    return tuple(KINDS) if SENDER in meant else tuple(meant)


async def run_sender_chaos(plan: SenderPlan, records: Sequence[Record]) -> dict[str, Any]:
    """Replay twice, undisturbed and beside hostile senders, and compare.

    Returns
    -------
    the JSON object of ``ecgstream chaos --kinds sender --json``

    Raises
    ------
    EcgStreamError : when a service ends by itself
    """
    fates = plan.fates()
    lasts_s = HOP_S * -(-max([LEAD_S, *(fate.mended_s for each in fates for fate in each)]) // HOP_S) + GOOD_S[1]
    patients = deal(records, plan.patients, loop=True, duration_s=lasts_s)
    # Both runs replay the same moments, and neither is ever ahead of the broker's clock.
    start_ns = time.time_ns() - round((lasts_s + 1) * 1e9)
    of_victims = {patient.id: fate for patient, fate in zip(patients, fates, strict=False)}
    bystanders = [patient.id for patient in patients[plan.victims :]]
    async with bench_broker() as broker:

        async def run(name: str, faults: dict[str, list[Fate]], speed: float | None) -> Seen:
            kafka = await broker.kafka(f"{name}.")
            target = Target(topic=topics.SAMPLES, partitions=kafka.partitions)
            scripts = [_script(each, faults.get(each.id, ()), target, start_ns) for each in patients]
            windows = int(lasts_s // HOP_S)
            return await _run(kafka, scripts, broker.folder, speed=speed, bystanders=bystanders, windows=windows)

        calm = await run("calm", {}, None)
        log.info("undisturbed", verdicts=len(calm.verdicts))
        storm = await run("storm", of_victims, SPEED)
    return {"seed": plan.seed} | report(of_victims, bystanders, calm=calm, storm=storm, start_ns=start_ns)


def _script(
    patient: Patient, fates: Sequence[Fate], target: Target, start_ns: int
) -> Iterator[tuple[float, list[Outgoing]]]:
    """Return what a patient's sender sends, and when: seconds of the recording."""
    to_come = [(fate, Fault(fate.kind, fate.seed, target)) for fate in fates]
    for chunk in cut(patient, chunk_ms=CHUNK_MS, start_ns=start_ns):
        begins_s, due_s = chunk.start_index / chunk.fs_hz, chunk.end_index / chunk.fs_hz
        while to_come and to_come[0][0].mended_s <= begins_s:
            del to_come[0]
        wrong = bool(to_come) and to_come[0][0].start_s <= begins_s
        yield due_s, to_come[0][1].messages(chunk) if wrong else [target.good(chunk)]


async def _run(
    kafka: KafkaSettings,
    scripts: Sequence[Iterator[tuple[float, list[Outgoing]]]],
    folder: Path,
    *,
    speed: float | None,
    bystanders: Sequence[str],
    windows: int,
) -> Seen:
    verdicts, alerts = VerdictLog(), AlertLog()
    name = kafka.topic_prefix
    environment = {"ECGSTREAM_ALERTING_ALARM_DB": f"sqlite:///{folder}/{name}sqlite"}
    services = {
        service: Command(name + service, service, kafka=kafka, logs=folder, environment=environment)
        for service in SERVICES
    }
    async with following(kafka, verdicts, alerts) as group, AsyncExitStack() as stack:
        for service in services.values():
            await stack.enter_async_context(service)
            await service.ready()  # one by one: together they would load their libraries for too long
        usage = {service: ProcessUsage(command.pid) for service, command in services.items()}

        async def check() -> None:
            for service, command in services.items():
                await command.check()
                if not command.running:
                    raise EcgStreamError(f"'ecgstream {service}' has ended by itself")
                usage[service].sample()

        publisher = await stack.enter_async_context(KafkaPublisher(kafka))
        playing = group.create_task(_play(scripts, publisher, speed))
        while not playing.done():
            await check()
            await asyncio.sleep(SAMPLE_EVERY_S)
        await playing

        def all_there() -> bool:
            counts = Counter(verdict.patient for verdict in verdicts.verdicts.values())
            return all(counts[patient] >= windows for patient in bystanders)

        await all_come(all_there, lambda: len(verdicts.verdicts), patience_s=PATIENCE_S, check=check)
        await asyncio.sleep(SETTLE_S)
    return Seen(
        verdicts=list(verdicts.verdicts.values()),
        doubled=verdicts.again,
        alerts=list(alerts.alerts.values()),
        repeated=alerts.again,
        urgent=[Urgent.model_validate_json(each) for each in await _all(kafka, topics.URGENT)],
        letters=[DeadLetter.model_validate_json(each) for each in await _all(kafka, topics.DEAD_LETTERS)],
        rss_mb={service: each.rss for service, each in usage.items()},
    )


async def _play(
    scripts: Sequence[Iterator[tuple[float, list[Outgoing]]]], publisher: KafkaPublisher, speed: float | None
) -> None:
    """Send every script at its pace; as fast as may be where there is none."""
    began_s = time.monotonic()
    due = [(at_s, number, messages) for number, script in enumerate(scripts) for at_s, messages in [next(script)]]
    heapq.heapify(due)
    while due:
        at_s, number, messages = heapq.heappop(due)
        if speed is not None and (wait_s := at_s / speed - (time.monotonic() - began_s)) > 0:
            await asyncio.sleep(max(wait_s, TICK_S))
        for message in messages:
            await publisher.send(message)
        if (to_come := next(scripts[number], None)) is not None:
            heapq.heappush(due, (to_come[0], number, to_come[1]))
    await publisher.flush()


async def _all(kafka: KafkaSettings, topic: str) -> list[bytes]:
    async with KafkaReader(kafka, [topic], start="beginning") as reader:
        return [message.value async for message in reader.to_end() if message.value is not None]
