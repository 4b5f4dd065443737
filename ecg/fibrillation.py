"""Ventricular flutter and fibrillation from the signal itself: there are no beats to find. Pure.

Without beats the ECG is a wave that swings about zero and never rests. Three rules tell it: a wave cancels itself when
half of its period is added to it, it is rarely near zero, and it holds little that is slower than a flutter. A QRS
complex does neither of the first two; broad beats without rest between them, as in bundle branch block, may do both,
but what repeats with each of them is slow.
"""

import math
from functools import cache

import numpy as np
import numpy.typing as npt

from ecg.records import Float32Array

# Flutter is no slower than 150/min. The mean frequency of a fibrillation, with all its ripples, lies below 9 Hz (SPEC
# algorithm of Barro et al., J Biomed Eng 11 (1989) 320). Muscle and mains are faster, chest compressions slower.
MIN_HZ = 2.5
MAX_HZ = 9.0
CROSSING = 0.2  # of the section's peak, as in the source
# The source calls 0.48 fibrillation by this rule alone. Beside the leakage it has less to do: it refuses one artefact
# in a quiet signal, and broad beats with rests between. In the flutter of record 207 it lies between 0.37 and 0.72.
MIN_CROSSING_SHARE = 0.4
# Share of the power that may be slower than a flutter. On vfdb 19 of 20 waves of 4 s in fibrillation have less, and
# three of four in other rhythms more than 0.47. No episode is lost down to here; at 0.25 two of 98 are.
SLOW_HZ = 2.25  # the slowest flutter, less half a line of the spectrum of four seconds
MAX_SLOW_SHARE = 0.3
MAX_LEAKAGE = 0.8  # nobody asks how far from a wave the rest is
# Leakage of the VF filter below which a window shows flutter or fibrillation where no QRS stands out: Jekova, Physiol
# Meas 21 (2000) 429, doi:10.1088/0967-3334/21/4/301. Flutter that lasts wavers up to 0.73 in record 207; a higher limit
# keeps it one finding.
FLUTTER_LEAKAGE = 0.625
FLUTTER_LEAKAGE_ON = 0.75
NO_WAVE = 1.0  # leakage of what is no such wave
_SECTION_S = 3
_TAPER_S = 0.25


def wave_leakage(lead: Float32Array, fs_hz: float, *, slow_too: bool = False) -> Float32Array:
    """Return how far N signals are from the wave of a ventricular flutter or fibrillation.

    Parameters
    ----------
    lead : (N, n) float32, one lead each, band-passed, any unit; 3 s or longer: one section of the threshold crossings
    fs_hz : sampling rate, Hz
    slow_too : whether a wave may be slower than a flutter

    Returns
    -------
    (N,) float32, leakage of the VF filter: near 0 for a sine, 0.2 to 0.7 in flutter and fibrillation, 0.7 to 0.95 where
    there are QRS complexes; ``NO_WAVE`` where frequency, threshold crossings or slow power speak against it

    Source: the VF filter of Kuo and Dillman, Computers in Cardiology (1978) 347, and its place among other methods:
    Amann et al., BioMed Eng OnLine 4 (2005) 60, doi:10.1186/1475-925X-4-60. Threshold crossing sample count: Arafat et
    al., Signal Image Video Process 5 (2011) 1, doi:10.1007/s11760-009-0136-1. Ours asks for both, for a frequency, and
    for little power below it.
    """
    magnitude = np.abs(lead)
    travel = np.abs(np.diff(lead, axis=1)).sum(axis=1)
    # Of a sine, the mean magnitude over the mean slope is its period over 2 pi.
    half = math.pi * magnitude.sum(axis=1) / np.maximum(travel, np.finfo(np.float32).tiny)
    shift = np.clip((half + 0.5).astype(np.int64), 1, lead.shape[1] - 1)
    position = np.arange(lead.shape[1]) - shift[:, None]
    inside = position >= 0
    before = np.take_along_axis(lead, np.maximum(position, 0), axis=1) * inside
    whole = ((magnitude + np.abs(before)) * inside).sum(axis=1)
    left = (np.abs(lead + before) * inside).sum(axis=1)
    wave = (half >= fs_hz / (2 * MAX_HZ)) & (half <= fs_hz / (2 * MIN_HZ)) & (whole > 0)
    wave &= _crossing_share(magnitude, fs_hz) >= MIN_CROSSING_SHARE
    leakage = np.where(wave, left / np.where(whole > 0, whole, 1), NO_WAVE)
    if not slow_too:
        for row in np.flatnonzero(leakage < MAX_LEAKAGE):  # few: the spectrum is not needed of what is no wave anyway
            if is_slow(lead[row], fs_hz):
                leakage[row] = NO_WAVE
    return np.asarray(leakage, np.float32)


def is_slow(lead: Float32Array, fs_hz: float) -> bool:
    """Return whether a wave is slower than a flutter: beats that are broad or follow each other without rest.

    Parameters
    ----------
    lead : (n,) float32, band-passed, any unit
    fs_hz : sampling rate, Hz
    """
    power = np.abs(np.fft.rfft((lead - lead.mean()) * np.hanning(len(lead)))) ** 2
    slow = round(SLOW_HZ * len(lead) / fs_hz)  # what a slant leaves at 0 Hz counts for nothing
    return bool(power[1:slow].sum() > MAX_SLOW_SHARE * power[1:].sum())


def _crossing_share(magnitude: Float32Array, fs_hz: float) -> npt.NDArray[np.float64]:
    """The share of samples beyond ``CROSSING`` of the peak, mean over sections of 3 s that begin every second."""
    step, section = round(fs_hz), round(_SECTION_S * fs_hz)
    sections = np.lib.stride_tricks.sliding_window_view(magnitude, section, axis=1)[:, ::step]
    limit = CROSSING * sections.max(axis=2, keepdims=True)
    return np.asarray((sections * _taper(section, round(_TAPER_S * fs_hz)) > limit).mean(axis=(1, 2)), np.float64)


@cache
def _taper(length: int, edge: int) -> Float32Array:
    """One, falling to zero at both ends along half a cosine."""
    rise = 0.5 * (1 - np.cos(math.pi * np.arange(edge) / edge))
    window = np.ones(length, np.float32)
    window[:edge] = rise
    window[length - edge :] = rise[::-1]
    return window
