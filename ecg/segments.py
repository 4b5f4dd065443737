"""From raw samples to what the models see: one piece of code for training, the stream and files.

A segment is the window to be judged (its newest 5 s) with the context before it. Every segment of one sampling rate
has one shape; what was never received, or lies before the stream's start, is ``MISSING``.
"""

from dataclasses import dataclass
from math import ceil

import numpy as np
import numpy.typing as npt

from ecg.filters import band_pass, newest, notch, resample
from ecg.holes import fill, hiding, spans_of
from ecg.leads import MODEL_LEADS
from ecg.quality import MAX_MISSING, LeadQuality, lead_quality
from ecg.records import MISSING, Float32Array, Int16Array, exact_rate, to_millivolts
from ecg.windows import WINDOW_S

PREPROCESSING_VERSION = "1"  # goes up when the same samples would give the models another input
MODEL_FS_HZ = 100.0  # 40 Hz fits below its Nyquist rate, and 1,500 points hold 15 s
CONTEXT_S = 15  # the window and 10 s before it: some ten beats to tell what is usual
MAX_HOLE_S = 0.5  # longer holes are not bridged: a beat may hide in them
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
    judged : (N,) int8, column of the judged lead in the raw segment; -1 where no lead can be judged
    valid_from : (N,) int, first position in ``inputs`` where the judged lead is known
    quality : per raw column, the quality of its window
    holes : per row, positions [start, end) in ``inputs`` where a beat of the judged lead may hide in missing samples;
        what lies before the stream's start, or reaches over all of the context, is none
    whole : (N,) whether the judged lead lacks no sample from ``valid_from`` on
    lacking : (N,) whether too little was received of the lead to judge first, or of any where none can be judged
    """

    inputs: Float32Array
    judged: npt.NDArray[np.int8]
    valid_from: npt.NDArray[np.int64]
    quality: tuple[LeadQuality, ...]
    holes: tuple[Holes, ...]
    whole: npt.NDArray[np.bool_]
    lacking: npt.NDArray[np.bool_]


def segment_samples(fs_hz: float) -> int:
    """Return how many raw samples a segment holds at a sampling rate in Hz."""
    rate = exact_rate(fs_hz)
    return int(CONTEXT_S * rate)


def prepare(
    raw: Int16Array,
    *,
    fs_hz: float,
    gain: npt.NDArray[np.float64],
    baseline: npt.NDArray[np.int64],
    settings: Preprocessing,
) -> Prepared:
    """Filter, resample and normalise segments of one sampling rate, all at once.

    Each row's result depends on that row alone, so any batch gives the same.

    Parameters
    ----------
    raw : (N, n, columns) int16, ADC units, ``MISSING`` where nothing was received; the lead to judge in column 0,
        its stand-in in column 1 where there is one; n = ``segment_samples(fs_hz)``
    fs_hz : sampling rate in Hz
    gain : (N, columns), ADC units per mV
    baseline : (N, columns), ADC value of 0 mV
    """
    count, length, columns = raw.shape
    rows = np.ascontiguousarray(raw.transpose(0, 2, 1)).reshape(count * columns, length)
    millivolts = to_millivolts(rows[:, :, None], (1.0,), (0,))[:, :, 0]
    millivolts -= baseline.reshape(-1, 1).astype(np.float32)
    millivolts /= gain.reshape(-1, 1).astype(np.float32)
    missing = rows == MISSING
    known_from = _bridge(millivolts, missing, fs_hz)

    if settings.mains_hz is not None and settings.mains_hz < fs_hz / 2:
        millivolts = notch(millivolts, fs_hz, mains_hz=settings.mains_hz)
    resampled = newest(resample(millivolts, fs_hz, to_hz=MODEL_FS_HZ), MODEL_SAMPLES)
    valid_from = np.minimum(np.ceil(known_from * (MODEL_FS_HZ / fs_hz)).astype(np.int64), MODEL_SAMPLES)
    normalised = _normalise(band_pass(resampled, MODEL_FS_HZ), valid_from).reshape(count, columns, MODEL_SAMPLES)

    window = round(WINDOW_S * fs_hz)
    by_lead = rows.reshape(count, columns, length)
    window_mv = resampled.reshape(count, columns, MODEL_SAMPLES)[:, :, -WINDOW_SAMPLES:]
    quality = tuple(
        lead_quality(by_lead[:, column, -window:], fs_hz, resampled=window_mv[:, column], resampled_hz=MODEL_FS_HZ)
        for column in range(columns)
    )
    # A window with a long hole in it is known only behind the hole.
    known = valid_from.reshape(count, columns) <= MODEL_SAMPLES - (1 - MAX_MISSING) * WINDOW_SAMPLES
    usable = np.stack([lead.usable for lead in quality], axis=1) & known
    judged = np.where(usable.any(axis=1), usable.argmax(axis=1), -1).astype(np.int8)

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
        valid_from=valid_from[lead_row],
        quality=quality,
        holes=tuple(_holes(missing[row], fs_hz) for row in lead_row),
        whole=np.array([not missing[row, known_from[row] :].any() for row in lead_row], np.bool_),
        lacking=np.where(judged < 0, too_little.any(axis=1), too_little[:, 0]),
    )


def _holes(missing: npt.NDArray[np.bool_], fs_hz: float) -> Holes:
    """Return where a beat may hide, at the models' rate; a missing beginning counts where it reaches the window."""
    if not missing.any():
        return ()
    scale = MODEL_FS_HZ / fs_hz
    spans = [(int(start * scale), ceil(end * scale)) for start, end in hiding(missing, fs_hz).tolist()]
    return tuple(span for span in spans if span[0] > 0 or span[1] > MODEL_SAMPLES - WINDOW_SAMPLES)


def _bridge(rows: Float32Array, missing: npt.NDArray[np.bool_], fs_hz: float) -> npt.NDArray[np.int64]:
    """Fill short holes by a straight line, hold the first known value before the last long one; in place.

    Returns (rows,) where the known signal starts: the row's length where nothing is known.
    """
    known_from = np.zeros(len(rows), np.int64)
    for number in np.flatnonzero(missing.any(axis=1)):
        row, hole = rows[number], missing[number]
        known_from[number] = cut = _known_from(hole, fs_hz)
        fill(row, hole)
        if cut < len(row):
            row[:cut] = row[cut]
    return known_from


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
