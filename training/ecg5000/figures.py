"""Figures on the test beats of ECG5000, over seeds, with intervals by drawing test beats anew. Needs no torch."""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass

import numpy as np
import numpy.typing as npt

from detector.single_beats import NORMAL
from training.ecg5000.data import CLASSES
from training.metrics import Labels, Scores, auroc
from training.reliability import reliability

DRAWS = 500
_DIGITS = 4
Counts = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """Scores of the test beats by one seed's model.

    Attributes
    ----------
    classes : (n,) int64, or None where a model knows no classes
    probability : (n,), of an abnormal beat
    abnormal : (n,) bool, the decision
    """

    classes: npt.NDArray[np.int64] | None
    probability: npt.NDArray[np.float64]
    abnormal: npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True, kw_only=True)
class BeatFigure:
    """A figure over seeds.

    Attributes
    ----------
    mean, sd : over the seeds; sd is None for a single one
    low, high : the middle 95 % of the mean over seeds when the test beats are drawn anew with replacement; they are
        beats of one patient, so that this says nothing about other patients
    """

    mean: float
    sd: float | None
    low: float
    high: float


_DECISION: dict[str, Callable[[Counts], float]] = {
    # counts: normal called normal, normal called abnormal, abnormal called normal, abnormal called abnormal
    "accuracy": lambda c: _share(c[0] + c[3], c.sum()),
    # As TensorFlow's tutorial counts: normal is the positive class.
    "precision_normal": lambda c: _share(c[0], c[0] + c[2]),
    "recall_normal": lambda c: _share(c[0], c[0] + c[1]),
    # As the rest of this program counts: abnormal is the positive class.
    "precision_abnormal": lambda c: _share(c[3], c[3] + c[1]),
    "recall_abnormal": lambda c: _share(c[3], c[3] + c[2]),
}
_CLASSES: dict[str, Callable[[Counts], float]] = {
    "class_accuracy": lambda c: _share(float(np.trace(c.reshape(len(CLASSES), -1))), c.sum()),
    "macro_f1": lambda c: _macro_f1(c.reshape(len(CLASSES), -1)),
}


def figures_of(classes: npt.NDArray[np.int64], seeds: Sequence[Judged], *, draws: int = DRAWS) -> dict[str, BeatFigure]:
    """All figures of one model.

    Parameters
    ----------
    classes : (n,) int64, the published classes of the test beats
    seeds : the model as each seed made it
    draws : of the test beats
    """
    labels = classes != NORMAL
    decisions = [2 * labels + judged.abnormal for judged in seeds]
    figures = {name: _figure(decisions, 4, measure, draws) for name, measure in _DECISION.items()}
    if all(judged.classes is not None for judged in seeds):
        called = [len(CLASSES) * classes + judged.classes for judged in seeds if judged.classes is not None]
        figures |= {name: _figure(called, len(CLASSES) ** 2, measure, draws) for name, measure in _CLASSES.items()}
    areas = [_area(labels, judged.probability) for judged in seeds]
    errors = [_calibration_error(labels, judged.probability) for judged in seeds]
    random = np.random.default_rng(0)
    drawn = [random.integers(len(labels), size=len(labels)) for _ in range(draws)]
    for name, values, measure in (("auroc", areas, _area), ("ece", errors, _calibration_error)):
        means = [float(np.mean([measure(labels[i], judged.probability[i]) for judged in seeds])) for i in drawn]
        figures[name] = _summary(values, means)
    return figures


def as_json(figures: dict[str, BeatFigure]) -> dict[str, dict[str, float | None]]:
    """Figures as they stand in a JSON object."""
    return {name: asdict(figure) for name, figure in figures.items()}


def _area(labels: Labels, probability: Scores) -> float:
    return auroc(labels, probability) or 0.0


def _calibration_error(labels: Labels, probability: Scores) -> float:
    return reliability(labels, probability).expected_calibration_error or 0.0


def _figure(cells: list[Counts], size: int, measure: Callable[[Counts], float], draws: int) -> BeatFigure:
    """A figure of counts: drawing beats anew is drawing the counts' cells."""
    random = np.random.default_rng(0)
    # One draw of beats for all seeds: cells of the seeds side by side.
    joint, counts = np.unique(np.stack(cells), axis=1, return_counts=True)
    drawn = random.multinomial(counts.sum(), counts / counts.sum(), size=draws)
    own = [measure(np.bincount(cell, minlength=size)) for cell in cells]
    means = [
        float(np.mean([measure(np.bincount(row, weights=draw, minlength=size)) for row in joint])) for draw in drawn
    ]
    return _summary(own, means)


def _summary(values: Sequence[float], drawn: Sequence[float]) -> BeatFigure:
    low, high = np.quantile(drawn, (0.025, 0.975)) if drawn else (np.nan, np.nan)
    return BeatFigure(
        mean=round(float(np.mean(values)), _DIGITS),
        sd=round(float(np.std(values, ddof=1)), _DIGITS) if len(values) > 1 else None,
        low=round(float(low), _DIGITS),
        high=round(float(high), _DIGITS),
    )


def _share(part: float, whole: float) -> float:
    return float(part / whole) if whole else 0.0


def _macro_f1(confusion: Counts) -> float:
    """Mean F1 over the classes that are there; rows are what a beat is, columns what it is called."""
    right, are, called = np.diag(confusion), confusion.sum(axis=1), confusion.sum(axis=0)
    there = are > 0
    return float(np.mean(2 * right[there] / (are + called)[there]))
