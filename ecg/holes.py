"""Holes: samples that were never received, and how far the signal can be known in spite of them. Pure.

A hole is evidence of nothing. One so short that no QRS can hide in it is bridged by a straight line and does no harm;
any longer one may hide a beat, so nothing is concluded across it: no interval, no silence, no wave, no shape.
"""

import numpy as np
import numpy.typing as npt

from ecg.records import MISSING, Float32Array, Int16Array

# A QRS lasts 80 to 120 ms, its steepest flank 30 or more: with 20 ms of it gone, most of its swing is still there.
HIDES_S = 0.02
BITS_WITHIN = 3  # times so long: of that, no more than ``HIDES_S`` may be missing in bits either
# Of a lead that is judged by itself in such short bits; with more, what is left between them is too little of a shape.
MAX_BITS = 0.05

Spans = npt.NDArray[np.int64]  # (n, 2): [start, end) of each


def spans_of(mask: npt.NDArray[np.bool_]) -> Spans:
    """Return the stretches of a mask (n,) that are true, ascending."""
    return np.flatnonzero(np.diff(mask, prepend=False, append=False)).reshape(-1, 2).astype(np.int64)


def longest_harmless(fs_hz: float) -> int:
    """Return how many samples in a row may be missing without a beat being lost among them."""
    return int(HIDES_S * fs_hz)


def fill(row: Float32Array, missing: npt.NDArray[np.bool_]) -> None:
    """Draw straight lines over the holes of one signal, in place; what lies outside stays level, all missing is 0.

    Parameters
    ----------
    row : (n,) float32, one lead
    missing : (n,) whether a sample was never received
    """
    known = np.flatnonzero(~missing)
    row[missing] = np.interp(np.flatnonzero(missing), known, row[known]) if len(known) else 0


def hiding(missing: npt.NDArray[np.bool_], fs_hz: float) -> Spans:
    """Return the holes of one signal in which a beat may hide, each from its first missing sample to its last.

    A stretch in which a third is missing in short bits is such a hole too: what is left of a QRS is no QRS.

    Parameters
    ----------
    missing : (n,) whether a sample was never received
    fs_hz : sampling rate, Hz
    """
    longest = longest_harmless(fs_hz)
    within = BITS_WITHIN * longest
    count = np.concatenate([[0], np.cumsum(missing)])
    dense = np.flatnonzero(count[within:] - count[:-within] > longest) if len(missing) >= within else np.empty(0, int)
    change = np.zeros(len(missing) + 1, np.int64)
    np.add.at(change, dense, 1)
    np.add.at(change, dense + within, -1)
    spans = spans_of(np.cumsum(change[:-1]) > 0)
    for span in spans:
        at = np.flatnonzero(missing[span[0] : span[1]])
        span[:] = span[0] + at[0], span[0] + at[-1] + 1
    return spans


def harmless(raw: Int16Array, fs_hz: float) -> npt.NDArray[np.bool_]:
    """Return which of N raw signals lack so little, in bits so short, that they can be judged: (N,) bool.

    Parameters
    ----------
    raw : (N, n) int16, ADC units, ``MISSING`` where nothing came
    fs_hz : sampling rate, Hz
    """
    missing = raw == MISSING
    whole = np.asarray(missing.mean(axis=1) <= MAX_BITS, np.bool_)
    for number in np.flatnonzero(missing.any(axis=1) & whole):
        whole[number] = len(hiding(missing[number], fs_hz)) == 0
    return whole
