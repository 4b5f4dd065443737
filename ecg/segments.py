"""From raw samples to what the models see: one piece of code for training, the stream and files.

A segment is the window to be judged (its newest 5 s), the context before it, and before that what the filter needs.
Every segment of one sampling rate has one shape; what was never received, or lies before the stream's start, is
``MISSING``. The filter is ``ecg.second_filter``'s: whoever has filtered a signal second by second hands it over.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil

import numpy as np
import numpy.typing as npt

from ecg.holes import hiding, spans_of
from ecg.leads import MODEL_LEADS
from ecg.quality import MAX_MISSING, LeadQuality, lead_quality
from ecg.records import MISSING, Float32Array, Int16Array, exact_rate
from ecg.second_filter import (
    FILTERED_HZ,
    FINALS,
    MAX_HOLE_S,
    STEP_S,
    WARM_S,
    FilteredSignal,
    RawPart,
    layout_of,
    take_steps,
)
from ecg.windows import WINDOW_S, Grid

# Goes up when the same samples of a lead would give the models another input; which lead is judged is no part of it.
PREPROCESSING_VERSION = "2"
MODEL_FS_HZ = float(FILTERED_HZ)
CONTEXT_S = FINALS + STEP_S  # the window and 10 s before it: some ten beats to tell what is usual
SEGMENT_S = CONTEXT_S + WARM_S
MIN_SCALE_MV = 0.05  # a lead quieter than this is noise: it is not blown up to look like an ECG
CLIP = 8.0  # standard deviations; a pacing spike or an artefact must not drown the rest

MODEL_SAMPLES = int(CONTEXT_S * MODEL_FS_HZ)
WINDOW_SAMPLES = int(WINDOW_S * MODEL_FS_HZ)

Holes = tuple[tuple[int, int], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Preprocessing:
    """Settings of the preprocessing; the rest is fixed by its version.

    Attributes
    ----------
    mains_hz : mains frequency to notch out before resampling, 50 or 60; None for no notch
    """

    mains_hz: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Prepared:
    """N segments as the models see them.

    Attributes
    ----------
    inputs : (N, MODEL_LEADS, MODEL_SAMPLES) float32, normalised; the judged lead first, zeros where nothing is known
    judged : (N,) int8, column of the judged lead in the raw segment, one that is no noise before one that is; -1 where
        no lead can be judged
    noisy : (N,) whether the judged lead is noise, for there is none that is not: the window is not to be judged
    valid_from : (N,) int, first position in ``inputs`` where the judged lead is known
    quality : per raw column, the quality of its window
    holes : per row, positions [start, end) in ``inputs`` where a beat of the judged lead may hide in missing samples;
        what lies before the stream's start, or reaches over all of the context, is none
    whole : (N,) whether the judged lead lacks no sample from ``valid_from`` on
    lacking : (N,) whether too little was received of the lead to judge first, or of any where none can be judged
    """

    inputs: Float32Array
    judged: npt.NDArray[np.int8]
    noisy: npt.NDArray[np.bool_]
    valid_from: npt.NDArray[np.int64]
    quality: tuple[LeadQuality, ...]
    holes: tuple[Holes, ...]
    whole: npt.NDArray[np.bool_]
    lacking: npt.NDArray[np.bool_]

    @property
    def usable(self) -> npt.NDArray[np.bool_]:
        """(N,) whether the window can be judged."""
        return (self.judged >= 0) & ~self.noisy


def segment_samples(fs_hz: float) -> int:
    """Return how many raw samples a segment holds at a sampling rate in Hz."""
    return ceil(SEGMENT_S * exact_rate(fs_hz))


def filter_segments(
    raw: Int16Array,
    *,
    fs_hz: float,
    gain: npt.NDArray[np.float64],
    baseline: npt.NDArray[np.int64],
    settings: Preprocessing,
    second: int = SEGMENT_S,
) -> list[FilteredSignal]:
    """Filter segments of one sampling rate from their beginning, all at once.

    Parameters
    ----------
    raw : (N, n, columns) int16, ADC units, ``MISSING`` where nothing was received; n = ``segment_samples(fs_hz)``
    fs_hz : sampling rate in Hz
    gain : (N, columns), ADC units per mV
    baseline : (N, columns), ADC value of 0 mV
    settings : of the preprocessing
    second : with which they end; tells where a second's first sample lies if the rate is no whole number
    """
    rate = exact_rate(fs_hz)
    grid = Grid(rate)
    columns = raw.transpose(0, 2, 1)
    millivolts = columns.astype(np.float32, order="C")
    millivolts -= baseline[:, :, None].astype(np.float32)
    millivolts /= gain[:, :, None].astype(np.float32)
    missing = columns == MISSING
    parts = []
    for step in range(second - SEGMENT_S + 3, second + 1):
        layout = layout_of(rate, step % rate.denominator)
        end = raw.shape[1] - (grid.second(second) - grid.second(step))
        place = slice(end - layout.count, end)
        parts.append(RawPart(millivolts=millivolts[:, :, place], missing=missing[:, :, place], layout=layout))
    if not len(raw):
        return []
    nothing = FilteredSignal.before(raw.shape[2])
    steps = take_steps([nothing] * len(raw), parts, rate=rate, mains_hz=settings.mains_hz)
    return [after[-1].kept() for after in steps]


def prepare(raw: Int16Array, signals: Sequence[FilteredSignal], *, fs_hz: float) -> Prepared:
    """Normalise filtered segments of one sampling rate and judge their quality, all at once.

    Each row's result depends on that row alone, so any batch gives the same.

    Parameters
    ----------
    raw : (N, n, columns) int16, ADC units, ``MISSING`` where nothing was received; the lead to judge in column 0,
        its stand-in in column 1 where there is one; n = ``segment_samples(fs_hz)``
    signals : of each, filtered up to its end
    fs_hz : sampling rate in Hz
    """
    count, _, columns = raw.shape
    length = int(CONTEXT_S * exact_rate(fs_hz))
    by_lead = np.ascontiguousarray(raw[:, -length:].transpose(0, 2, 1))
    rows = by_lead.reshape(count * columns, length)
    missing = rows == MISSING
    known_from = np.zeros(len(rows), np.int64)
    lacks = missing.any(axis=1)
    for row in np.flatnonzero(lacks):
        known_from[row] = _known_from(missing[row], fs_hz)
    valid_from = np.minimum(np.ceil(known_from * (MODEL_FS_HZ / fs_hz)).astype(np.int64), MODEL_SAMPLES)
    filtered = _stacked([signal.segment() for signal in signals], (count * columns, MODEL_SAMPLES))
    normalised = _normalise(filtered, valid_from).reshape(count, columns, MODEL_SAMPLES)

    window = round(WINDOW_S * fs_hz)
    known_by_lead = valid_from.reshape(count, columns)
    of_all = lead_quality(rows[:, -window:], fs_hz, filtered=filtered, known_from=valid_from, window=WINDOW_SAMPLES)
    quality = tuple(of_all.every(columns, column) for column in range(columns))
    # A window with a long hole in it is known only behind the hole.
    known = known_by_lead <= MODEL_SAMPLES - (1 - MAX_MISSING) * WINDOW_SAMPLES
    usable = np.stack([lead.usable for lead in quality], axis=1) & known
    clean = usable & ~np.stack([lead.noisy for lead in quality], axis=1)
    noisy = usable.any(axis=1) & ~clean.any(axis=1)
    # Where all is noise, the first lead that is still tells of it.
    candidates = np.where(noisy[:, None], usable, clean)
    judged = np.where(candidates.any(axis=1), candidates.argmax(axis=1), -1).astype(np.int8)

    inputs = np.zeros((count, MODEL_LEADS, MODEL_SAMPLES), np.float32)
    every = np.arange(count)
    first = np.maximum(judged, 0)
    lead_row = every * columns + first
    too_little = np.stack([lead.missing > MAX_MISSING for lead in quality], axis=1) | ~known
    inputs[:, 0] = normalised[every, first]
    if columns > 1:
        other_usable = usable[every, 1 - first]
        inputs[:, 1] = np.where(other_usable[:, None], normalised[every, 1 - first], 0)
    inputs[judged < 0] = 0
    return Prepared(
        inputs=inputs,
        judged=judged,
        noisy=noisy,
        valid_from=valid_from[lead_row],
        quality=quality,
        holes=tuple(_holes(missing[row], fs_hz) if lacks[row] else () for row in lead_row),
        whole=np.array([not (lacks[row] and missing[row, known_from[row] :].any()) for row in lead_row], np.bool_),
        lacking=np.where(judged < 0, too_little.any(axis=1), too_little[:, 0]),
    )


def prepare_segments(
    raw: Int16Array,
    *,
    fs_hz: float,
    gain: Sequence[float] | npt.NDArray[np.float64],
    baseline: Sequence[int] | npt.NDArray[np.int64],
    settings: Preprocessing,
) -> Prepared:
    """Filter and prepare segments that are not part of a stream: see ``filter_segments`` and ``prepare``.

    Parameters
    ----------
    raw : (N, n, columns) int16, as ``prepare`` takes it
    fs_hz : sampling rate in Hz
    gain : (columns,) or (N, columns), ADC units per mV
    baseline : (columns,) or (N, columns), ADC value of 0 mV
    settings : of the preprocessing
    """
    shape = (len(raw), raw.shape[2])
    signals = filter_segments(
        raw,
        fs_hz=fs_hz,
        gain=np.broadcast_to(np.asarray(gain, np.float64), shape),
        baseline=np.broadcast_to(np.asarray(baseline, np.int64), shape),
        settings=settings,
    )
    return prepare(raw, signals, fs_hz=fs_hz)


def _stacked(each: Sequence[Float32Array], shape: tuple[int, int]) -> Float32Array:
    return np.stack(each).reshape(shape) if each else np.empty(shape, np.float32)


def _holes(missing: npt.NDArray[np.bool_], fs_hz: float) -> Holes:
    """Return where a beat may hide, at the models' rate; a missing beginning counts where it reaches the window."""
    scale = MODEL_FS_HZ / fs_hz
    spans = [(int(start * scale), ceil(end * scale)) for start, end in hiding(missing, fs_hz).tolist()]
    return tuple(span for span in spans if span[0] > 0 or span[1] > MODEL_SAMPLES - WINDOW_SAMPLES)


