"""How sure the beat map must be to reject or add a beat, chosen on patients that the network has not seen."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np
import numpy.typing as npt

from detector.beat_map import BeatFinding, BeatMapReader
from detector.manifest import BeatMap
from ecg.annotations import Annotations
from ecg.beats import REFRACTORY_S, find_beats
from ecg.segments import MODEL_FS_HZ, MODEL_SAMPLES
from ecg.windows import HOP_S
from training.beat_comparison import Pair, class_accuracy, class_rates, compare, qrs_rates
from training.data import CLASSES, FRAMES_HZ
from training.evaluate import SETTLE_S
from training.networks import MAP_SECONDS
from training.outoffold import OutOfFold

REJECT_BELOW = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8)
ADD_ABOVE = (0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9)
_OVERLAP_S = 0.3  # as the detector's verdicts reach back for a beat that the window before had placed too late

Candidates = list[npt.NDArray[np.int64]]


def tune_beat_map(
    judged: Sequence[OutOfFold], annotations: Mapping[str, Annotations], rates_hz: Mapping[str, float]
) -> tuple[BeatMap, dict[str, Any]]:
    """Choose how the beat map verifies QRS candidates: the highest F1 of the beats found, by EC57.

    Parameters
    ----------
    judged : records by networks that have not seen them
    annotations, rates_hz : per record, the reference and its sampling rate in Hz

    Returns
    -------
    how to read the map, and the rates of beats that this gives
    """
    candidates = {record.windows.name: _candidates(record) for record in judged}

    def count(settings: BeatMap) -> Counter[Pair]:
        counts: Counter[Pair] = Counter()
        for record in judged:
            name = record.windows.name
            found = beats_over(record, candidates[name], settings)
            counts += compare(
                annotations[name],
                rates_hz[name],
                np.array([time_s for time_s, _ in found], np.float64),
                [finding.beat_class for _, finding in found],
                span_s=(0.0, float(record.windows.end_s[-1]) - SETTLE_S),
            )
        return counts

    # Rejecting and adding hardly touch each other: one after the other is enough.
    add_above = 0.8
    reject_below = max(REJECT_BELOW, key=lambda value: qrs_rates(count(reading(value, add_above))).f1 or 0.0)
    add_above = max(ADD_ABOVE, key=lambda value: qrs_rates(count(reading(reject_below, value))).f1 or 0.0)
    chosen = reading(reject_below, add_above)
    counts = count(chosen)
    return chosen, {
        "qrs": asdict(qrs_rates(counts)),
        "veb": asdict(class_rates(counts, "V", neutral="FQ")),
        "sveb": asdict(class_rates(counts, "S", neutral="Q")),
        "accuracy": class_accuracy(counts),
    }


def reading(reject_below: float, add_above: float) -> BeatMap:
    """How the map of this network is read, with two thresholds to choose."""
    return BeatMap(
        classes=CLASSES,
        frames_hz=float(FRAMES_HZ),
        seconds=float(MAP_SECONDS),
        reject_below=reject_below,
        add_above=add_above,
    )


def _candidates(record: OutOfFold) -> Candidates:
    none = np.empty(0, np.int64)
    found = []
    for inputs, usable in zip(record.windows.inputs, record.windows.usable, strict=True):
        lead = inputs[0].astype(np.float32)
        start = int(np.argmax(lead != 0))
        found.append(find_beats(lead[start:], MODEL_FS_HZ) + start if usable else none)
    return found


def beats_over(record: OutOfFold, candidates: Candidates, settings: BeatMap) -> list[tuple[float, BeatFinding]]:
    """A record's beats as its verdicts would list them: (seconds since the record's start, beat)."""
    beats: list[tuple[float, BeatFinding]] = []
    last_s = -np.inf
    windows = record.windows
    reader = BeatMapReader(record.maps.astype(np.float32), settings)
    for number, end_s in enumerate(windows.end_s):
        if not windows.usable[number]:
            continue
        lead = windows.inputs[number, 0].astype(np.float32)
        earliest_s = end_s - HOP_S - SETTLE_S - _OVERLAP_S
        for finding in reader.beats(number, candidates[number], lead):
            time_s = float(end_s - (MODEL_SAMPLES - finding.position) / MODEL_FS_HZ)
            if max(earliest_s, last_s + REFRACTORY_S) <= time_s < end_s - SETTLE_S:
                beats.append((time_s, finding))
                last_s = time_s
    return beats
