"""An ECG told from other signals by its shape: steep complexes at the pace of a heart, and rest between them. Pure."""

import numpy as np
import numpy.typing as npt

from ecg.beats import QRS_BAND_HZ, find_beats
from ecg.filters import butterworth_band, zero_phase

PIECE_S = 10.0
_PIECES = 6
_MIN_PIECE_S = 3.0
MIN_BPM, MAX_BPM = 20.0, 250.0
# How far QRS complexes stand out of what lies between them, in the band of the QRS: in ten seconds of the excerpts 8 to
# 100, of noise of any colour, respiration, pulse waves and alpha waves 2 to 4.5.
MIN_PROMINENCE = 7.0
MIN_SHARE = 0.03  # of the swing that lies in that band: of a pulse wave 0.02, of an ECG with a wandering baseline 0.1
_AROUND_S = 0.1
_MAX_LEVEL = 0.9  # of samples that equal the one before: a step, a switch, a rate
_PAD = 15


def has_ecg_shape(values: npt.NDArray[np.float64], fs_hz: float) -> bool:
    """Return whether most of a signal looks like an ECG. A heart that does not beat does not.

    Parameters
    ----------
    values : (n,) in any unit, NaN where nothing was measured
    fs_hz : sampling rate, Hz
    """
    length = min(len(values), int(PIECE_S * fs_hz))
    if length < _MIN_PIECE_S * fs_hz:
        return False
    starts = np.unique(np.linspace(0, len(values) - length, _PIECES).astype(int))
    pieces = [values[start : start + length] for start in starts]
    judged = [_is_alike(piece, fs_hz) for piece in pieces if np.isfinite(piece).mean() > 0.5]
    return bool(judged) and 2 * sum(judged) >= len(judged)


def _is_alike(piece: npt.NDArray[np.float64], fs_hz: float) -> bool:
    known = np.flatnonzero(np.isfinite(piece))
    signal = np.interp(np.arange(len(piece)), known, piece[known])
    signal -= np.median(signal)
    swing = float(np.std(signal))
    if swing == 0 or not np.isfinite(swing) or np.mean(np.diff(signal) == 0) > _MAX_LEVEL:
        return False
    signal /= swing
    beats = find_beats(signal.astype(np.float32), fs_hz)
    if not MIN_BPM <= 60 * fs_hz * len(beats) / len(piece) <= MAX_BPM:
        return False
    band = np.abs(zero_phase(signal, butterworth_band(*QRS_BAND_HZ, fs_hz, len(signal) + 2 * _PAD), pad=_PAD))
    reach = int(_AROUND_S * fs_hz)
    near = np.zeros(len(band), np.bool_)
    tops = []
    for beat in beats:
        around = slice(max(0, int(beat) - reach), int(beat) + reach)
        near[around] = True
        tops.append(band[around].max())
    between = band[~near]
    if not len(between) or float(np.sqrt(np.mean(band * band))) < MIN_SHARE:
        return False
    return float(np.median(tops)) >= MIN_PROMINENCE * float(np.median(between))
