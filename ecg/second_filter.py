"""The filter as matrices: of all patients of a sampling rate at once, each second of signal is filtered once.

Resampling and band-pass are linear and look a few seconds far, so they are two matrices: one takes raw signal to
100 Hz, one takes the newest seven of those seconds through the band-pass. With each new second come four filtered ones:
the one that three have followed is final, the newer three are as the filter gives them before what follows has come.
Any chunks, any batch and any restart give the same numbers.
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache

import numpy as np
import numpy.typing as npt
from threadpoolctl import ThreadpoolController

from ecg.filters import anti_alias, band_pass, notch
from ecg.holes import fill, spans_of
from ecg.records import Float32Array
from ecg.windows import Grid

FILTERED_HZ = 100  # 40 Hz fits below its Nyquist rate
PART_S = 3  # of raw signal to a step: two seconds come out of it, and what lies before them bridges a hole
BAND_S = 7  # that the band-pass looks at
STEP_S = 4  # that it gives: one final, three provisional
FINALS = 11  # final seconds that are kept before the newest four: together a segment of 15 s
WARM_S = 4  # of signal before a segment, so that its first second is final as any other
MAX_HOLE_S = 0.5  # longer holes are not bridged: a beat may hide in them
NOTCH_REACH_S = 1.0  # beyond it, the notch's ringing is below a hundredth
PHASES = 32  # places of a second's first sample between two, where the rate is no whole number: 0.2 ms at 200 Hz
BLOCK = 8  # rows of one product: always so few and so many, since their number and place would round otherwise

_SECOND = FILTERED_HZ
_OUT = 2 * _SECOND  # of the first matrix: a final second and a provisional one
_BAND = BAND_S * _SECOND


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class FilteredSignal:
    """A stream's signal at 100 Hz up to the end of a second, mV.

    Attributes
    ----------
    resampled : (columns, 7 s) float32, not filtered, NaN where nothing is known; the newest second is provisional
    newest : (columns, 4 s) float32, filtered: one second that is final and three that are not
    finals : (columns, n) float32, the filtered seconds before those, ``FINALS`` at most
    """

    resampled: Float32Array
    newest: Float32Array
    finals: Float32Array

    @classmethod
    def before(cls, columns: int) -> "FilteredSignal":
        """The signal of a stream of which nothing is known."""
        return cls(
            resampled=np.full((columns, _BAND), np.nan, np.float32),
            newest=np.zeros((columns, STEP_S * _SECOND), np.float32),
            finals=np.zeros((columns, 0), np.float32),
        )

    def stepped(self, resampled: Float32Array, newest: Float32Array) -> "FilteredSignal":
        """The signal one second later."""
        finals = np.concatenate([self.finals, self.newest[:, :_SECOND]], axis=1)
        return FilteredSignal(resampled=resampled, newest=newest, finals=finals[:, -FINALS * _SECOND :])

    def kept(self) -> "FilteredSignal":
        """The same in memory of its own: an array of a whole batch is not kept for one stream's part of it."""
        return FilteredSignal(resampled=self.resampled.copy(), newest=self.newest.copy(), finals=self.finals.copy())

    def segment(self) -> Float32Array:
        """The newest 15 s, filtered: (columns, 1500) float32; what lies before the first second known is 0."""
        lacking = np.zeros((len(self.newest), FINALS * _SECOND - self.finals.shape[1]), np.float32)
        return np.concatenate([lacking, self.finals, self.newest], axis=1)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class RawPart:
    """The raw signal of one step of N streams of one sampling rate.

    Attributes
    ----------
    millivolts : (N, columns, ``Layout.count``) float32: the newest 3 s, any number where samples are missing
    missing : the same shape, which samples were never received
    layout : where they lie
    """

    millivolts: Float32Array
    missing: npt.NDArray[np.bool_]
    layout: "Layout"


@dataclass(frozen=True, slots=True)
class Layout:
    """Place of the raw samples of a step.

    Attributes
    ----------
    count : samples in ``PART_S`` s
    phase : time from the part's begin to its first sample, in ``PHASES`` of a sample
    """

    count: int
    phase: int


