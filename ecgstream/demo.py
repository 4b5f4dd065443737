"""The demo: a real recording goes through the real system, and a subscriber counts and shows."""

import asyncio
import contextlib
import time
from collections.abc import Sequence
from dataclasses import dataclass

from prometheus_client import CollectorRegistry
from rich.console import Console

from bus import topics
from bus.clients import KafkaReader
from bus.interfaces import Received
from bus.messages import Alert, Verdict
from bus.samples import BadChunkError, decode
from bus.topic_admin import topic_states
from detector.publishing import INGEST_HEADER
from ecg.records import Record
from ecgstream.demo_view import View
from ecgstream.ledger import Ledger
from ecgstream.local_system import LocalSystem
from ecgstream.replaying import replay
from ecgstream.services import Service
from producer.settings import FaultSettings, ReplaySettings

POLL_MS = 100
VERDICTS_DUE_S = 20.0  # a verdict that has not come so long after the one before it will never come
ALERTS_DUE_S = 1.0  # after the last verdict; alerting answers within a tenth of it
FOLLOWED = (topics.SAMPLES, topics.WINDOWS, topics.ANOMALIES, topics.ALERTS)


@dataclass(frozen=True, slots=True, kw_only=True)
class DemoOptions:
    """Plan of a demo.

    Attributes
    ----------
    records : what is replayed
    replay, faults : pace, patients, and what goes wrong on purpose
    noise : the noise record that ``faults`` names
    duration_s : seconds of wall time, from the first sample on, after which it ends; None for the recordings' end
    """

    records: Sequence[Record]
    replay: ReplaySettings
    faults: FaultSettings
    noise: Record | None = None
    duration_s: float | None = None


async def demo(system: LocalSystem, options: DemoOptions, stop: asyncio.Event, console: Console) -> Ledger:
    """Replay, follow, show and count until the recordings end, the time is up, or ``stop`` is set.

    Parameters
    ----------
    system : detector and alerting at work
    options : what is replayed and how
    stop : set it to end in order
    console : where to show what happens

    Raises
    ------
    EcgStreamError : when the broker or a service ends by itself
    """
    ledger = Ledger()
    title = f"{', '.join(record.name for record in options.records[:6])} at {options.replay.speed} times real pace"
    try:
        async with KafkaReader(system.kafka, FOLLOWED, start="end") as reader:
            with View(console, ledger, title=title) as view:
                follower = _Follower(system, reader, ledger, view)
                await follower.stream(options, stop)
                await follower.settle()
    except Exception:
        await system.check()  # a part that has died explains what its death led to
        raise
    return ledger


class _Follower:
    """Reads what happens on the topics into the ledger and the view."""

    def __init__(self, system: LocalSystem, reader: KafkaReader, ledger: Ledger, view: View) -> None:
        self._system = system
        self._reader = reader
        self._ledger = ledger
        self._view = view
        self._handlers = {
            topics.SAMPLES: self._samples,
            topics.WINDOWS: self._window,
            topics.ANOMALIES: self._anomaly,
            topics.ALERTS: self._alert,
        }

    async def stream(self, options: DemoOptions, stop: asyncio.Event) -> None:
        """Replay and follow until the recordings end, the time is up or ``stop`` is set."""
        service = Service(asyncio.Event(), CollectorRegistry())
        replaying = asyncio.create_task(
            replay(
                service,
                self._system.kafka,
                options.replay,
                options.faults,
                records=options.records,
                noise=options.noise,
                progress=lambda _: None,
            )
        )
        until_s = float("inf") if options.duration_s is None else time.monotonic() + options.duration_s
        try:
            while not (replaying.done() or stop.is_set() or time.monotonic() >= until_s):
                await self._take()
        except BaseException:
            replaying.cancel()  # its last messages have nowhere to go
            raise
        service.stop.set()
        await replaying

    async def settle(self) -> None:
        """Follow until every verdict that is due has come, or will never come."""
        ends = (await topic_states(self._system.kafka, [topics.SAMPLES]))[topics.SAMPLES].ends
        came_s = quiet_s = time.monotonic()
        while True:
            messages = await self._take()
            now_s = time.monotonic()
            if messages:
                came_s = now_s
            positions = await self._reader.positions()
            all_read = all(positions[topics.SAMPLES, partition] >= end for partition, end in ends.items())
            if not (all_read and self._ledger.missing == 0):
                quiet_s = now_s
            if now_s - quiet_s >= ALERTS_DUE_S or now_s - came_s >= VERDICTS_DUE_S:
                return

    async def _take(self) -> int:
        await self._system.check()
        messages = await self._reader.batch(timeout_ms=POLL_MS)
        for message in messages:
            self._handlers[message.topic](message)
        self._view.refresh()
        return len(messages)

    def _samples(self, message: Received) -> None:
        with contextlib.suppress(BadChunkError):  # the detector tells of it on the dead letters
            chunk = decode(message.value, key=message.key)
            self._ledger.sent(chunk, message.offset)
            self._view.chunk(chunk)

    def _window(self, message: Received) -> None:
        verdict = Verdict.model_validate_json(message.value or b"")
        ingest = dict(message.headers).get(INGEST_HEADER)
        self._ledger.judged(verdict, None if ingest is None else time.time_ns() / 1e6 - int(ingest))
        self._view.verdict(verdict)

    def _anomaly(self, message: Received) -> None:
        self._ledger.reported(Verdict.model_validate_json(message.value or b""))

    def _alert(self, message: Received) -> None:
        alert = Alert.model_validate_json(message.value or b"")
        self._ledger.alerted(alert)
        self._view.alert(alert)
