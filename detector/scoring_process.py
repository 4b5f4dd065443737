"""Scoring in a process beside: of a long recording, one core scores what comes next while another judges."""

import multiprocessing
import signal
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from types import TracebackType
from typing import Self

from detector.due import Due, StreamId
from detector.results import results_of
from detector.score import Result
from detector.scorer import Scorer
from ecg.errors import EcgStreamError
from ecg.second_filter import FilteredSignal

_ENDED = "the process that scores was ended, perhaps for want of memory: free some, and score the file again"


class _Beside:
    """The state of the process: a scorer of its own, and each stream's filtered signal."""

    scorer: Scorer
    signals: Mapping[StreamId, FilteredSignal]


def _begin(make_scorer: Callable[[], Scorer]) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the process that waits
    _Beside.scorer, _Beside.signals = make_scorer(), {}


def _score(batch: Sequence[Due]) -> list[Result]:
    found = results_of(batch, _Beside.scorer, _Beside.signals)
    _Beside.signals = found.signals
    return found.results


class ScoringProcess:
    """A process that scores the batches of one recording, in their order. A context manager.

    Parameters
    ----------
    scorer : what it is to score like
    """

    def __init__(self, scorer: Scorer) -> None:
        # Spawned: the threads of the libraries that this process has loaded do not survive a fork.
        self._pool = ProcessPoolExecutor(
            1, mp_context=multiprocessing.get_context("spawn"), initializer=_begin, initargs=(scorer.again,)
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._pool.shutdown(cancel_futures=True)

    def score(self, batch: Sequence[Due]) -> Callable[[], list[Result]]:
        """Begin to score a batch; return what waits for its results.

        Raises
        ------
        EcgStreamError : when the process was ended, now or at the wait
        """

        def results() -> list[Result]:
            try:
                return begun.result()
            except BrokenProcessPool as error:
                raise EcgStreamError(_ENDED) from error

        try:
            begun = self._pool.submit(_score, batch)
        except BrokenProcessPool as error:
            raise EcgStreamError(_ENDED) from error
        return results
