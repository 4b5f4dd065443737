"""Beats against annotations, as ANSI/AAMI EC57 counts them."""

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from ecg.annotations import Annotations
from ecg.labels import beat_labels, flutter_intervals
from training.metrics import ratio

MATCH_S = 0.15  # EC57: the match window
_EDGE_S = MATCH_S + 1e-6  # its edge belongs to it, however the division rounds
MISSED, EXTRA = "missed", "extra"

Pair = tuple[str, str]  # (reference class or EXTRA, found class or MISSED)


@dataclass(frozen=True, slots=True)
class Rates:
    """Sensitivity, positive predictivity and their harmonic mean; None where undefined."""

    se: float | None
    ppv: float | None
    f1: float | None

    @classmethod
    def of(cls, *, hits: int, misses: int, false: int) -> "Rates":
        """From counts."""
        return cls(ratio(hits, hits + misses), ratio(hits, hits + false), ratio(2 * hits, 2 * hits + misses + false))


def match(reference_s: npt.NDArray[np.float64], found_s: npt.NDArray[np.float64]) -> list[tuple[int, int]]:
    """Pair beats one to one, each with the nearest within ``MATCH_S``.

    Parameters
    ----------
    reference_s, found_s : beat times in seconds, ascending

    Returns
    -------
    (index of reference, index of found) pairs, ascending
    """
    reference, found = reference_s, found_s

    def nearer(one: float, other: float, to: float) -> bool:
        return bool(abs(one - to) < abs(other - to))

    pairs = []
    i = j = 0
    while i < len(reference) and j < len(found):
        apart = found[j] - reference[i]
        more_reference, more_found = i + 1 < len(reference), j + 1 < len(found)
        # A neighbour that lies nearer takes the partner, unless it has a nearer one itself.
        found_yields = (
            more_found
            and nearer(found[j + 1], found[j], to=reference[i])
            and not (more_reference and nearer(reference[i + 1], reference[i], to=found[j + 1]))
        )
        reference_yields = (
            more_reference
            and nearer(reference[i + 1], reference[i], to=found[j])
            and not (more_found and nearer(found[j + 1], found[j], to=reference[i + 1]))
        )
        if apart < -_EDGE_S or (apart <= _EDGE_S and found_yields):
            j += 1
        elif apart > _EDGE_S or reference_yields:
            i += 1
        else:
            pairs.append((i, j))
            i += 1
            j += 1
    return pairs


def compare(
    annotations: Annotations,
    fs_hz: float,
    found_s: npt.NDArray[np.float64],
    found_class: Iterable[str],
    *,
    span_s: tuple[float, float],
) -> Counter[Pair]:
    """Count (reference class, found class) pairs over a record.

    Ventricular flutter and fibrillation are left out, as EC57 says. EC57 also leaves out the first five minutes as
    the device's time to learn; this detector learns nothing on the patient, so that all of the record counts.

    Parameters
    ----------
    annotations : the reference
    fs_hz : sampling rate in Hz
    found_s, found_class : the beats found: seconds since the record's start, ascending, and AAMI classes
    span_s : from when to when beats were looked for; reference beats outside count only where they match
    """
    reference = beat_labels(annotations)
    reference_s = reference.sample / fs_hz
    classes = list(found_class)
    pairs = match(reference_s, found_s)
    flutter = [
        (interval.start / fs_hz, np.inf if interval.end is None else interval.end / fs_hz)
        for interval in flutter_intervals(annotations)
    ]

    def in_flutter(time_s: float, margin_s: float) -> bool:
        return any(start - margin_s <= time_s <= end + margin_s for start, end in flutter)

    counts: Counter[Pair] = Counter()
    for i, j in pairs:
        if not in_flutter(reference_s[i], 0.0):
            counts[str(reference.aami[i]), classes[j]] += 1
    for i in set(range(len(reference_s))) - {i for i, _ in pairs}:
        if span_s[0] <= reference_s[i] < span_s[1] and not in_flutter(reference_s[i], 0.0):
            counts[str(reference.aami[i]), MISSED] += 1
    for j in set(range(len(found_s))) - {j for _, j in pairs}:
        if not in_flutter(found_s[j], MATCH_S):
            counts[EXTRA, classes[j]] += 1
    return counts


class Counted(NamedTuple):
    """Beats of one kind: found as such, not found as such, and found where there are none."""

    hits: int
    misses: int
    false: int


def qrs_counts(counts: Counter[Pair]) -> Counted:
    """Beats found, of whatever class."""
    misses = sum(count for (_, found), count in counts.items() if found == MISSED)
    false = sum(count for (reference, _), count in counts.items() if reference == EXTRA)
    return Counted(counts.total() - misses - false, misses, false)


def class_counts(counts: Counter[Pair], letter: str, *, neutral: str) -> Counted:
    """One class against the rest.

    Parameters
    ----------
    counts : from ``compare``
    letter : the class
    neutral : reference classes that are no false alarms when found as this class: EC57 has F and Q for ventricular
        beats, Q for supraventricular ones
    """
    misses = sum(count for (reference, found), count in counts.items() if reference == letter and found != letter)
    false = sum(
        count
        for (reference, found), count in counts.items()
        if found == letter and reference != letter and reference not in neutral
    )
    return Counted(counts[letter, letter], misses, false)


# The kinds of beat that EC57 asks for, by the names of the report.
KINDS: dict[str, Callable[[Counter[Pair]], Counted]] = {
    "qrs": qrs_counts,
    "veb": partial(class_counts, letter="V", neutral="FQ"),
    "sveb": partial(class_counts, letter="S", neutral="Q"),
}


def qrs_rates(counts: Counter[Pair]) -> Rates:
    """Rates of ``qrs_counts``."""
    return Rates.of(**qrs_counts(counts)._asdict())


def class_rates(counts: Counter[Pair], letter: str, *, neutral: str) -> Rates:
    """Rates of ``class_counts``."""
    return Rates.of(**class_counts(counts, letter, neutral=neutral)._asdict())


def class_accuracy(counts: Counter[Pair]) -> float | None:
    """The share of matched beats of reference class N, S, V or F that got their class."""
    matched = Counter({pair: count for pair, count in counts.items() if pair[0] in "NSVF" and pair[1] != MISSED})
    return ratio(sum(count for (reference, found), count in matched.items() if reference == found), matched.total())
