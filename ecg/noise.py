"""Noise: a lead in which beats cannot be told from what is none of the heart. Pure.

What the heart does repeats: each beat has others like it within some seconds, and between beats the signal rests. Of
muscle, motion and a loose electrode neither holds. Ectopic beats are few of a kind, but rest lies between them; atrial
fibrillation is irregular in time alone. What swings without rest and is no noise is a ventricular flutter or
fibrillation, told by its wave (``ecg.fibrillation``); and a lead that hardly moves is quiet, not noisy.
"""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from ecg.fibrillation import FLUTTER_LEAKAGE_ON, wave_leakage
from ecg.records import Float32Array

NOISE_FS_HZ = 100.0
CELL = 5  # samples: the slope's energy is summed over 50 ms, and over three of those: as long as a QRS
APART = 5  # cells: of two peaks within 0.25 s the steeper counts
EDGE = 6  # cells at either end in which no peak is looked for: part of its surroundings would lack
NEWEST, BEFORE = 6, 10  # how many peaks are compared, of the window and of what lies before: the steepest ones
QRS_BEFORE, QRS_AFTER = 10, 15  # samples around a peak, as in the personal baseline
REACH = 10  # samples around a cell's middle over which the slope's centre is taken
ALIGN = 6  # samples from there to the highest point, by which two beats are held against each other
RESTING = 0.3  # of the window's cells: P and T waves and ectopic beats leave as many at rest
HIGHEST = 4  # peaks whose mean steepness the rest is held against
REST_LIMITS = (-3.2, -1.2)  # beyond them, still more or still less rest tells nothing more
# Logistic regression of windows: strips that experts call noise, and DS1 and nsrdb under the Noise Stress Test's muscle
# noise at 0 dB and below, its other noises at -6 dB, against all other strips, DS1, svdb, nsrdb, the true alarms of the
# Challenge 2015, and vfdb but for what is marked as noise there. In 25 folds by patient they vary by 0.3, 0.12, 0.08
# and 0.3; the bias is set so that a fiftieth of the strips called normal have noise in half of their windows.
PER_LIKENESS, PER_REST, PER_KURTOSIS, BIAS = -6.7, 0.9, -0.3, 6.1
MAX_NOISE = 0.5  # probability from which a lead is noise
# In a lead that nowhere moves as far within 60 ms a QRS may be missing, not drowned: that is for the search for
# asystole, which takes no more than this for quiet either. Of what experts call noise a twentieth is as small.
QUIET_SWING_MV = 0.3
SWING_STEP = 6  # samples

_AROUND = np.arange(-REACH, REACH + 1)
_TOP = np.arange(-ALIGN, ALIGN + 1)
_QRS = np.arange(-QRS_BEFORE, QRS_AFTER)
_TINY = np.float32(1e-6)


class NoiseSigns(NamedTuple):
    """Signs by which noise is told, of N windows: (N,) float32 each.

    Attributes
    ----------
    likeness : of the window's steepest peaks, each with the one that is second most like it within the segment:
        correlation times the ratio of their sizes; mean over the peaks by their size
    rest : natural logarithm of the slope that ``RESTING`` of the window stays below, over that of its peaks
    kurtosis : natural logarithm of the window's kurtosis
    swing_mv : how far the window moves within 60 ms at most, mV
    """

    likeness: Float32Array
    rest: Float32Array
    kurtosis: Float32Array
    swing_mv: Float32Array


def noise_probability(segment: Float32Array, known_from: npt.NDArray[np.int64], *, window: int) -> Float32Array:
    """Return how likely an expert would call each of N leads noise: (N,) float32, each by its own row alone.

    Parameters
    ----------
    segment : (N, n) float32, mV at ``NOISE_FS_HZ``, band-passed; n is a multiple of 5
    known_from : (N,) the first sample that is known
    window : how many of the newest samples are judged, a multiple of 5, 100 or more; what lies before them tells what
        the patient's beats are like

    Source: signal quality by the likeness of beats and by kurtosis: Clifford et al., Physiol Meas 33 (2012) 1419,
    doi:10.1088/0967-3334/33/9/1419; Orphanidou et al., IEEE J Biomed Health Inform 19 (2015) 832,
    doi:10.1109/JBHI.2014.2338351. Ours holds each beat against its second best match instead of the mean of all, so
    that two kinds of beats are no noise, and needs no beat detector.
    """
    signs = noise_signs(segment, known_from, window=window)
    odds = PER_LIKENESS * signs.likeness + PER_REST * np.clip(signs.rest, *REST_LIMITS)
    odds += PER_KURTOSIS * signs.kurtosis + BIAS
    probability = np.asarray(1 / (1 + np.exp(-odds)), np.float32)
    probability[signs.swing_mv < QUIET_SWING_MV] = 0
    (suspects,) = np.nonzero(probability >= MAX_NOISE)
    if len(suspects):
        leakage = wave_leakage(np.ascontiguousarray(segment[suspects, -window:]), NOISE_FS_HZ, slow_too=True)
        probability[suspects[leakage < FLUTTER_LEAKAGE_ON]] = 0
    return probability