def _known_from(missing: npt.NDArray[np.bool_], fs_hz: float) -> int:
    """Return where the known signal begins: behind the last hole that is too long, or too many in the context."""
    spans = spans_of(missing)
    longest, window = int(MAX_HOLE_S * fs_hz), round(WINDOW_S * fs_hz)
    count = np.concatenate([[0], np.cumsum(missing)])
    cut = 0
    for start, end in spans.tolist():
        # The context is to be as good as a window: what lacks more than a tenth in 5 s is no context.
        crowded = end <= len(missing) - window and count[end] - count[max(0, end - window)] > MAX_MISSING * window
        if start == 0 or end - start > longest or crowded:
            cut = end
    return cut


def _normalise(filtered: Float32Array, valid_from: npt.NDArray[np.int64]) -> Float32Array:
    """Each row over its own standard deviation, zero where the row is not known."""
    known = np.arange(filtered.shape[1]) >= valid_from[:, None]
    count = np.maximum(known.sum(axis=1, keepdims=True), 1)
    mean = (filtered * known).sum(axis=1, keepdims=True) / count
    centred = (filtered - mean) * known
    scale = np.sqrt((centred**2).sum(axis=1, keepdims=True) / count)
    clipped: Float32Array = np.clip(centred / np.maximum(scale, MIN_SCALE_MV), -CLIP, CLIP).astype(np.float32)
    return clipped
