"""Results of due windows and rapid checks, before anything is known of their patients: models and measures, in batches.

Stream, files and benches come by their results here and nowhere else.
"""

import time
from collections.abc import Sequence
from typing import NamedTuple

from detector.due import Due, DueWindow, RapidCheck
from detector.rapid_check import measure_checks
from detector.score import Result
from detector.scorer import Scorer


class Results(NamedTuple):
    """Results of a batch.

    Attributes
    ----------
    results : of a window a ``Score``, of a rapid check what was ``Measured``, in the order of the batch
    windows, checks : number of each
    scoring_s : time that the models took, s
    """

    results: list[Result]
    windows: int
    checks: int
    scoring_s: float


def results_of(due: Sequence[Due], scorer: Scorer) -> Results:
    """Score all windows in one call, and measure all rapid checks."""
    windows = [each for each in due if isinstance(each, DueWindow)]
    checks = [each for each in due if isinstance(each, RapidCheck)]
    measured = iter(measure_checks(checks))
    began_s = time.perf_counter()
    scores = iter(scorer.score(windows))
    scoring_s = time.perf_counter() - began_s
    results = [next(scores) if isinstance(each, DueWindow) else next(measured) for each in due]
    return Results(results, len(windows), len(checks), scoring_s)
