"""Three brokers and several detectors: how evenly they share, and what the end of any of them costs."""

import asyncio
import time
from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import Any

import structlog
from prometheus_client import CollectorRegistry

from bus.clients import KafkaPublisher
from bus.exactly_once import SESSION_TIMEOUT_MS
from bus.partitioning import partition_of
from bus.settings import KafkaSettings
from ecg.errors import EcgStreamError
from ecg.records import Record
from ecgstream.bench.bench_broker import BenchBroker, all_come, bench_broker, following
from ecgstream.bench.capacity import machine, value_of
from ecgstream.bench.cluster_account import PARTITIONS, ClusterAccount
from ecgstream.children import Command
from ops.clock import SystemClock
from ops.ports import free_ports
from producer.metrics import ReplayMetrics
from producer.service import Replay
from producer.settings import ReplaySettings
from producer.streams import deal

BROKERS = 3
PATIENCE_S = 90.0  # nothing new for so long: what is missing is lost
POLL_S = 0.1
CURRENT_S = 1.0  # a detector keeps up when no more of each patient's ECG waits
LATE_S = 2.0  # what is doubled may come after what was missing

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class ClusterPlan:
    """Plan of a run.

    Attributes
    ----------
    detectors : how many share the partitions; one run for each number
    patients : how many are replayed at real pace
    calm_s : seconds over which the balance between the detectors is taken
    """

    detectors: Sequence[int]
    patients: int
    calm_s: float


