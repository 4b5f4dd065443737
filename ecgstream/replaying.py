"""The replay as a service: recordings into ``ecg.samples``, with its progress shown."""

import sys
from collections.abc import Callable, Sequence
from typing import Self

import structlog
from rich.console import Console
from rich.status import Status

from bus.clients import KafkaPublisher
from bus.settings import KafkaSettings
from ecg.records import Record
from ecgstream.services import Service
from ops.clock import SystemClock
from producer.metrics import ReplayMetrics
from producer.service import Progress, Replay
from producer.settings import FaultSettings, ReplaySettings
from producer.streams import deal

LINE_EVERY_S = 10.0  # between two lines of progress in a log

log = structlog.get_logger(__name__)


class _Ready:
    """A replay is at work as soon as it has begun."""

    ready = True


class ProgressView:
    """Shows how far a replay has come: a line that changes on a terminal, now and then a log line elsewhere."""

    def __init__(self) -> None:
        console = Console(stderr=True)
        self._status = Status("starting", console=console) if sys.stderr.isatty() else None
        self._printed_s = 0.0

    def __enter__(self) -> Self:
        if self._status is not None:
            self._status.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._status is not None:
            self._status.stop()

    def show(self, progress: Progress) -> None:
        """Show it."""
        if self._status is not None:
            self._status.update(
                f"{progress.patients} patients, {progress.replayed_s:.0f} s of record in {progress.elapsed_s:.0f} s, "
                f"{progress.chunks} messages, {progress.behind_s * 1000:.0f} ms behind"
            )
        elif progress.elapsed_s - self._printed_s >= LINE_EVERY_S:
            self._printed_s = progress.elapsed_s
            self.log("replaying", progress)

    def log(self, event: str, progress: Progress) -> None:
        """Put it into the log."""
        log.info(
            event,
            patients=progress.patients,
            messages=progress.chunks,
            samples=progress.samples,
            replayed_s=round(progress.replayed_s, 3),
            elapsed_s=round(progress.elapsed_s, 3),
            behind_s=round(progress.behind_s, 3),
        )


async def replay(
    service: Service,
    kafka: KafkaSettings,
    settings: ReplaySettings,
    faults: FaultSettings,
    *,
    records: Sequence[Record],
    noise: Record | None,
    progress: Callable[[Progress], None],
) -> Progress:
    """Replay recordings until they end or the service is asked to stop; everything sent is then stored.

    Parameters
    ----------
    service : when to stop, and where metrics go
    kafka, settings, faults : where to, how, and what goes wrong on purpose
    records : what is replayed
    noise : the noise record that ``faults`` names
    progress : called about every second

    Raises
    ------
    EcgStreamError : when the brokers stay away or refuse
    """
    patients = deal(records, settings.patients, loop=settings.loop, duration_s=settings.duration_s)
    async with KafkaPublisher(kafka) as publisher:
        player = Replay(
            patients,
            settings,
            publisher=publisher,
            clock=SystemClock(),
            faults=faults,
            noise=noise,
            metrics=ReplayMetrics(service.registry),
        )
        service.started(_Ready())
        return await player.run(service.stop, progress)
