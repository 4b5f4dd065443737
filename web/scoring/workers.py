"""The scoring processes, and the queue before them: the event loop never waits for a file."""

import asyncio
import contextlib
import signal
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from http import HTTPStatus
from multiprocessing import get_context
from multiprocessing.connection import Connection
from multiprocessing.context import SpawnProcess
from typing import TypeVar, cast

import structlog

from ops.clock import Clock
from ops.problems import ProblemError
from web.metrics import WebMetrics
from web.scoring.jobs import Job, Warm
from web.scoring.process import Done, NotDone, Setup, serve
from web.scoring.store import no_room

START_S = 120.0  # to load the models, on a machine that has other things to do
TIMEOUT_S = 120.0  # of a job: a day's recording takes half of it
MOST_WAITING = 8  # jobs; whoever comes then had better come back than wait for minutes
RETRY_S = 10
_REAP_S = 5.0  # for a process that has hung up to be gone
AnswerT = TypeVar("AnswerT")

log = structlog.get_logger(__name__)


def busy(detail: str, most: int) -> ProblemError:
    """Return the problem that asks the caller to come back later."""
    return ProblemError(
        HTTPStatus.SERVICE_UNAVAILABLE,
        f"{detail} already, at most {most} may: try again in {RETRY_S} s",
        headers={"Retry-After": str(RETRY_S)},
    )


class _LostError(Exception):
    """The process ended, or did not answer in time."""


class Workers:
    """Processes that do jobs, started when they are first needed, replaced when they fail.

    Parameters
    ----------
    setup : what they start with
    timeout_s : the longest that a job may take, s
    most_waiting : jobs that may wait for a process
    """

    def __init__(
        self,
        setup: Setup,
        *,
        count: int,
        metrics: WebMetrics,
        clock: Clock,
        timeout_s: float = TIMEOUT_S,
        most_waiting: int = MOST_WAITING,
    ) -> None:
        self._metrics = metrics
        self._clock = clock
        self._timeout_s = timeout_s
        self._most_waiting = most_waiting
        self._waiting = 0
        self._workers = [_Worker(setup, metrics.scoring_processes_lost.inc) for _ in range(count)]
        self._free: asyncio.Queue[_Worker] = asyncio.Queue()
        for worker in self._workers:
            self._free.put_nowait(worker)
        self._threads = ThreadPoolExecutor(count, "scoring")  # each waits for one process
        self._running: set[asyncio.Task[object]] = set()

    def check_room(self) -> None:
        """Refuse a job before it is sent, rather than behind its last byte.

        Raises
        ------
        ProblemError : when as many wait as may
        """
        if self._waiting >= self._most_waiting:
            raise busy(f"{self._waiting} requests wait to be scored", self._most_waiting)

    async def do(self, job: Job[AnswerT]) -> AnswerT:
        """Have a job done.

        Raises
        ------
        ProblemError : when too many wait, it cannot be done, takes too long, or breaks the process
        """
        self.check_room()
        self._waiting += 1
        self._metrics.scoring_waiting.set(self._waiting)
        try:
            worker = await self._free.get()
        finally:
            self._waiting -= 1
            self._metrics.scoring_waiting.set(self._waiting)
        # Whoever asked may leave: the process must be waited for all the same before it gets another job.
        task = asyncio.create_task(self._given_to(worker, job))
        self._running.add(task)
        task.add_done_callback(self._running.discard)
        return cast("AnswerT", _answered(await asyncio.shield(task)))

    async def warm(self) -> None:
        """Start one process before somebody waits for it."""
        with contextlib.suppress(ProblemError):
            await self.do(Warm())

    def close(self) -> None:
        """End all processes."""
        for worker in self._workers:
            worker.end()
        self._threads.shutdown(wait=False, cancel_futures=True)

    async def _given_to(self, worker: "_Worker", job: Job[object]) -> object:
        started_s = self._clock.monotonic_s()
        kind = type(job).__name__
        try:
            return await asyncio.get_running_loop().run_in_executor(self._threads, worker.ask, job, self._timeout_s)
        except _LostError as error:
            log.warning("scoring_process_lost", job=kind, reason=str(error))
            return NotDone(reason=f"{error}: send less at a time", mendable=True)
        finally:
            self._metrics.scoring_seconds.labels(kind).observe(self._clock.monotonic_s() - started_s)
            self._free.put_nowait(worker)


class _Worker:
    """One process. Its methods block: call them from a thread."""

    def __init__(self, setup: Setup, lost: Callable[[], None]) -> None:
        self._setup = setup
        self._lost = lost
        self._process: SpawnProcess | None = None
        self._connection: Connection | None = None
        self._ended = False

    def ask(self, job: Job[object], timeout_s: float) -> object:
        """Do a job there; ``Done`` or ``NotDone``.

        Raises
        ------
        _LostError : when the process ends, or does not answer in time; it is then replaced
        """
        try:
            if self._process is None or not self._process.is_alive():
                started = self._start()
                if isinstance(started, NotDone):
                    self.end_process()
                    return started
            assert self._connection is not None  # noqa: S101 - it was started
            self._connection.send(job)
            heard = self._heard(timeout_s)
        except (EOFError, OSError) as error:
            killed = self._killed()
            self.end_process()
            self._lost()
            raise _LostError(
                "the system ended the process that scored it, which as a rule is for lack of memory"
                if killed
                else "the process that scored it ended"
            ) from error
        except _LostError:
            self.end_process()
            self._lost()
            raise
        if isinstance(heard, Done | NotDone) and heard.spent:
            self.end_process()
        return heard

    def _start(self) -> object:
        if self._ended:
            raise _LostError("the service ends")
        # Spawned, not forked: onnxruntime's threads do not survive a fork.
        context = get_context("spawn")
        ours, theirs = context.Pipe()
        process = context.Process(target=serve, args=(theirs, self._setup), name="ecgstream-score", daemon=True)
        process.start()
        theirs.close()
        self._connection, self._process = ours, process
        return self._heard(START_S)

    def _heard(self, timeout_s: float) -> object:
        assert self._connection is not None  # noqa: S101 - it was started
        if not self._connection.poll(timeout_s):
            raise _LostError(f"it took longer than {timeout_s:g} s")
        return self._connection.recv()

    def _killed(self) -> bool:
        """Return whether somebody else has killed it."""
        if self._process is None:
            return False
        self._process.join(_REAP_S)
        return self._process.exitcode == -signal.SIGKILL

    def end(self) -> None:
        """End it for good."""
        self._ended = True
        self.end_process()

    def end_process(self) -> None:
        """End it; the next job gets another."""
        process, connection = self._process, self._connection
        self._process = self._connection = None
        if process is not None:
            process.kill()
            process.join()
        if connection is not None:
            connection.close()


def _answered(outcome: object) -> object:
    """A job's answer.

    Raises
    ------
    ProblemError : when there is none
    """
    if isinstance(outcome, Done):
        return outcome.answer
    assert isinstance(outcome, NotDone)  # noqa: S101 - a process answers nothing else
    if outcome.full:
        raise no_room()
    if outcome.gone:
        raise ProblemError(HTTPStatus.NOT_FOUND, "the recording was deleted meanwhile")
    if outcome.mendable:
        raise ProblemError(HTTPStatus.UNPROCESSABLE_ENTITY, outcome.reason)
    log.error("scoring_failed", reason=outcome.reason)
    raise ProblemError(
        HTTPStatus.INTERNAL_SERVER_ERROR, "the service failed on this request; its log says why: tell the operator"
    )
