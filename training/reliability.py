"""Reliability of a score as the probability that it claims to be. Needs no torch."""

import numpy as np

from training.figures import Reliability, ReliabilityBin
from training.metrics import Labels, Scores, ratio

BINS = 10


def reliability(labels: Labels, scores: Scores) -> Reliability:
    """The reliability curve of a probability, and its expected calibration error.

    Parameters
    ----------
    labels : (n,) bool
    scores : (n,), probabilities of True, 0 to 1

    Source: Naeini, Cooper and Hauskrecht 2015, Obtaining well calibrated probabilities using Bayesian binning, AAAI:
    the mean over bins of equal width, weighted by their windows, of the distance between mean score and fraction.
    """
    number = np.minimum((scores * BINS).astype(np.int64), BINS - 1)
    counts = np.bincount(number, minlength=BINS)
    score_sums = np.bincount(number, weights=scores, minlength=BINS)
    abnormal = np.bincount(number, weights=labels.astype(np.float64), minlength=BINS)
    curve = tuple(
        ReliabilityBin(
            n=int(count), mean_score=ratio(float(total), int(count)), abnormal_fraction=ratio(float(true), int(count))
        )
        for count, total, true in zip(counts, score_sums, abnormal, strict=True)
    )
    return Reliability(
        expected_calibration_error=ratio(float(np.abs(score_sums - abnormal).sum()), len(labels)), curve=curve
    )
