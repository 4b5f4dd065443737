"""Thresholds of the beat map to reject or add a beat, chosen on patients that the network has not seen."""

from collections import Counter
from collections.abc import Mapping, Sequence

import numpy as np

from detector.manifest import BeatMap
from detector.weighing import SETTLE_NS
from ecg.annotations import Annotations
from training.beat_comparison import Pair, compare, qrs_rates
from training.data import CLASSES, FRAMES_HZ
from training.following import Candidates, scores_of, times_of
from training.networks import MAP_SECONDS
from training.outoffold import OutOfFold

REJECT_BELOW = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8)
ADD_ABOVE = (0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9)


def tune_beat_map(
    judged: Sequence[OutOfFold],
    candidates: Mapping[str, Candidates],
    annotations: Mapping[str, Annotations],
    rates_hz: Mapping[str, float],
) -> BeatMap:
    """Choose how the beat map verifies QRS candidates: the highest F1 of the beats found, by EC57.

    Parameters
    ----------
    judged : records by networks that have not seen them
    candidates : per record, the QRS candidates of each window
    annotations, rates_hz : per record, the reference and its sampling rate in Hz
    """

    def f1(settings: BeatMap) -> float:
        counts: Counter[Pair] = Counter()
        for record in judged:
            name = record.windows.name
            found = times_of(record, scores_of(record, candidates[name], settings))
            counts += compare(
                annotations[name], rates_hz[name], found, ["N"] * len(found), span_s=(0.0, last_beat_s(record))
            )
        return qrs_rates(counts).f1 or 0.0

    # Rejecting and adding hardly touch each other: one after the other is enough.
    add_above = 0.8
    reject_below = max(REJECT_BELOW, key=lambda value: f1(reading(value, add_above)))
    add_above = max(ADD_ABOVE, key=lambda value: f1(reading(reject_below, value)))
    return reading(reject_below, add_above)


def last_beat_s(record: OutOfFold) -> float:
    """Until when a record's verdicts can report beats, s since its start."""
    return float(np.max(record.windows.end_s)) - SETTLE_NS / 1e9


def reading(reject_below: float, add_above: float) -> BeatMap:
    """Return how the map of this network is read, with two thresholds to choose."""
    return BeatMap(
        classes=CLASSES,
        frames_hz=float(FRAMES_HZ),
        seconds=float(MAP_SECONDS),
        reject_below=reject_below,
        add_above=add_above,
    )
