"""Chaos: a replay during which things die, compared with the same replay undisturbed.

Every verdict of the undisturbed run must come in the disturbed one, once, with the same scores, for a subscriber
that reads committed messages only.
"""

import asyncio
import random
import signal
import time
from collections import Counter
from collections.abc import Awaitable, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any

import structlog
from prometheus_client import CollectorRegistry

from bus.broker import LocalBroker
from bus.clients import KafkaPublisher
from bus.interfaces import Outgoing
from bus.messages import Verdict
from ecg.errors import EcgStreamError
from ecg.records import Record
from ecg.windows import HOP_S
from ecgstream.bench.bench_broker import BenchBroker, bench_broker, following
from ecgstream.bench.verdict_log import VerdictLog
from ecgstream.children import Command
from ops.clock import SystemClock
from producer.metrics import ReplayMetrics
from producer.service import Replay
from producer.settings import ReplaySettings
from producer.streams import deal

KINDS = ("sigkill", "sigstop", "broker_restart", "rebalance", "duplicate_send")
EVERY_S = 5.0  # wall time between two faults: a service is back at work and some windows are due in it
STALL_S = 8.0  # longer than the group's session: who wakes up is a zombie
GUEST_S = 3.0  # how long a second detector stays
PATIENCE_S = 60.0  # no verdict for so long: what is missing is lost
SAME = 1e-6  # scores that differ by more are different
START_NS = 1_000_000_000_000_000_000  # both runs replay the same moments

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class ChaosPlan:
    """Plan of a run: what is replayed, and what happens meanwhile.

    Attributes
    ----------
    faults, seed, kinds : how many faults, which moments, and which kinds they are taken from
    patients, record_s : how many patients, and seconds of record time of each
    """

    faults: int
    seed: int
    kinds: Sequence[str] = KINDS
    patients: int = 10
    record_s: float = 300.0

    def __post_init__(self) -> None:
        unknown = [kind for kind in self.kinds if kind not in KINDS]
        if unknown or not self.kinds:
            raise EcgStreamError(
                f"kinds={','.join(unknown) or 'none'} is no kind of fault: choose from {', '.join(KINDS)}"
            )

    @property
    def wall_s(self) -> float:
        """Return how long the disturbed replay takes."""
        return EVERY_S * (self.faults + 1)


class _LastSent:
    """A publisher that remembers what it sent last, so that it can be sent again."""

    def __init__(self, publisher: KafkaPublisher) -> None:
        self._publisher = publisher
        self._last: Outgoing | None = None

    async def send(self, message: Outgoing) -> Awaitable[None]:
        self._last = message
        return await self._publisher.send(message)

    async def flush(self) -> None:
        await self._publisher.flush()

    async def repeat(self) -> None:
        if self._last is not None:
            await self._publisher.send(self._last)


class _Storm:
    """Does the faults, one after the other."""

    def __init__(self, broker: LocalBroker, detector: Command, guest: Command, publisher: _LastSent) -> None:
        self._broker = broker
        self._detector = detector
        self._guest = guest
        self._publisher = publisher
        self.moments: list[float] = []
        self.done: Counter[str] = Counter()

    async def strike(self, kind: str) -> None:
        """One fault."""
        log.info("fault", kind=kind)
        self.moments.append(time.time())
        self.done[kind] += 1
        match kind:
            case "sigkill":
                await self._detector.kill()
                await self._detector.start()
            case "sigstop":
                # Another takes over while the first stalls; then the first wakes and must not be believed.
                self._detector.send(signal.SIGSTOP)
                await self._guest.start()
                await asyncio.sleep(STALL_S)
                self._detector.send(signal.SIGCONT)
                await asyncio.sleep(GUEST_S)
                await self._guest.stop()
            case "broker_restart":
                await self._broker.kill()
                await self._broker.start()
            case "rebalance":
                await self._guest.start()
                await asyncio.sleep(GUEST_S)
                await self._guest.stop()
            case "duplicate_send":
                await self._publisher.repeat()