def take_steps(
    before: Sequence[FilteredSignal], parts: Sequence[RawPart], *, rate: Fraction, mains_hz: float | None
) -> list[list[FilteredSignal]]:
    """Filter M seconds more of N streams of one sampling rate.

    Parameters
    ----------
    before : their signals
    parts : of each step, what came
    rate : sampling rate, Hz
    mains_hz : mains frequency to notch out, Hz; None for no notch

    Returns
    -------
    of each stream, its signal after each step
    """
    count, steps = len(before), len(parts)
    columns = len(before[0].newest)
    new = np.empty((count, steps, columns, _OUT), np.float32)
    alike: dict[Layout, list[int]] = defaultdict(list)
    for number, part in enumerate(parts):
        alike[part.layout].append(number)
    for layout, numbers in alike.items():
        out = _resampled([parts[number] for number in numbers], layout, rate, mains_hz)
        new[:, numbers] = out.reshape(len(numbers), count, columns, _OUT).swapaxes(0, 1)
    # The newest second of before was provisional: the first step makes it final.
    known = np.concatenate(
        [
            np.stack([signal.resampled[:, : _BAND - _SECOND] for signal in before]),
            *(new[:, number, :, :_SECOND] for number in range(steps)),
        ],
        axis=2,
    )
    resampled = np.empty((count, steps, columns, _BAND), np.float32)
    for number in range(steps):
        from_ = (number + 1) * _SECOND
        resampled[:, number, :, : _BAND - _SECOND] = known[:, :, from_ : from_ + _BAND - _SECOND]
        resampled[:, number, :, _BAND - _SECOND :] = new[:, number, :, _SECOND:]
    filtered = product(levelled(resampled.reshape(-1, _BAND)), _band_map())
    newest = filtered.reshape(count, steps, columns, STEP_S * _SECOND)
    found = []
    for row, signal in enumerate(before):
        after = []
        for number in range(steps):
            signal = signal.stepped(resampled[row, number], newest[row, number])  # noqa: PLW2901  # step after step
            after.append(signal)
        found.append(after)
    return found


def _resampled(parts: Sequence[RawPart], layout: Layout, rate: Fraction, mains_hz: float | None) -> Float32Array:
    """Of each row of each part, 2 s at 100 Hz: the last second but one, now final, and the newest."""
    rows = np.concatenate([part.millivolts.reshape(-1, layout.count) for part in parts])
    missing = np.concatenate([part.missing.reshape(-1, layout.count) for part in parts])
    lacking = np.flatnonzero(missing.any(axis=1))
    for row in lacking:
        fill(rows[row], missing[row])
    start, matrix = _resampling(rate, layout, mains_hz)
    out = product(rows[:, start:], matrix)
    for row in lacking:
        _forget_holes(out[row], missing[row], rate)
    return out


@lru_cache(maxsize=4096)
def layout_of(rate: Fraction, second: int) -> Layout:
    """The layout of the raw part that ends with a second of a stream.

    Parameters
    ----------
    rate : sampling rate, Hz
    second : from the stream's sample 0; the same for all that differ by a multiple of the rate's denominator
    """
    grid = Grid(rate)
    first, end = grid.second(second - PART_S), grid.second(second)
    late = first - (second - PART_S) * rate  # of a sample, from 0 to below 1
    return Layout(end - first, int(late * PHASES))


def levelled(rows: Float32Array) -> Float32Array:
    """Signals without what the band-pass would take for a step: a copy.

    Each goes to 0 at its end. What is not known is held level, and what lies before it is moved up or down to it: an
    electrode that was put on again has another offset.

    Parameters
    ----------
    rows : (n, samples) float32, NaN where nothing is known
    """
    level = rows.copy()
    for number in np.flatnonzero(np.isnan(rows).any(axis=1)):
        row = level[number]
        spans = spans_of(np.isnan(row)).tolist()
        for start, end in reversed(spans):
            if start == 0 and end == len(row):
                row[:] = 0
            elif end == len(row):
                row[start:] = row[start - 1]
            else:
                if start > 0:
                    row[:start] += row[end] - row[start - 1]
                row[start:end] = row[end]
    level -= level[:, -1:]
    return level


