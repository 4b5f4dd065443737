"""Evidence of P waves: what precedes the QRS is alike in sinus rhythm, and never twice the same in fibrillation."""

from collections.abc import Sequence
from statistics import fmean
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from ecg.records import Float32Array

# Before the R peak, s: PR intervals of 120 to 200 ms with the P wave in front, the QRS's own beginning left out.
BEFORE_S, UNTIL_S = 0.26, 0.06
QRS_BEFORE_S, QRS_AFTER_S = 0.08, 0.12
QRS_ALIKE = 0.8  # correlation with the median QRS: what is less alike is ventricular or no beat, and has no P wave
MIN_BEATS = 6  # fewer say nothing
FLOOR = 1e-3  # of the mean energy: the shape of a line that is nearly flat is noise
DIGITS = 4  # of what is published: the state that holds it is written as JSON


class PWaves(NamedTuple):
    """Evidence of P waves in some seconds of a lead.

    Attributes
    ----------
    alike : mean correlation of what lies before any two QRS complexes: 0.6 and more in sinus rhythm, around 0 in
        atrial fibrillation
    rest : root mean square of what differs there from beat to beat, over the height of the QRS: 0.02 in a clean lead,
        0.03 in fibrillation, 0.1 and more in noise
    """

    alike: float
    rest: float


def mean_p_waves(known: Sequence[PWaves]) -> PWaves | None:
    """Return the mean evidence of several stretches; None where there is none."""
    if not known:
        return None
    return PWaves(alike=fmean(each.alike for each in known), rest=fmean(each.rest for each in known))


def p_waves_in(leads: Float32Array, beats: Sequence[npt.NDArray[np.int64]], fs_hz: float) -> list[PWaves | None]:
    """Return the evidence of P waves in each of N leads.

    A row's evidence depends on that row alone, so any batch gives the same.

    Parameters
    ----------
    leads : (N, n) float32, filtered, any unit
    beats : R peaks of each, samples, ascending
    fs_hz : sampling rate, Hz

    Returns
    -------
    of each lead, None with fewer than ``MIN_BEATS`` beats that are like the usual one
    """
    first, until = round(BEFORE_S * fs_hz), round(UNTIL_S * fs_hz)
    before, after = round(QRS_BEFORE_S * fs_hz), round(QRS_AFTER_S * fs_hz)
    whole = [each[(each >= first) & (each + after <= leads.shape[1])] for each in beats]
    most = max(map(len, whole), default=0)
    if most < MIN_BEATS:
        return [None] * len(whole)
    at = np.full((len(whole), most), first, np.int64)
    there = np.zeros((len(whole), most), np.bool_)
    for row, each in enumerate(whole):
        at[row, : len(each)] = each
        there[row, : len(each)] = True
    segments = leads[np.arange(len(whole))[:, None, None], at[:, :, None] + np.arange(-first, after)]
    usual = _usual(segments[:, :, first - before :], there)
    count = usual.sum(axis=1)
    height = (np.ptp(segments[:, :, first - before :], axis=2) * usual).sum(axis=1)
    parts = _levelled(segments[:, :, : first - until]) * usual[:, :, None]
    energy = np.square(parts).sum(axis=2)
    power = energy.sum(axis=1)
    enough = (count >= MIN_BEATS) & (power > 0) & (height > 0)
    beats_in = np.where(enough, count, 2).astype(np.float32)
    floor = np.where(enough, FLOOR * power / beats_in, 1)
    unit = parts / np.sqrt(energy + floor[:, None])[:, :, None]
    pairs = np.square(unit.sum(axis=1)).sum(axis=1) - np.square(unit).sum(axis=(1, 2))
    alike = pairs / (beats_in * (beats_in - 1))
    same = np.square(parts.sum(axis=1) / beats_in[:, None]).sum(axis=1)
    differs = np.sqrt(np.maximum(power / beats_in - same, 0) / parts.shape[2])
    rest = differs * beats_in / np.where(enough, height, 1)
    return [
        PWaves(round(float(a), DIGITS), round(float(r), DIGITS)) if known else None
        for a, r, known in zip(alike, rest, enough, strict=True)
    ]


def _usual(qrs: Float32Array, there: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
    """(N, beats): which of the beats that are there look like the median one of their row."""
    centred = qrs - qrs.mean(axis=2, keepdims=True)
    count = there.sum(axis=1)
    ordered = np.sort(np.where(there[:, :, None], centred, np.inf), axis=1)
    median = ordered[np.arange(len(qrs)), np.maximum(count - 1, 0) // 2]
    median = np.where(np.isfinite(median), median, 0)
    product = (centred * median[:, None]).sum(axis=2)
    power = np.square(centred).sum(axis=2) * np.square(median).sum(axis=1)[:, None]
    return np.asarray(there & (product > 0) & (np.square(product) >= QRS_ALIKE**2 * power), np.bool_)


def _levelled(parts: Float32Array) -> Float32Array:
    """Each part less the straight line through it: what is left of the T wave before."""
    ramp = np.linspace(-1, 1, parts.shape[2], dtype=np.float32)
    level = parts - parts.mean(axis=2, keepdims=True)
    slope = (level * ramp).sum(axis=2, keepdims=True) / np.square(ramp).sum()
    levelled: Float32Array = level - slope * ramp
    return levelled
