"""Irregularity of a rhythm: the measure that finds atrial fibrillation from RR intervals alone."""

import math
from collections.abc import Sequence
from functools import cache

import numpy as np
import numpy.typing as npt

TOLERANCE_S = 0.03  # two RR intervals within it are alike; the start value of the source
MIN_MATCHES = 5  # alike pairs that the estimate needs; the tolerance grows until it has them


def sample_entropy_coefficient(rr_s: Sequence[float]) -> float:
    """The coefficient of sample entropy (COSEn) of RR intervals: high when no interval foretells the next.

    Parameters
    ----------
    rr_s : RR intervals, s, in order; twelve or more

    Returns
    -------
    COSEn in nats. Sinus rhythm lies below -2, atrial fibrillation around -0.5

    Source: Lake and Moorman, Am J Physiol Heart Circ Physiol 300 (2011) H319, doi:10.1152/ajpheart.00561.2010, with
    templates of one interval. Ours takes the smallest tolerance that gives enough matches, where the source steps.
    """
    rr = np.asarray(rr_s, np.float64)
    first, second = _pairs(len(rr))
    one = np.abs(rr[first] - rr[second])
    two = np.maximum(one, np.abs(rr[first + 1] - rr[second + 1]))
    tolerance = max(TOLERANCE_S, float(np.partition(two, MIN_MATCHES - 1)[MIN_MATCHES - 1]))
    matches_one, matches_two = int((one <= tolerance).sum()), int((two <= tolerance).sum())
    return math.log(matches_one / matches_two) + math.log(2 * tolerance) - math.log(float(rr.mean()))


@cache
def _pairs(count: int) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """All pairs of intervals that both have a follower."""
    first, second = np.triu_indices(count - 1, 1)
    return np.asarray(first, np.int64), np.asarray(second, np.int64)