def product(rows: Float32Array, matrix: Float32Array) -> Float32Array:
    """(n, k) x (k, m) with the same rounding of a row in any company, on one thread."""
    count = len(rows)
    blocks = -(-count // BLOCK)
    padded = rows
    if count != blocks * BLOCK or not rows.flags.c_contiguous:
        padded = np.zeros((blocks * BLOCK, rows.shape[1]), np.float32)
        padded[:count] = rows
    # On several, the threads of the BLAS would wait for each other in a loop, at ten times the cost.
    with _blas().limit(limits=1, user_api="blas"):
        found: Float32Array = padded.reshape(blocks, BLOCK, -1) @ matrix
    return found.reshape(blocks * BLOCK, -1)[:count]


@lru_cache(maxsize=1)
def _blas() -> ThreadpoolController:
    return ThreadpoolController()


def _forget_holes(out: Float32Array, missing: npt.NDArray[np.bool_], rate: Fraction) -> None:
    """NaN where a hole is too long to be bridged; in place, (2 s at 100 Hz) from (3 s of raw signal)."""
    scale = FILTERED_HZ / float(rate)
    for start, end in spans_of(missing).tolist():
        if end - start > MAX_HOLE_S * rate:
            from_, to = (int(np.ceil(at * scale)) - (PART_S * _SECOND - _OUT) for at in (start, end))
            out[max(0, from_) : max(0, to)] = np.nan


@lru_cache(maxsize=1)
def _band_map() -> Float32Array:
    """(7 s, 4 s): today's zero-phase band-pass over seven seconds, of which the newest four are taken."""
    responses = band_pass(np.eye(_BAND, dtype=np.float32), FILTERED_HZ)
    return np.ascontiguousarray(responses[:, _BAND - STEP_S * _SECOND :])


@lru_cache(maxsize=256)  # 0.3 MB each at 360 Hz
def _resampling(rate: Fraction, layout: Layout, mains_hz: float | None) -> tuple[int, Float32Array]:
    """The first sample of a part that matters, and the matrix from there on to its newest two seconds at 100 Hz."""
    fs_hz = float(rate)
    time_s = (np.arange(layout.count) + layout.phase / PHASES) / fs_hz  # from the part's begin
    wanted_s = PART_S - 2 + np.arange(_OUT) / FILTERED_HZ
    # Behind the newest sample the signal is taken to stay level: what would come there counts for that sample.
    behind = int(np.ceil(0.2 * fs_hz))
    lattice_s = np.concatenate([time_s, time_s[-1] + np.arange(1, behind + 1) / fs_hz])
    weights = anti_alias(wanted_s[None, :] - lattice_s[:, None], fs_hz, to_hz=FILTERED_HZ)
    weights /= weights.sum(axis=0)
    weights[layout.count - 1] += weights[layout.count :].sum(axis=0)
    weights = weights[: layout.count]
    if mains_hz is not None and mains_hz < fs_hz / 2:
        weights = _notched(weights.astype(np.float32), fs_hz, mains_hz)
        start = int((PART_S - 2 - NOTCH_REACH_S) * fs_hz)
    else:
        start = int(np.flatnonzero(weights.any(axis=1))[0])
    return start, np.ascontiguousarray(weights[start:], np.float32)


def _notched(weights: Float32Array, fs_hz: float, mains_hz: float) -> npt.NDArray[np.float64]:
    """The matrix of the notch before that of the resampling."""
    count = len(weights)
    rows = []
    for first in range(0, count, 256):  # a whole identity of 1000 Hz would fill 100 MB
        some = np.zeros((min(256, count - first), count), np.float32)
        some[np.arange(len(some)), first + np.arange(len(some))] = 1
        rows.append(notch(some, fs_hz, mains_hz=mains_hz).astype(np.float64) @ weights)
    return np.concatenate(rows)
