"""The demo: a real Kafka, the real services, a real recording, and a subscriber that counts and shows."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from prometheus_client import CollectorRegistry
from rich.console import Console

from bus import topics
from bus.broker import LocalBroker
from bus.clients import KafkaReader, create_topics
from bus.interfaces import Received
from bus.messages import Alert, Verdict
from bus.samples import BadChunkError, decode
from bus.settings import KafkaSettings
from bus.topic_admin import topic_states
from detector.transform import INGEST_HEADER
from ecg.records import Record
from ecgstream.children import Command, free_port
from ecgstream.demo_view import NOTICE, View
from ecgstream.ledger import Ledger
from ecgstream.recordings import load_records
from ecgstream.replaying import replay
from ecgstream.services import Service
from producer.settings import FaultSettings, ReplaySettings

POLL_MS = 100
VERDICTS_DUE_S = 20.0  # a verdict that has not come so long after the one before it will never come
ALERTS_DUE_S = 1.0  # after the last verdict; alerting answers within a tenth of it
FOLLOWED = (topics.SAMPLES, topics.WINDOWS, topics.ANOMALIES, topics.ALERTS)


@dataclass(frozen=True, slots=True, kw_only=True)
class DemoOptions:
    """What the demo replays and how.

    Attributes
    ----------
    records : record names
    data : the folder of WFDB records
    replay, faults : pace, patients, and what goes wrong on purpose
    noise : the noise record that ``faults`` names
    duration_s : seconds of wall time, from the first sample on, after which it ends; None for the recordings' end
    data_of_broker : where the broker keeps its topics; None throws them away
    partitions : of every topic
    """

    records: Sequence[str]
    data: Path
    replay: ReplaySettings
    faults: FaultSettings
    noise: Record | None = None
    duration_s: float | None = None
    data_of_broker: Path | None = None
    partitions: int = 4


async def demo(options: DemoOptions, stop: asyncio.Event, console: Console) -> dict[str, Any]:
    """Run the demo until the recordings end, its time is up, or ``stop`` is set.

    Parameters
    ----------
    options : what is replayed and how
    stop : set it to end in order
    console : where to show what happens

    Returns
    -------
    dict : the summary, as the JSON of ``ecgstream demo``

    Raises
    ------
    EcgStreamError : when the broker or a service does not start, or ends by itself
    """
    ledger = Ledger()
    title = f"{', '.join(options.records[:6])} at {options.replay.speed} times real pace"
    starting = asyncio.current_task()

    async def give_up() -> None:
        await stop.wait()
        if starting is not None:
            starting.cancel()

    with View(console, ledger, title=title) as view:
        view.say(f"ecgstream, {NOTICE}: replaying {title}. Starting Kafka, detector and alerting ...")
        giving_up = asyncio.create_task(give_up())  # until the first sample goes out there is nothing to end in order
        try:
            async with _system(options) as system:
                records = await asyncio.to_thread(load_records, options.records, options.data)
                view.say(f"Kafka at {system.kafka.bootstrap_servers}: follow along with `ecgstream subscribe windows`")
                async with system.reader as reader:
                    await system.ready()
                    giving_up.cancel()
                    view.begin()
                    follower = _Follower(system, reader, ledger, view)
                    await follower.stream(options, records, stop)
                    await follower.settle()
        except asyncio.CancelledError:
            if not stop.is_set():
                raise
        finally:
            giving_up.cancel()
    return ledger.summary()


@dataclass(frozen=True, slots=True)
class _System:
    """All that runs beside this process."""

    kafka: KafkaSettings
    services: tuple[Command, ...]

    @property
    def reader(self) -> KafkaReader:
        """A subscriber to all topics, from now on."""
        return KafkaReader(self.kafka, [self.kafka.topic(name) for name in FOLLOWED], start="end")

    async def ready(self) -> None:
        """Wait until every service is at work."""
        await asyncio.gather(*(service.ready() for service in self.services))

    async def check(self) -> None:
        """Raise when a service has failed."""
        for service in self.services:
            await service.check()


@asynccontextmanager
async def _system(options: DemoOptions) -> AsyncIterator[_System]:
    """Broker and services, started side by side; everything is ended behind it."""
    port = free_port()
    kafka = local_settings(port, partitions=options.partitions)
    async with AsyncExitStack() as stack:
        logs = Path(stack.enter_context(TemporaryDirectory(prefix="ecgstream-demo-")))
        services = tuple(Command(name, name, kafka=kafka, logs=logs) for name in ("detect", "alert"))
        stack.push_async_callback(_stop_all, services)
        # The services load their libraries while Kafka starts; they wait for it by themselves.
        await asyncio.gather(*(service.start() for service in services))
        await stack.enter_async_context(LocalBroker(port=port, data_dir=options.data_of_broker))
        # Again, behind the broker: so the services commit and leave while it still answers.
        stack.push_async_callback(_stop_all, services)
        await create_topics(kafka)
        yield _System(kafka, services)


def local_settings(port: int, *, partitions: int) -> KafkaSettings:
    """Settings for a broker of this machine without TLS or passwords, whatever the environment says of others."""
    return KafkaSettings(
        bootstrap_servers=f"127.0.0.1:{port}",
        partitions=partitions,
        replication=1,
        topic_prefix="",
        security_protocol="PLAINTEXT",
    )


async def _stop_all(commands: Sequence[Command]) -> None:
    await asyncio.gather(*(command.stop() for command in commands))


class _Follower:
    """Reads what happens on the topics into the ledger and the view."""

    def __init__(self, system: _System, reader: KafkaReader, ledger: Ledger, view: View) -> None:
        self._system = system
        self._reader = reader
        self._ledger = ledger
        self._view = view
        names = {system.kafka.topic(name): name for name in FOLLOWED}
        self._handlers = {
            full: {
                topics.SAMPLES: self._samples,
                topics.WINDOWS: self._window,
                topics.ANOMALIES: self._anomaly,
                topics.ALERTS: self._alert,
            }[name]
            for full, name in names.items()
        }

    async def stream(self, options: DemoOptions, records: Sequence[Record], stop: asyncio.Event) -> None:
        """Replay and follow until the recordings end, the time is up or ``stop`` is set."""
        service = Service(asyncio.Event(), CollectorRegistry())
        replaying = asyncio.create_task(
            replay(
                service,
                self._system.kafka,
                options.replay,
                options.faults,
                records=records,
                noise=options.noise,
                progress=lambda _: None,
            )
        )
        until_s = float("inf") if options.duration_s is None else time.monotonic() + options.duration_s
        try:
            while not (replaying.done() or stop.is_set() or time.monotonic() >= until_s):
                await self._take()
        finally:
            service.stop.set()
            await replaying

    async def settle(self) -> None:
        """Follow until every verdict that is due has come, or will never come."""
        ends = (await topic_states(self._system.kafka, [topics.SAMPLES]))[topics.SAMPLES].ends
        full = self._system.kafka.topic(topics.SAMPLES)
        came_s = quiet_s = time.monotonic()
        while True:
            messages = await self._take()
            now_s = time.monotonic()
            if messages:
                came_s = now_s
            positions = await self._reader.positions()
            all_read = all(positions[full, partition] >= end for partition, end in ends.items())
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