def noise_signs(segment: Float32Array, known_from: npt.NDArray[np.int64], *, window: int) -> NoiseSigns:
    """Measure N leads; see ``noise_probability``."""
    count, length = segment.shape
    energy = np.zeros((count, length), np.float32)
    np.subtract(segment[:, 2:], segment[:, :-2], out=energy[:, 1:-1])
    energy *= energy
    cells = energy[:, ::CELL].copy()
    for shift in range(1, CELL):
        cells += energy[:, shift::CELL]
    slope = np.zeros_like(cells)
    np.add(cells[:, :-2], cells[:, 2:], out=slope[:, 1:-1])
    slope[:, 1:-1] += cells[:, 1:-1]
    np.sqrt(slope, out=slope)
    for row in np.flatnonzero(known_from):
        slope[row, : known_from[row] // CELL + 1 + EDGE] = 0
    at, height = _peaks(slope, window // CELL)
    resting = slope[:, -(window // CELL) : -EDGE]
    rank = int(RESTING * resting.shape[1])
    still = np.partition(resting, rank, axis=1)[:, rank]
    steep = height[:, :HIGHEST].mean(axis=1)
    newest = segment[:, -window:] - segment[:, -window:].mean(axis=1, keepdims=True)
    newest *= newest
    variance = np.maximum(newest.mean(axis=1), _TINY * _TINY)
    newest *= newest
    return NoiseSigns(
        likeness=_likeness(segment, energy, at, height),
        rest=np.log(still / np.maximum(steep, _TINY) + np.float32(1e-3)),
        kurtosis=np.log(np.maximum(newest.mean(axis=1) / (variance * variance), np.float32(1))),
        swing_mv=np.abs(segment[:, SWING_STEP - window :] - segment[:, -window:-SWING_STEP]).max(axis=1),
    )


def _peaks(slope: Float32Array, window: int) -> tuple[npt.NDArray[np.int64], Float32Array]:
    """The steepest peaks' cells and steepness, (N, NEWEST + BEFORE) each, those of the window first; 0 for none."""
    count, cells = slope.shape
    edged = np.zeros((count, cells + 2 * APART), np.float32)
    edged[:, APART + EDGE : APART + cells - EDGE] = slope[:, EDGE : cells - EDGE]
    # The highest of 11 by those of 2, 4 and 8.
    highest = edged
    for step in (1, 2, 4):
        highest = np.maximum(highest[:, :-step], highest[:, step:])
    highest = np.maximum(highest[:, :cells], highest[:, 3 : 3 + cells])
    inside = edged[:, APART : APART + cells]
    height = np.where(inside == highest, inside, np.float32(0))
    newest = np.argsort(-height[:, cells - window :], axis=1, kind="stable")[:, :NEWEST] + (cells - window)
    before = np.argsort(-height[:, : cells - window], axis=1, kind="stable")[:, :BEFORE]
    at = np.concatenate([newest, before], axis=1)
    return at, np.take_along_axis(height, at, axis=1)


def _likeness(
    segment: Float32Array, energy: Float32Array, at: npt.NDArray[np.int64], height: Float32Array
) -> Float32Array:
    """See ``NoiseSigns``."""
    count, peaks = at.shape
    # Flat: taking is twice as fast so.
    values, energies = segment.ravel(), energy.ravel()
    row = (np.arange(count) * segment.shape[1])[:, None, None]
    # Where there is no peak any place does: it counts for nothing.
    middle = np.clip(at, EDGE, segment.shape[1] // CELL - EDGE) * CELL + CELL // 2
    weight = energies.take(row + middle[:, :, None] + _AROUND)
    offset = (weight * _AROUND.astype(np.float32)).sum(axis=2) / np.maximum(weight.sum(axis=2), _TINY * _TINY)
    centre = middle + np.rint(offset).astype(np.int64)
    near = np.abs(values.take(row + centre[:, :, None] + _TOP))
    top = np.clip(centre + near.argmax(axis=2) - ALIGN, QRS_BEFORE, segment.shape[1] - QRS_AFTER)
    beats = values.take(row + top[:, :, None] + _QRS)
    beats -= beats.mean(axis=2, keepdims=True)
    size = np.sqrt((beats * beats).sum(axis=2)) + _TINY
    beats /= size[:, :, None]
    newest = size[:, :NEWEST, None]
    alike = beats[:, :NEWEST] @ beats.transpose(0, 2, 1)
    alike *= np.minimum(newest, size[:, None]) / np.maximum(newest, size[:, None])
    alike[:, np.arange(NEWEST), np.arange(NEWEST)] = -1
    alike[np.broadcast_to((height <= 0)[:, None], alike.shape)] = -1
    second = np.partition(alike, peaks - 2, axis=2)[:, :, peaks - 2]
    share = size[:, :NEWEST] * (height[:, :NEWEST] > 0)
    return np.asarray((share * second).sum(axis=1) / np.maximum(share.sum(axis=1), _TINY), np.float32)
