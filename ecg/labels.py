"""Labels: AAMI classes of annotated beats, and which windows are abnormal."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from ecg.annotations import Annotations
from ecg.errors import EcgStreamError
from ecg.wfdb_files import find_record, list_records

# The inter-patient split of the MIT-BIH Arrhythmia Database: de Chazal, O'Dwyer and Reilly, IEEE Trans Biomed Eng
# 51 (2004) 1196, doi:10.1109/TBME.2004.827359. DS1 trains and tunes, DS2 tests. Records 201 and 202 are one person.
# fmt: off
DS1 = (
    "101", "106", "108", "109", "112", "114", "115", "116", "118", "119", "122",
    "124", "201", "203", "205", "207", "208", "209", "215", "220", "223", "230",
)
DS2 = (
    "100", "103", "105", "111", "113", "117", "121", "123", "200", "202", "210",
    "212", "213", "214", "219", "221", "222", "228", "231", "232", "233", "234",
)
# fmt: on
PACED = ("102", "104", "107", "217")

# ANSI/AAMI EC57 groups the beats in five. Escape beats of atria and AV node (e, j, n) go to N, as in de Chazal 2004
# and in the WFDB library's map2(); the text of EC57 could also be read as S.
AAMI = {
    **dict.fromkeys(("N", "L", "R", "B", "e", "j", "n"), "N"),
    **dict.fromkeys(("A", "a", "J", "S"), "S"),
    **dict.fromkeys(("V", "E", "r"), "V"),
    "F": "F",
    **dict.fromkeys(("/", "f", "Q", "?"), "Q"),
}
ABNORMAL_CLASSES = frozenset("SVF")
NORMAL_RHYTHMS = frozenset({"(N", "(SBR", "(NOD", "(P"})
FLUTTER_WAVE, FLUTTER_START, FLUTTER_END = "!", "[", "]"
RHYTHM_CHANGE = "+"
WINDOW_S = 5.0
RHYTHM_SHARE = 0.5  # of a window, from which an abnormal rhythm counts


@dataclass(frozen=True, slots=True, kw_only=True)
class BeatLabels:
    """The annotated beats of a record.

    Attributes
    ----------
    sample : (beats,) int64, position in samples
    aami : (beats,) one letter each: N, S, V, F or Q
    """

    sample: npt.NDArray[np.int64]
    aami: npt.NDArray[np.str_]


@dataclass(frozen=True, slots=True, kw_only=True)
class Interval:
    """A stretch of a record, in samples.

    Attributes
    ----------
    name : its rhythm, such as "(AFIB", or "flutter"
    start, end : first sample, and the one after the last; ``end`` None is the record's end
    """

    name: str
    start: int
    end: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class WindowLabels:
    """Labels of windows, from annotations.

    Attributes
    ----------
    abnormal : (windows,) bool
    left_out : (windows,) bool, neither normal nor abnormal: not to be trained or tested on
    reasons : per window, why: beat classes ("V"), "flutter", rhythms ("(AFIB"); empty for a normal window
    """

    abnormal: npt.NDArray[np.bool_]
    left_out: npt.NDArray[np.bool_]
    reasons: tuple[tuple[str, ...], ...]


def beat_labels(annotations: Annotations) -> BeatLabels:
    """The beats among annotations, with their AAMI classes; waves, rhythms and artefacts are no beats."""
    classes = np.array([AAMI.get(symbol, "") for symbol in annotations.symbol], dtype="<U1")
    beats = classes != ""
    return BeatLabels(sample=annotations.sample[beats], aami=classes[beats])


def rhythm_intervals(annotations: Annotations) -> tuple[Interval, ...]:
    """The annotated rhythms, each from its change to the next; before the first, the rhythm is not known."""
    changes = [
        (int(sample), aux)
        for sample, symbol, aux in zip(annotations.sample, annotations.symbol, annotations.aux, strict=True)
        if symbol == RHYTHM_CHANGE and aux.startswith("(")
    ]
    ends = [start for start, _ in changes[1:]] + [None]
    return tuple(
        Interval(name=name, start=start, end=end) for (start, name), end in zip(changes, ends, strict=bool(changes))
    )


def flutter_intervals(annotations: Annotations) -> tuple[Interval, ...]:
    """The stretches of ventricular flutter or fibrillation, from "[" to "]"; one never closed runs to the end."""
    intervals: list[Interval] = []
    start: int | None = None
    for sample, symbol in zip(annotations.sample, annotations.symbol, strict=True):
        if symbol == FLUTTER_START and start is None:
            start = int(sample)
        elif symbol == FLUTTER_END and start is not None:
            intervals.append(Interval(name="flutter", start=start, end=int(sample) + 1))
            start = None
    if start is not None:
        intervals.append(Interval(name="flutter", start=start, end=None))
    return tuple(intervals)


def label_windows(
    annotations: Annotations, fs_hz: float, starts: npt.ArrayLike, window_s: float = WINDOW_S
) -> WindowLabels:
    """Say which windows are abnormal.

    A window is abnormal when an annotated beat of AAMI class S, V or F or a ventricular flutter or fibrillation wave
    lies in it, or when at least half of it lies in annotated rhythms other than (N, (SBR, (NOD and (P. A window with
    class Q beats and nothing abnormal is left out.

    Parameters
    ----------
    annotations : the record's annotations
    fs_hz : sampling rate in Hz
    starts : (windows,) int, the first sample of each window
    window_s : the windows' length in seconds
    """
    first = np.asarray(starts, np.int64)
    end = np.asarray(first + window_s * fs_hz, np.float64)
    beats = beat_labels(annotations)
    found: dict[str, npt.NDArray[np.bool_]] = {
        letter: _holds(beats.sample[beats.aami == letter], first, end) for letter in "SVFQ"
    }
    waves = annotations.sample[np.array([symbol == FLUTTER_WAVE for symbol in annotations.symbol], np.bool_)]
    found["flutter"] = _holds(waves, first, end)
    for interval in flutter_intervals(annotations):
        found["flutter"] = found["flutter"] | (_overlap(interval, first, end) > 0)
    share = np.zeros(len(first))
    rhythms: dict[str, npt.NDArray[np.bool_]] = {}
    for interval in rhythm_intervals(annotations):
        if interval.name not in NORMAL_RHYTHMS:
            overlap = _overlap(interval, first, end)
            share += overlap
            rhythms[interval.name] = rhythms.get(interval.name, np.zeros(len(first), np.bool_)) | (overlap > 0)
    in_rhythm = share >= RHYTHM_SHARE * window_s * fs_hz
    abnormal = in_rhythm | found["flutter"]
    for letter in ABNORMAL_CLASSES:
        abnormal |= found[letter]
    why = found | {name: touched & in_rhythm for name, touched in rhythms.items()}
    reasons = tuple(tuple(name for name, flags in why.items() if flags[window]) for window in range(len(first)))
    return WindowLabels(abnormal=abnormal, left_out=found["Q"] & ~abnormal, reasons=reasons)


def _holds(
    positions: npt.NDArray[np.int64], start: npt.NDArray[np.int64], end: npt.NDArray[np.float64]
) -> npt.NDArray[np.bool_]:
    """Return which windows [start, end) hold at least one of the sorted positions."""
    return np.asarray(np.searchsorted(positions, end) > np.searchsorted(positions, start), np.bool_)


def _overlap(interval: Interval, start: npt.NDArray[np.int64], end: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Return how many samples of each window lie in the interval."""
    last = end if interval.end is None else np.minimum(end, interval.end)
    return np.maximum(0.0, last - np.maximum(start, interval.start))


def records_named(selection: str, directory: Path) -> tuple[str, ...]:
    """The record names that a selection means.

    Parameters
    ----------
    selection : "ds1", "ds2", "all" (every record of the folder), or names separated by commas
    directory : the folder that holds the records

    Raises
    ------
    EcgStreamError : when the selection is empty, or a record is not in the folder
    """
    fixed = {"ds1": DS1, "ds2": DS2}
    if selection.lower() == "all":
        return list_records(directory)
    named = fixed.get(selection.lower()) or tuple(
        dict.fromkeys(part.strip() for part in selection.split(",") if part.strip())
    )
    if not named:
        raise EcgStreamError(f"records={selection!r} names no record: give ds1, ds2, all, or names such as 100,103")
    for name in named:
        find_record(name, directory)
    return named