class _Cluster:
    """One run: the services on the brokers, and what is done to them.

    Parameters
    ----------
    brokers : one cluster
    kafka : where this run's topics are
    plan, records, count : what is replayed, and how many detectors share it
    """

    def __init__(
        self, brokers: BenchBroker, kafka: KafkaSettings, plan: ClusterPlan, records: Sequence[Record], count: int
    ) -> None:
        (page,) = free_ports(1)
        self._brokers = brokers.brokers
        self._kafka = kafka
        self._plan = plan
        self._patients = deal(records, plan.patients, loop=True)
        self._account = ClusterAccount()
        self._detectors = [self._command(brokers, f"detector-{number}", "detect") for number in range(count)]
        self._others = [
            self._command(brokers, "alert", "alert"),
            self._command(brokers, "web", "web", "--host", "127.0.0.1", "--port", str(page)),
        ]

    def _command(self, brokers: BenchBroker, name: str, *arguments: str) -> Command:
        return Command(self._kafka.topic_prefix + name, *arguments, kafka=self._kafka, logs=brokers.folder)

    async def run(self) -> dict[str, Any]:
        """Replay while things end, and hold what was judged against what was sent."""
        async with AsyncExitStack() as stack:
            for service in (*self._detectors, *self._others):
                await stack.enter_async_context(service)
            for service in (*self._detectors, *self._others):
                await service.ready()
            group = await stack.enter_async_context(following(self._kafka, *self._account.logs))
            publisher = await stack.enter_async_context(KafkaPublisher(self._kafka))
            replay = Replay(
                self._patients,
                ReplaySettings(),
                publisher=publisher,
                clock=SystemClock(),
                metrics=ReplayMetrics(CollectorRegistry()),
            )
            stop = asyncio.Event()
            playing = group.create_task(replay.run(stop))
            try:
                report = {
                    "balance": await self._balance(),
                    "detector_killed": await self._kill_detector(),
                    "broker_killed": await self._kill_broker(),
                    "roll": await self._roll(),
                }
            finally:  # before the publisher closes under it
                stop.set()
                sent = (await playing).samples
            ledger = self._account.ledger
            await all_come(
                lambda: ledger.samples >= sent and ledger.missing == 0,
                lambda: ledger.samples + ledger.windows,
                patience_s=PATIENCE_S,
                check=self._check,
            )
            await asyncio.sleep(LATE_S)
        return report | {
            "windows": ledger.windows,
            "lost": ledger.missing,
            "duplicated": ledger.duplicated,
            "alarm_messages": len(self._account.alarms.alerts),
            "alarm_messages_duplicated": self._account.alarms.repeated,
        }

    async def _check(self) -> None:
        for service in (*self._detectors, *self._others):
            await service.check()

    async def _balance(self) -> dict[str, Any]:
        """Return what each detector held and judged in a while without faults."""
        await self._at_work_since(time.time())
        before = await self._values("ecgstream_detector_windows_total")
        await asyncio.sleep(self._plan.calm_s)
        after = await self._values("ecgstream_detector_windows_total")
        windows = [round(b - a) for a, b in zip(before, after, strict=True)]
        return {
            "partitions": [round(held) for held in await self._values("ecgstream_detector_partitions")],
            "windows": windows,
            # The busiest one's work above an even share.
            "imbalance": round(max(windows) * len(windows) / max(1, sum(windows)) - 1, 3),
        }

    async def _kill_detector(self) -> dict[str, float]:
        """Kill a detector; where there are others, it comes back only when they have all of its partitions."""
        victim, moment_s = self._detectors[0], time.time()
        log.info("detector_killed")
        await victim.kill()
        if len(self._detectors) == 1:
            await victim.start()
        took_s = await self._at_work_since(moment_s)
        if len(self._detectors) > 1:
            await victim.start()
            await victim.ready()
        return {"takeover_s": took_s}

    async def _kill_broker(self) -> dict[str, float]:
        """Kill a broker; it comes back only when every partition is judged again without it."""
        victim, moment_s = self._brokers[-1], time.time()
        log.info("broker_killed")
        await victim.kill()
        took_s = await self._at_work_since(moment_s)
        await victim.start()
        return {"takeover_s": took_s}

    async def _roll(self) -> dict[str, float]:
        """Restart every service in order, one after the other, and time how long the detectors then stay behind."""
        for service in (*self._detectors, *self._others):
            log.info("rolled", service=service.name)
            await service.stop()
            await service.start()
            await service.ready()
        moment_s = time.monotonic()
        while not await self._current():
            if time.monotonic() - moment_s > PATIENCE_S:
                held = await self._values("ecgstream_detector_partitions")
                lag_s = await self._values("ecgstream_detector_lag_seconds")
                raise EcgStreamError(
                    f"still behind {PATIENCE_S:g} s after the roll: the detectors process {held} of {PARTITIONS} "
                    f"partitions and are {lag_s} s behind; see what else runs on this machine"
                )
            await self._check()
            await asyncio.sleep(POLL_S)
        return {"services": len(self._detectors) + len(self._others), "behind_s": round(time.monotonic() - moment_s, 2)}

    async def _current(self) -> bool:
        """Return whether every partition is processed and no patient's ECG waits for long."""
        held = sum(await self._values("ecgstream_detector_partitions"))
        return held == PARTITIONS and max(await self._values("ecgstream_detector_lag_seconds")) <= CURRENT_S

    async def _at_work_since(self, moment_s: float) -> float:
        """Wait until every partition has a verdict on samples from after a moment; seconds from it to the last one's.

        Raises
        ------
        EcgStreamError : when a partition has none for long
        """
        wanted = {partition_of(patient.id.encode(), PARTITIONS) for patient in self._patients}
        while not wanted <= (found := self._account.worked_again_s(moment_s)).keys():
            if time.time() - moment_s > PATIENCE_S:
                missing = ", ".join(map(str, sorted(wanted - found.keys())))
                raise EcgStreamError(
                    f"no verdict in {PATIENCE_S:g} s on partition {missing}: see what else runs on this machine"
                )
            await asyncio.sleep(POLL_S)
        return round(max(found.values()), 2)

    async def _values(self, name: str) -> list[float]:
        """Return a metric of each detector."""
        return [value_of(await asyncio.to_thread(detector.page, "metrics"), name) for detector in self._detectors]


async def run_cluster(plan: ClusterPlan, records: Sequence[Record]) -> dict[str, Any]:
    """Let each number of detectors share the partitions of three brokers, and end a detector, a broker, every service.

    Returns
    -------
    the JSON object of ``ecgstream bench cluster --json``

    Raises
    ------
    EcgStreamError : when a service ends by itself
    """
    async with bench_broker(BROKERS) as brokers:
        runs = {
            str(count): await _Cluster(
                brokers, await brokers.kafka(f"d{count}.", partitions=PARTITIONS), plan, records, count
            ).run()
            for count in plan.detectors
        }
    return {
        "brokers": BROKERS,
        "partitions": PARTITIONS,
        "patients": plan.patients,
        "session_s": SESSION_TIMEOUT_MS / 1000,
        "detectors": runs,
        "machine": machine(),
    }
