"""Several processes of one service side by side: they share its partitions, and end together."""

import asyncio
import os
import signal
import socket
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import structlog

from bus.broker_process import ChildProcess
from ecg.errors import EcgStreamError
from ops.signals import stop_on_signals

SOON_S = 10.0  # a worker that ends by itself so soon after its start would do so again
AGAIN_S = 1.0  # until one that was killed is started again
END_S = 20.0  # one that has not ended so long after SIGTERM is killed

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Workers:
    """Plan of the processes.

    Attributes
    ----------
    count : how many
    arguments : the command line of each behind ``ecgstream``
    instance : unique, stable name of all of them together; None for the host's
    health_port : of the first; the others follow. 0 lets each take a free one
    """

    count: int
    arguments: Sequence[str]
    instance: str | None
    health_port: int

    def environment(self, number: int) -> dict[str, str]:
        """Variables of a worker, counted from 0."""
        return {
            **os.environ,
            "ECGSTREAM_INSTANCE": f"{self.instance or socket.gethostname()}-{number}",
            "ECGSTREAM_HEALTH_PORT": str(self.health_port + number if self.health_port else 0),
        }


async def run_workers(plan: Workers) -> None:
    """Run the processes until SIGTERM or SIGINT; one that is killed is started again.

    Raises
    ------
    EcgStreamError : when a worker ends soon after its start; its own log says why
    """
    with stop_on_signals() as stop:
        keepers = [asyncio.create_task(_keep(plan, number, stop)) for number in range(plan.count)]
        try:
            await asyncio.wait(keepers, return_when=asyncio.FIRST_EXCEPTION)
        finally:
            stop.set()
            await asyncio.wait(keepers)
    for keeper in keepers:
        keeper.result()


async def _keep(plan: Workers, number: int, stop: asyncio.Event) -> None:
    """Keep one worker running."""
    while not stop.is_set():
        worker = ChildProcess(
            [sys.executable, "-m", "ecgstream", *plan.arguments],
            output=None,
            directory=Path.cwd(),
            environment=plan.environment(number),
        )
        began_s = time.monotonic()
        await worker.start()
        log.info("worker_started", worker=number, pid=worker.pid)
        status = await _ended(worker, stop)
        if stop.is_set():
            return
        if status >= 0 and time.monotonic() - began_s < SOON_S:  # it was not killed: it has a reason
            raise EcgStreamError(f"worker {number} of {plan.count} ended with status {status} at once: see its log")
        log.warning("worker_ended", worker=number, status=status)
        await asyncio.sleep(AGAIN_S)


async def _ended(worker: ChildProcess, stop: asyncio.Event) -> int:
    """Wait for a worker's end; when a stop is asked for, ask the worker, too."""
    ended, asked = asyncio.ensure_future(worker.ended()), asyncio.ensure_future(stop.wait())
    await asyncio.wait({ended, asked}, return_when=asyncio.FIRST_COMPLETED)
    asked.cancel()
    if not ended.done():
        worker.signal(signal.SIGTERM)
        await asyncio.wait({ended}, timeout=END_S)
    if not ended.done():
        worker.signal(signal.SIGKILL)
    return await ended
