"""Contents of a data set, record by record: beats, rhythms, windows, RR intervals, faults of the signal."""

from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from ecg.annotations import Annotations, read_annotations
from ecg.errors import EcgStreamError
from ecg.labels import (
    AAMI,
    DS1,
    DS2,
    PACED,
    beat_labels,
    flutter_intervals,
    label_windows,
    rhythm_intervals,
)
from ecg.leads import choose_leads
from ecg.records import Record, exact_rate
from ecg.wfdb_files import read_wfdb
from ecg.windows import Grid
from training.records import SplitError, TrainingRecords
from training.signal_faults import SignalFaults, signal_faults

# Annotations of PhysioNet that are no beats.
OTHER_MARKS = {
    "+": "rhythm change",
    "~": "change of signal quality",
    "|": "artefact that looks like a QRS",
    "!": "ventricular flutter wave",
    "[": "flutter or fibrillation begins",
    "]": "flutter or fibrillation ends",
    "x": "blocked atrial beat",
    '"': "comment",
    "s": "ST segment change",
    "T": "T wave change",
    "*": "systole",
    "D": "diastole",
    "=": "measurement",
    "p": "P wave peak",
    "^": "pacing spike",
    "t": "T wave peak",
    "u": "U wave peak",
    "`": "PQ junction",
    "'": "J point",
    "(": "wave begins",
    ")": "wave ends",
    "@": "link to outside",
}
UNKNOWN_RHYTHM = "not annotated"
PACED_SPLIT = "paced, left out"


@dataclass(frozen=True, slots=True, kw_only=True)
class RrStatistics:
    """Intervals from beat to beat, flutter left out.

    Attributes
    ----------
    count : intervals
    median_s, low_s, high_s : s; the low is the 5th percentile, the high the 95th
    rmssd_ms : root mean square of successive differences, ms
    longest_s : s
    """

    count: int
    median_s: float
    low_s: float
    high_s: float
    rmssd_ms: float
    longest_s: float

    @property
    def rate_bpm(self) -> float:
        """The heart rate of the median interval, beats a minute."""
        return 60 / self.median_s


@dataclass(frozen=True, slots=True, kw_only=True)
class Examined:
    """Counts of a record that may be looked at: of a test record there are none.

    Attributes
    ----------
    normal, abnormal, left_out : windows of the detector's grid, by their label
    rr : None with fewer than three beats
    faults : of the signal
    """

    normal: int
    abnormal: int
    left_out: int
    rr: RrStatistics | None
    faults: SignalFaults


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordFacts:
    """Contents of one record.

    Attributes
    ----------
    name : the record
    split : "DS1", "DS2 (test)", "paced, left out", or empty where the split does not know it
    fs_hz, seconds : sampling rate and length
    leads, gain : lead names and ADC units per mV
    judged : the leads that the models look at, the judged one first
    beats : AAMI class to number of beats
    symbols : annotation symbol to how often it stands there
    unknown : those of ``symbols`` that are neither a beat nor another mark of PhysioNet
    rhythms : rhythm to its seconds
    examined : None for a test record
    """

    name: str
    split: str
    fs_hz: float
    seconds: float
    leads: tuple[str, ...]
    gain: tuple[float, ...]
    judged: tuple[str, ...]
    beats: Mapping[str, int]
    symbols: Mapping[str, int]
    unknown: tuple[str, ...]
    rhythms: Mapping[str, float]
    examined: Examined | None


def is_test_record(directory: Path, name: str) -> bool:
    """Return whether a record is of the test set, by its name or by what its header says."""
    try:
        TrainingRecords(directory=directory, names=(name,))
    except SplitError:
        return True
    return False


def facts_of(directory: Path, name: str) -> RecordFacts:
    """Count what a record holds; of a test record only what its annotations and its header say.

    Raises
    ------
    EcgStreamError : when the record or its annotations cannot be read
    """
    record, annotations = read_wfdb(directory / name), read_annotations(directory / name)
    test = is_test_record(directory, name)
    symbols = Counter(annotations.symbol)
    classes = Counter(str(letter) for letter in beat_labels(annotations).aami)
    return RecordFacts(
        name=name,
        split="DS2 (test)" if test else _split(name),
        fs_hz=record.fs_hz,
        seconds=record.seconds,
        leads=record.leads,
        gain=record.gain,
        judged=tuple(record.leads[column] for column in choose_leads(record.leads)),
        beats={letter: classes[letter] for letter in "NSVFQ"},
        symbols=dict(symbols.most_common()),
        unknown=tuple(sorted(symbol for symbol in symbols if symbol not in AAMI and symbol not in OTHER_MARKS)),
        rhythms=rhythm_seconds(annotations, record),
        examined=None if test else _examine(record, annotations),
    )


def _split(name: str) -> str:
    if name in DS2:  # refused by its name before
        raise EcgStreamError(f"record {name} is of DS2: it is not examined")
    return "DS1" if name in DS1 else PACED_SPLIT if name in PACED else ""


def rhythm_seconds(annotations: Annotations, record: Record) -> dict[str, float]:
    """Return how long each annotated rhythm lasts in a record, s, the longest first."""
    seconds: dict[str, float] = defaultdict(float)
    length = len(record.samples)
    known_from = length
    for interval in rhythm_intervals(annotations):
        known_from = min(known_from, interval.start)
        end = length if interval.end is None else min(interval.end, length)
        seconds[interval.name] += max(0, end - interval.start) / record.fs_hz
    if known_from > 0:
        seconds[UNKNOWN_RHYTHM] += min(known_from, length) / record.fs_hz
    return dict(sorted(seconds.items(), key=lambda item: -item[1]))


def rr_statistics(annotations: Annotations, fs_hz: float) -> RrStatistics | None:
    """Statistics of the intervals between annotated beats; None with fewer than three beats."""
    beats = beat_labels(annotations).sample
    start, end = beats[:-1], beats[1:]
    apart = end > start  # two annotators' marks on one sample are one beat
    for flutter in flutter_intervals(annotations):
        apart &= (end < flutter.start) | (start >= (np.inf if flutter.end is None else flutter.end))
    intervals_s: npt.NDArray[np.float64] = (end - start)[apart] / fs_hz
    if len(intervals_s) < 2:
        return None
    low_s, median_s, high_s = np.percentile(intervals_s, (5, 50, 95))
    return RrStatistics(
        count=len(intervals_s),
        median_s=float(median_s),
        low_s=float(low_s),
        high_s=float(high_s),
        rmssd_ms=float(1000 * np.sqrt(np.mean(np.diff(intervals_s) ** 2))),
        longest_s=float(intervals_s.max()),
    )


def _examine(record: Record, annotations: Annotations) -> Examined:
    grid = Grid(exact_rate(record.fs_hz))
    starts = [grid.start(window) for window in range(grid.window_of(len(record.samples)))]
    labels = label_windows(annotations, record.fs_hz, np.array(starts, np.int64))
    abnormal, left_out = int(labels.abnormal.sum()), int(labels.left_out.sum())
    return Examined(
        normal=len(starts) - abnormal - left_out,
        abnormal=abnormal,
        left_out=left_out,
        rr=rr_statistics(annotations, record.fs_hz),
        faults=signal_faults(record),
    )
