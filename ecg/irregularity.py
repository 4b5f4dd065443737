"""Evidence of atrial fibrillation: RR intervals that foretell nothing, and no P waves. Pure."""

import math
from collections.abc import Sequence
from itertools import pairwise
from operator import mul
from statistics import fmean, median

from ecg.p_waves import PWaves
from ecg.rhythm_state import Beat

MIN_INTERVALS = 12  # the source of the idea of so few: Lake and Moorman 2011, doi:10.1152/ajpheart.00561.2010
# An episode counts from 30 s on (ESC 2020, doi:10.1093/eurheartj/ehaa612): so long is weighed.
SPAN_NS = 30_000_000_000
MOST_INTERVALS = 40  # of that, the newest ones: enough at any rate
MIN_PAIRS = 6  # intervals that are compared: fewer are chance
DIFFERENT = 0.1  # of the mean interval: what two intervals must differ by to count as different
LAGS = (1, 2)  # to the next interval and to the one behind it, which is alike in bigeminy
SHORT_PLACE = 0.1  # quantile of the intervals that stands for the short ones: premature beats reach far below the rest
MAX_REST = 0.1  # of the QRS: beyond it there is noise, and more of it says no more
# Weights of the five measures, in the order of ``measures_of``, and what is added. Fitted on strips of challenge2017,
# DS1, nsrdb, svdb and vfdb together, a record's fibrillation and the rest of it weighing as twelve strips each.
WEIGHTS = (5.95, -4.97, -5.45, -29.89, 1.2)
BIAS = -0.8
# Where nothing is known of P waves: halfway between what fibrillation and other rhythms show, so that it says nothing.
UNKNOWN = PWaves(alike=0.3, rest=0.025)


def weighed_beats(beats: Sequence[Beat]) -> Sequence[Beat]:
    """Return the newest beats, whose intervals are weighed."""
    newest = beats[-MOST_INTERVALS - 1 :]
    return [beat for beat in newest if beat[0] >= newest[-1][0] - SPAN_NS]


def atrial_intervals_s(beats: Sequence[Beat]) -> list[float | None]:
    """Return the RR intervals between beats, s; None beside a ventricular beat or across a hole.

    Those tell nothing of the atria.
    """
    return [None if a in "V-" or b in "V-" else (after - before) / 1e9 for (before, a), (after, b) in pairwise(beats)]


def fibrillation_odds(rr_s: Sequence[float | None], p_waves: PWaves | None) -> float | None:
    """Return the log odds that ten to thirty seconds of rhythm are atrial fibrillation.

    Parameters
    ----------
    rr_s : RR intervals, s, in order; None for one beside a ventricular beat or across a hole, which says
        nothing of the atria
    p_waves : the evidence of P waves in that time, None where there is none

    Returns
    -------
    None with fewer than ``MIN_INTERVALS``

    A logistic model of ``measures_of``. Source of its evidence: for the intervals, with two beats of bigeminy taken for
    one, Petrenas et al., Comput Biol Med 65 (2015) 184, doi:10.1016/j.compbiomed.2015.01.019; for P waves beside them,
    Purerfellner et al., Heart Rhythm 11 (2014) 1575, doi:10.1016/j.hrthm.2014.06.006. Ours compares what precedes the
    QRS complexes with each other, where they look for a wave of a given shape.
    """
    measures = measures_of(rr_s, p_waves)
    return None if measures is None else BIAS + sum(map(mul, WEIGHTS, measures))


def measures_of(
    rr_s: Sequence[float | None], p_waves: PWaves | None
) -> tuple[float, float, float, float, float] | None:
    """Return what ``fibrillation_odds`` weighs, in the order of ``WEIGHTS``."""
    known = sorted(interval for interval in rr_s if interval is not None)
    if len(known) < MIN_INTERVALS:
        return None
    mean_s = fmean(known)
    shares = [_different(rr_s, lag, DIFFERENT * mean_s) for lag in LAGS]
    evidence = p_waves or UNKNOWN
    return (
        min(shares),
        1 - known[round(SHORT_PLACE * (len(known) - 1))] / median(known),
        evidence.alike,
        min(evidence.rest, MAX_REST),
        -math.log(mean_s),
    )


def _different(rr_s: Sequence[float | None], lag: int, by_s: float) -> float:
    """The share of intervals that differ from the one ``lag`` later; 0 where too few can be compared."""
    pairs = [
        abs(one - other) > by_s
        for one, other in zip(rr_s, rr_s[lag:], strict=False)
        if one is not None and other is not None
    ]
    return sum(pairs) / len(pairs) if len(pairs) >= MIN_PAIRS else 0.0
