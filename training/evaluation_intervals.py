"""Intervals of an evaluation's figures, over patients drawn anew. Needs no torch."""

from collections.abc import Callable, Mapping, Sequence
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from detector.manifest import Thresholds
from ecg.urgency import SOUNDING
from training.alarm_tally import AlarmTally
from training.beat_comparison import KINDS
from training.figures import (
    SCORES,
    AlarmIntervals,
    BeatIntervals,
    Interval,
    Intervals,
    RateIntervals,
    Score,
    ScoreIntervals,
    WindowIntervals,
)
from training.intervals import by_patient, patient_interval
from training.metrics import confusion, ratio
from training.tally import Tally, together

_DIGITS = 6
T = TypeVar("T")
Counts = npt.NDArray[np.int64]


def intervals_of(tallies: Mapping[str, Tally], thresholds: Thresholds) -> Intervals:
    """95 % intervals of the figures of several records; None where fewer than two patients leave nothing to draw.

    Parameters
    ----------
    tallies : per record name; the records of one person are drawn together
    thresholds : from the models' manifest
    """
    patients = [together(tallies[name] for name in names) for names in by_patient(tallies)]
    return Intervals(
        patients=len(patients),
        windows=WindowIntervals(
            **{
                score: ScoreIntervals(
                    auroc=_auroc_interval(patients, score),
                    f1=_ratio_interval(_window_counts(patients, score, getattr(thresholds, score)), _f1),
                )
                for score in SCORES
            }
        ),
        beats=BeatIntervals(
            **{
                kind: RateIntervals(
                    se=_ratio_interval([np.array(count(patient.beats)) for patient in patients], _se),
                    ppv=_ratio_interval([np.array(count(patient.beats)) for patient in patients], _ppv),
                    f1=_ratio_interval([np.array(count(patient.beats)) for patient in patients], _f1),
                )
                for kind, count in KINDS.items()
            }
        ),
        alarms=_alarm_intervals(patients),
    )


def _alarm_intervals(patients: Sequence[Tally]) -> AlarmIntervals | None:
    alarms = [(patient.alarms, patient.hours) for patient in patients if patient.alarms is not None]
    if len(alarms) < len(patients):
        return None

    def of(count: Callable[[AlarmTally], int]) -> Interval:
        """Of a count per hour."""
        return _interval(
            lambda drawn: ratio(sum(number for number, _ in drawn), sum(hours for _, hours in drawn)),
            [(count(each), hours) for each, hours in alarms],
        )

    return AlarmIntervals(
        **{priority: of(lambda each, name=priority: each.counts[name].false) for priority in SOUNDING},  # type: ignore[misc] # the name is bound here, and mypy cannot say of what type
        audible_per_hour=of(lambda each: each.audible),
    )


def _auroc_interval(patients: Sequence[Tally], score: Score) -> Interval:
    """Exact in every draw, and cheap: the area is a sum over pairs of patients, counted once."""
    labels = [patient.all_labels() for patient in patients]
    scores = [patient.all_scores(score) for patient in patients]
    positives = [values[label] for values, label in zip(scores, labels, strict=True)]
    negatives = [np.sort(values[~label]) for values, label in zip(scores, labels, strict=True)]
    # wins[i, j]: pairs of an abnormal window of i and a normal one of j that are in order; ties count half.
    wins = np.array(
        [
            [
                (np.searchsorted(normal, odd, "left") + np.searchsorted(normal, odd, "right")).sum() / 2
                for normal in negatives
            ]
            for odd in positives
        ]
    )
    odd_count = np.array([len(values) for values in positives])
    normal_count = np.array([len(values) for values in negatives])

    def area(drawn: Sequence[int]) -> float | None:
        pairs = int(odd_count[list(drawn)].sum()) * int(normal_count[list(drawn)].sum())
        return float(wins[np.ix_(drawn, drawn)].sum()) / pairs if pairs else None

    return _interval(area, range(len(patients)))


def _window_counts(patients: Sequence[Tally], score: Score, threshold: float) -> list[Counts]:
    """Per patient: true positives, false negatives, false positives."""
    found = []
    for patient in patients:
        _, false_positives, false_negatives, hits = confusion(
            patient.all_labels(), patient.all_scores(score) >= threshold
        )
        found.append(np.array([hits, false_negatives, false_positives]))
    return found


def _se(counts: Counts) -> float | None:
    return ratio(counts[0], counts[0] + counts[1])


def _ppv(counts: Counts) -> float | None:
    return ratio(counts[0], counts[0] + counts[2])


def _f1(counts: Counts) -> float | None:
    return ratio(2 * counts[0], 2 * counts[0] + counts[1] + counts[2])


def _ratio_interval(counts: Sequence[Counts], figure: Callable[[Counts], float | None]) -> Interval:
    """Of a figure of hits, misses and false alarms summed over patients."""
    return _interval(lambda drawn: figure(np.sum(drawn, axis=0)), counts)


def _interval(statistic: Callable[[Sequence[T]], float | None], patients: Sequence[T]) -> Interval:
    if len(patients) < 2 or statistic(patients) is None:
        return None
    low, high = patient_interval(statistic, patients)
    return round(low, _DIGITS), round(high, _DIGITS)
