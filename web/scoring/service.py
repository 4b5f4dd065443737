"""Scoring of files: the processes that do it, and the store of the results."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Self

import structlog

from alerting.rules import AlarmRules
from detector.settings import DetectorSettings
from ops.clock import Clock
from ops.problems import ProblemError
from web.memory import MIB, all_bytes, deal_out
from web.metrics import WebMetrics
from web.scoring.process import Setup
from web.scoring.store import Store, state_folder
from web.scoring.workers import MOST_WAITING, Workers, busy
from web.settings import WebSettings

SWEEP_S = 3600.0

log = structlog.get_logger(__name__)


class ScoringService:
    """Store and processes; as a context manager it warms them up, sweeps every hour, and ends them.

    Parameters
    ----------
    settings : where recordings are kept, for how long, and how many are scored at once
    detector, rules : those of the stream
    """

    def __init__(
        self,
        settings: WebSettings,
        detector: DetectorSettings,
        rules: AlarmRules,
        *,
        metrics: WebMetrics,
        clock: Clock,
    ) -> None:
        self.clock = clock
        self.metrics = metrics
        self.store = Store(state_folder(settings), keep_days=settings.keep_days, keep_mb=settings.keep_mb, clock=clock)
        memory = deal_out(all_bytes(settings.memory_mb), wanted=settings.score_processes)
        log.info("scoring_memory", processes=memory.processes, mb_each=memory.bytes_each // MIB)
        self.workers = Workers(
            Setup(detector=detector, rules=rules, memory_bytes=memory.bytes_each),
            count=memory.processes,
            metrics=metrics,
            clock=clock,
        )
        self._most_inside = MOST_WAITING + memory.processes
        self._inside = 0
        self._chores: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        """Begin to work."""
        self._chores = asyncio.create_task(self._do_chores())
        return self

    async def __aexit__(self, *_: object) -> None:
        """End all."""
        if self._chores is not None:
            self._chores.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._chores
        await asyncio.to_thread(self.workers.close)

    @contextlib.asynccontextmanager
    async def request_folder(self) -> AsyncIterator[Path]:
        """A folder for what one request brings, for as long as it lasts.

        Raises
        ------
        ProblemError : when too many wait already, or there is no room on the disk
        """
        self.workers.check_room()
        if self._inside >= self._most_inside:  # each holds a piece of what it receives
            raise busy(f"{self._inside} requests with recordings are being received or scored", self._most_inside)
        self._inside += 1
        try:
            folder = await asyncio.to_thread(self.store.begin)
            try:
                yield folder
            finally:
                await asyncio.to_thread(self.store.end, folder)
        finally:
            self._inside -= 1

    async def _do_chores(self) -> None:
        with contextlib.suppress(ProblemError):  # it is told in the log, and to whoever sends a recording
            await asyncio.to_thread(self.store.open)
        await self.workers.warm()
        while True:
            await self.clock.sleep(SWEEP_S)
            try:
                await asyncio.to_thread(self.store.sweep)
            except OSError:
                log.exception("recordings_not_swept")
