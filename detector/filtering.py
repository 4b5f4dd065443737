"""The signals of due windows and rapid checks at the models' rate: a second is filtered once, for all streams together.

A due item says up to which second its stream was filtered before it. One second more is one step; anything else (a
start, a gap, a late chunk that filled a hole) is filtered anew from the item's segment. Both give the same numbers.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from functools import lru_cache

import numpy as np

from bus.samples import Source
from detector.due import Due, DueWindow, StreamId
from ecg.records import MISSING, Int16Array, exact_rate
from ecg.second_filter import FilteredSignal, RawPart, layout_of, take_steps
from ecg.segments import Preprocessing, filter_segments

MAX_STREAMS = 128  # filtered together: more at once are no faster each, and need not fill the cache
MAX_STEPS = 64  # of one stream at a time


@dataclass(slots=True, eq=False)
class _Run:
    """Items of one stream, a second after the other.

    Attributes
    ----------
    before : the signal that the first step goes on from
    steps : items that each need one step
    members : of each item of the run, its place in the batch and how many steps lead to it
    """

    before: FilteredSignal
    steps: list[Due] = field(default_factory=list)
    members: list[tuple[int, int]] = field(default_factory=list)


def filter_due(
    due: Sequence[Due], before: Mapping[StreamId, FilteredSignal], preprocessing: Preprocessing
) -> tuple[list[FilteredSignal], dict[StreamId, FilteredSignal]]:
    """Filter what is new in a batch.

    Parameters
    ----------
    due : items of any streams, those of one stream in their order
    before : the signal of each stream from which an item goes on, as it was when the stream's last item was filtered
    preprocessing : as everywhere

    Returns
    -------
    the signal of each item, and of each stream in the batch the signal after it
    """
    anew = [number for number, item in enumerate(due) if _is_anew(item)]
    starts = dict(zip(anew, _filtered_anew([due[number] for number in anew], preprocessing), strict=True))
    runs: list[_Run] = []
    open_runs: dict[StreamId, _Run] = {}
    for number, item in enumerate(due):
        run = open_runs.get(item.stream)
        if number in starts or run is None:
            run = open_runs[item.stream] = _Run(starts[number] if number in starts else before[item.stream])
            runs.append(run)
        if number not in starts and item.second != item.filtered_to:
            run.steps.append(item)
        run.members.append((number, len(run.steps)))
    signals: dict[int, FilteredSignal] = {}
    for group in _alike(runs).values():
        for first in range(0, len(group), MAX_STREAMS):
            part = group[first : first + MAX_STREAMS]
            for run, after in zip(part, _stepped(part, preprocessing), strict=True):
                found = (run.before, *after)
                signals.update((number, found[steps]) for number, steps in run.members)
    kept = {stream: signals[run.members[-1][0]].kept() for stream, run in open_runs.items()}
    return [signals[number] for number in range(len(due))], kept


def _is_anew(item: Due) -> bool:
    return item.filtered_to is None or not 0 <= item.second - item.filtered_to <= 1


def _filtered_anew(items: Sequence[Due], preprocessing: Preprocessing) -> list[FilteredSignal]:
    groups: dict[tuple[float, int, int], list[int]] = defaultdict(list)
    for number, item in enumerate(items):
        groups[item.source.fs_hz, len(item.columns), item.second % exact_rate(item.source.fs_hz).denominator].append(
            number
        )
    found: dict[int, FilteredSignal] = {}
    for (fs_hz, _, second), numbers in groups.items():
        for first in range(0, len(numbers), MAX_STREAMS):
            some = numbers[first : first + MAX_STREAMS]
            signals = filter_segments(
                np.stack([_segment_of(items[number]) for number in some]),
                fs_hz=fs_hz,
                gain=np.array([_scale(items[number])[0] for number in some]),
                baseline=np.array([_scale(items[number])[1] for number in some]),
                settings=preprocessing,
                second=second,
            )
            found.update(zip(some, signals, strict=True))
    return [found[number] for number in range(len(items))]


def _segment_of(item: Due) -> Int16Array:
    """The raw segment of an item that is filtered anew."""
    if item.segment is None:
        raise RuntimeError(f"{item.id} goes on from a signal that is not known, and has no segment")
    return item.segment


def _scale(item: Due) -> tuple[list[float], list[int]]:
    """Gain and baseline of an item's columns."""
    return _scale_of(item.source, item.columns)


@lru_cache(maxsize=4096)  # thousands of patients have few kinds of devices
def _scale_of(source: Source, columns: tuple[int, ...]) -> tuple[list[float], list[int]]:
    return [source.gain[column] for column in columns], [source.baseline[column] for column in columns]


def _alike(runs: Sequence[_Run]) -> dict[tuple[float, int, int, int], list[_Run]]:
    """Runs that are filtered in one call, by rate, columns, steps, and where the second lies between two samples."""
    groups: dict[tuple[float, int, int, int], list[_Run]] = defaultdict(list)
    for run in runs:
        if run.steps:
            first = run.steps[0]
            fs_hz = first.source.fs_hz
            groups[fs_hz, len(first.columns), len(run.steps), first.second % exact_rate(fs_hz).denominator].append(run)
        else:
            groups[0.0, 0, 0, 0].append(run)
    return groups


def _stepped(runs: Sequence[_Run], preprocessing: Preprocessing) -> list[list[FilteredSignal]]:
    """Of each run, its signal after each step; all have as many."""
    count = len(runs[0].steps)
    if not count:
        return [[] for _ in runs]
    rate = exact_rate(runs[0].steps[0].source.fs_hz)
    scales = [_scale(run.steps[0]) for run in runs]
    gain = np.array([gain for gain, _ in scales], np.float32)[:, :, None]
    baseline = np.array([baseline for _, baseline in scales], np.float32)[:, :, None]
    signals = [run.before for run in runs]
    found: list[list[FilteredSignal]] = [[] for _ in runs]
    for first in range(0, count, MAX_STEPS):
        parts = [
            _part([run.steps[number] for run in runs], rate, gain, baseline)
            for number in range(first, min(count, first + MAX_STEPS))
        ]
        for row, after in enumerate(take_steps(signals, parts, rate=rate, mains_hz=preprocessing.mains_hz)):
            found[row] += after
        signals = [after[-1] for after in found]
    return found


def _part(items: Sequence[Due], rate: Fraction, gain: np.ndarray, baseline: np.ndarray) -> RawPart:
    layout = layout_of(rate, items[0].second % rate.denominator)
    raw = np.stack([_newest(item)[-layout.count :] for item in items]).transpose(0, 2, 1)
    millivolts = raw.astype(np.float32, order="C")
    millivolts -= baseline
    millivolts /= gain
    return RawPart(millivolts=millivolts, missing=raw == MISSING, layout=layout)


def _newest(item: Due) -> Int16Array:
    return item.segment if isinstance(item, DueWindow) else item.samples
