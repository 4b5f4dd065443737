"""Figures of a binary score, with numpy alone: the evaluation runs where nothing for training is installed."""

import numpy as np
import numpy.typing as npt
from scipy.stats import rankdata

Labels = npt.NDArray[np.bool_]
Scores = npt.NDArray[np.float64]


def ratio(part: float, whole: float, *, digits: int = 6) -> float | None:
    """A fraction, or None where there is nothing to divide by."""
    return round(part / whole, digits) if whole else None


def auroc(labels: Labels, scores: Scores) -> float | None:
    """Area under the receiver operating characteristic; ties count half. None where only one class is there.

    Parameters
    ----------
    labels : (n,) bool
    scores : (n,), higher for True
    """
    positives = int(labels.sum())
    negatives = len(labels) - positives
    if positives == 0 or negatives == 0:
        return None
    ranks = rankdata(scores)
    wins = float(ranks[labels].sum()) - positives * (positives + 1) / 2
    return wins / (positives * negatives)


def average_precision(labels: Labels, scores: Scores) -> float | None:
    """Area under the precision-recall curve as the sum of steps, not of trapezoids. None without positives."""
    if not labels.any():
        return None
    precision, recall, _ = precision_recall_curve(labels, scores)
    return float(np.sum(np.diff(recall, prepend=0.0) * precision))


def best_f1_threshold(labels: Labels, scores: Scores) -> float | None:
    """The score from which on calling True gives the highest F1. None without positives."""
    if not labels.any():
        return None
    precision, recall, thresholds = precision_recall_curve(labels, scores)
    f1 = 2 * precision * recall / np.maximum(precision + recall, np.finfo(float).tiny)
    return float(thresholds[f1.argmax()])


def confusion(labels: Labels, called: Labels) -> tuple[int, int, int, int]:
    """True negatives, false positives, false negatives, true positives."""
    return (
        int((~labels & ~called).sum()),
        int((~labels & called).sum()),
        int((labels & ~called).sum()),
        int((labels & called).sum()),
    )


def roc_curve(labels: Labels, scores: Scores) -> tuple[Scores, Scores]:
    """False and true positive rate at each distinct threshold, from (0, 0) to (1, 1); needs both classes."""
    hits, called, _ = _steps(labels, scores)
    negatives = len(labels) - hits[-1]
    return np.append(0.0, (called - hits) / negatives), np.append(0.0, hits / hits[-1])


def precision_recall_curve(labels: Labels, scores: Scores) -> tuple[Scores, Scores, Scores]:
    """Precision, recall and threshold at each distinct threshold, the highest first; needs a positive."""
    hits, called, thresholds = _steps(labels, scores)
    return hits / called, hits / hits[-1], thresholds


def _steps(labels: Labels, scores: Scores) -> tuple[Scores, Scores, Scores]:
    """At each distinct threshold, the highest first: true positives, windows called, and the threshold."""
    order = np.argsort(-scores, kind="stable")
    sorted_scores = scores[order]
    last_of_tie = np.append(np.flatnonzero(np.diff(sorted_scores)), len(scores) - 1)
    hits = np.cumsum(labels[order])[last_of_tie].astype(np.float64)
    return hits, (last_of_tie + 1).astype(np.float64), sorted_scores[last_of_tie]
