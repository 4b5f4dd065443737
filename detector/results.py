"""Results of due windows and rapid checks, before anything is known of their patients: models and measures, in batches.

Stream, files and benches come by their results here and nowhere else.
"""

import time
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from detector.due import Due, DueWindow, RapidCheck, StreamId
from detector.filtering import filter_due
from detector.rapid_check import measure_checks
from detector.score import Result
from detector.scorer import Scorer
from ecg.second_filter import FilteredSignal


class Results(NamedTuple):
    """Results of a batch.

    Attributes
    ----------
    results : of a window a ``Score``, of a rapid check what was ``Measured``, in the order of the batch
    windows, checks : number of each
    scoring_s : time that filter, models and measures took, s
    signals : of each stream in the batch, its filtered signal after it
    filtered : of each in the order of the batch, the signal up to its end
    """

    results: list[Result]
    windows: int
    checks: int
    scoring_s: float
    signals: dict[StreamId, FilteredSignal]
    filtered: list[FilteredSignal]


def results_of(due: Sequence[Due], scorer: Scorer, before: Mapping[StreamId, FilteredSignal]) -> Results:
    """Filter what is new, score all windows in one call, and measure all rapid checks.

    Parameters
    ----------
    due : windows and rapid checks, those of one stream in their order
    scorer : the models
    before : each stream's filtered signal, as the batch before gave it
    """
    began_s = time.perf_counter()
    signals, after = filter_due(due, before, scorer.preprocessing)
    windows = [(each, signal) for each, signal in zip(due, signals, strict=True) if isinstance(each, DueWindow)]
    checks = [(each, signal) for each, signal in zip(due, signals, strict=True) if isinstance(each, RapidCheck)]
    scores = iter(scorer.score([window for window, _ in windows], [signal for _, signal in windows]))
    measured = iter(measure_checks([check for check, _ in checks], [signal for _, signal in checks]))
    results = [next(scores) if isinstance(each, DueWindow) else next(measured) for each in due]
    return Results(results, len(windows), len(checks), time.perf_counter() - began_s, after, signals)


def scored_by(scorer: Scorer, due: Sequence[Due], found: Results) -> list[Result]:
    """Score the windows of a batch by other models of the same preprocessing; what was filtered and measured stays.

    Parameters
    ----------
    scorer : the other models
    due : the batch
    found : its results by the first models
    """
    windows = [(each, signal) for each, signal in zip(due, found.filtered, strict=True) if isinstance(each, DueWindow)]
    scores = iter(scorer.score([window for window, _ in windows], [signal for _, signal in windows]))
    return [
        next(scores) if isinstance(each, DueWindow) else result for each, result in zip(due, found.results, strict=True)
    ]