async def run_chaos(plan: ChaosPlan, records: Sequence[Record]) -> dict[str, Any]:
    """Replay twice, undisturbed and disturbed, and compare.

    Returns
    -------
    the JSON object of ``ecgstream chaos --json``

    Raises
    ------
    EcgStreamError : when a service ends by itself
    """
    async with bench_broker() as broker:
        calm = await _calm(broker, plan, records)
        log.info("undisturbed", verdicts=len(calm.verdicts))
        storm, disturbed = await _disturbed(broker, plan, records, expected=len(calm.verdicts))
    return {
        "seed": plan.seed,
        "faults": {kind: storm.done[kind] for kind in KINDS},
        "patients": plan.patients,
        "expected": len(calm.verdicts),
        "lost": len(calm.verdicts.keys() - disturbed.verdicts.keys()),
        "duplicated": disturbed.duplicated,
        "different": count_different(calm.verdicts, disturbed.verdicts),
        "unexpected": len(disturbed.verdicts.keys() - calm.verdicts.keys()),
        "takeover_s": _takeover_s(storm.moments, disturbed),
    }


async def _calm(broker: BenchBroker, plan: ChaosPlan, records: Sequence[Record]) -> VerdictLog:
    kafka, verdicts = await broker.kafka("calm."), VerdictLog()
    async with (
        following(kafka, verdicts),
        Command("calm", "detect", kafka=kafka, logs=broker.folder) as detector,
        KafkaPublisher(kafka) as publisher,
    ):
        replay = _replay(plan, records, publisher, speed="max")
        await replay.run(asyncio.Event())
        expected = plan.patients * int(plan.record_s // HOP_S)
        await verdicts.wait_for(expected, patience_s=PATIENCE_S, check=detector.check)
    if len(verdicts.verdicts) != expected:
        raise EcgStreamError(
            f"the undisturbed run gave {len(verdicts.verdicts)} verdicts on {expected} windows, so it is no measure: "
            "see what else runs on this machine"
        )
    return verdicts


async def _disturbed(
    broker: BenchBroker, plan: ChaosPlan, records: Sequence[Record], *, expected: int
) -> tuple[_Storm, VerdictLog]:
    kafka, verdicts = await broker.kafka("storm."), VerdictLog()
    seeded = random.Random(plan.seed)  # noqa: S311 # seeded, not secret
    detector, guest = (Command(name, "detect", kafka=kafka, logs=broker.folder) for name in ("first", "guest"))
    async with following(kafka, verdicts) as group, detector, KafkaPublisher(kafka) as plain:
        publisher = _LastSent(plain)
        storm = _Storm(broker.local, detector, guest, publisher)
        replay = _replay(plan, records, publisher, speed=plan.record_s / plan.wall_s)
        playing = group.create_task(replay.run(asyncio.Event()))
        await verdicts.wait_for(1, patience_s=PATIENCE_S, check=detector.check)
        for _ in range(plan.faults):
            await asyncio.sleep(EVERY_S * seeded.uniform(0.2, 1.8))
            await storm.strike(seeded.choice(plan.kinds))
        await playing
        await verdicts.wait_for(expected, patience_s=PATIENCE_S, check=detector.check)
        await asyncio.sleep(2.0)  # what is doubled may come after what was missing
    return storm, verdicts


def _replay(plan: ChaosPlan, records: Sequence[Record], publisher: Any, *, speed: Any) -> Replay:
    return Replay(
        deal(records, plan.patients, loop=True, duration_s=plan.record_s),
        ReplaySettings(speed=speed, start_ns=START_NS),
        publisher=publisher,
        clock=SystemClock(),
        metrics=ReplayMetrics(CollectorRegistry()),
    )


def count_different(calm: dict[str, Verdict], disturbed: dict[str, Verdict]) -> int:
    """Return how many verdicts of the undisturbed run have other scores or beats in the disturbed one."""
    count = 0
    for number, expected in calm.items():
        found = disturbed.get(number)
        if found is None:
            continue
        pairs = [(expected.cnn, found.cnn), (expected.autoencoder, found.autoencoder), (expected.fused, found.fused)]
        same = all((a is None) == (b is None) and (a is None or abs(a - (b or 0.0)) <= SAME) for a, b in pairs)
        count += not (same and [b.t_ns for b in expected.beats] == [b.t_ns for b in found.beats])
    return count


def _takeover_s(moments: Sequence[float], verdicts: VerdictLog) -> dict[str, float | None]:
    """From a fault to the first verdict whose samples came after it.

    The median is over the faults that were recovered from before the next one struck; the longest is over all.
    """
    stalls, quiet = [], []
    for moment, next_moment in zip(moments, [*moments[1:], float("inf")], strict=True):
        came = [c for c, i in zip(verdicts.came_s, verdicts.ingested_s, strict=True) if i >= moment]
        if came:
            stalls.append(min(came) - moment)
            quiet += [min(came) - moment] if min(came) < next_moment else []
    return {
        "p50": round(median(quiet), 3) if quiet else None,
        "max": round(max(stalls), 3) if stalls else None,
    }
