"""Scoring in a process beside: of a long recording, one core scores what comes next while another judges."""

import multiprocessing
import signal
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection
from types import TracebackType
from typing import Self

from detector.due import Due, StreamId
from detector.results import results_of
from detector.score import Result
from detector.scorer import Scorer
from ecg.errors import EcgStreamError
from ecg.second_filter import FilteredSignal

_ENDED = "the process that scores was ended, perhaps for want of memory: free some, and score the file again"


@dataclass(slots=True)
class _Batch:
    """A batch that was handed over, with its results once they have come."""

    found: list[Result] | Exception | None = None


class ScoringProcess:
    """A process that scores the batches of one recording, in their order. A context manager.

    The standard library's pool of processes is no help: in Python 3.11.2, as Debian has it, it waits for ever when its
    process is ended while a batch is on its way there.

    Parameters
    ----------
    scorer : what it is to score like
    """

    def __init__(self, scorer: Scorer) -> None:
        # Spawned: the threads of the libraries that this process has loaded do not survive a fork.
        context = multiprocessing.get_context("spawn")
        self._connection, there = context.Pipe()
        self._process = context.Process(target=_serve, args=(there, scorer.again), daemon=True)
        self._process.start()
        there.close()  # so that the end of the process ends the connection
        self._pending: _Batch | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._connection.close()
        self._process.terminate()
        self._process.join()

    def score(self, batch: Sequence[Due]) -> Callable[[], list[Result]]:
        """Begin to score a batch; return what waits for its results.

        Raises
        ------
        EcgStreamError : when the process was ended, now or at the wait
        """
        # Its results first: were both sides to write, neither would read.
        self._receive()
        try:
            self._connection.send(batch)
        except OSError as error:
            raise EcgStreamError(_ENDED) from error
        begun = self._pending = _Batch()

        def results() -> list[Result]:
            if begun is self._pending:
                self._receive()
            if isinstance(begun.found, Exception):
                raise begun.found
            return begun.found or []

        return results

    def _receive(self) -> None:
        """Wait for the results of the batch that is on its way."""
        if self._pending is None:
            return
        pending, self._pending = self._pending, None
        try:
            pending.found = self._connection.recv()
        except (EOFError, OSError) as error:
            pending.found = EcgStreamError(_ENDED)
            raise pending.found from error


def _serve(connection: Connection, make_scorer: Callable[[], Scorer]) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the process that waits
    scorer = make_scorer()
    signals: Mapping[StreamId, FilteredSignal] = {}
    while True:
        try:
            batch = connection.recv()
        except EOFError:
            return
        try:
            found = results_of(batch, scorer, signals)
        except Exception as error:  # noqa: BLE001 # raised where it is waited for
            connection.send(error)
        else:
            signals = found.signals
            connection.send(found.results)
