"""Rapid checks for what kills within minutes, each second over the newest four: no beat, a wave, strange fast beats.

A rapid check is cheap and needs no network: all patients' checks are measured together (``measure``), and few of them
are worth the second step (``judge_check``). The windows' findings stay what they are; a check only tells the same
sooner.

A sample that was never received is evidence of nothing. A lead that lacks more than harmless bits (``ecg.holes``) is
not judged and teaches nothing; the other, when whole, is. What did come of the former can still speak for a beat.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt

from ecg.fibrillation import FLUTTER_LEAKAGE, is_slow, wave_leakage
from ecg.findings import LethalKind
from ecg.holes import harmless, spans_of
from ecg.quality import MAX_FLAT, flat_share
from ecg.records import MISSING, Float32Array, Int16Array
from ecg.rhythm import VT_BEATS, VT_BPM
from ecg.segments import MODEL_FS_HZ
from ecg.usual_swing import WAVE_CHECKS, UsualSwing

# Asystole is 4 s without QRS, and four seconds of fibrillation are one, as bedside monitors were judged by in the
# PhysioNet/CinC Challenge 2015: doi:10.1109/CIC.2015.7408639.
CHECK_S = 4
CHECK_SAMPLES = round(CHECK_S * MODEL_FS_HZ)
SWING_STEP = 6  # samples: a QRS climbs within 60 ms what a T wave takes 150 for; the baseline hardly moves in it
# Share of the lead to judge first that must have come for it to speak against a stand-in's flutter: with a quarter of
# a fibrillation replaced by lines the rest of it still swings without rest, and a QRS between rests is still one.
WITNESS = 0.75
HOLE_REACH = 3  # samples beside a hole that the filter against aliasing still colours by it
# The newest two seconds are still when no swing in them is a beat's, noise allowed for, and the electrode holds. The
# beats that the networks do not find in motion, or in a fine fibrillation, are no silence: it needs a still stretch.
# Chosen on the 93 silences that windows alone find in vfdb.
STILL_S = 2
STILL_SHARE = 1.5  # times the swing below which there is no QRS
MAX_DRIFT_MV = 2.5  # of the baseline in that time; more is an electrode that moves, or an amplifier that recovers
# A baseline that moves like the complexes makes strange beats: both limits are to be passed. On vfdb, 18 of 26 false
# tachycardias lie in such signal for half of their checks or more, and 4 of 78 in tachycardia and high grade ectopy.
SWAY_MV = 0.8
SWAY_SHARE = 0.4  # of the range of the filtered signal in that time
# Another lead that shows complexes with rest between them speaks against a wave: its slope is peaked (kurtosis, 2 to 4
# in fibrillation) and it is no wave itself. Of Challenge 2015's false alarms of fibrillation the same fall from 8 on.
PEAKED = 12.0
RESTING_LEAKAGE = 0.8
# Peaks that may be beats of a ventricular tachycardia. The last three limits were chosen on DS1 and on five of its
# records under each noise of the Noise Stress Test at 12, 6 and 0 dB: without any one of them there are false ones, and
# each has room to both sides. What has beats of many shapes is left to the windows.
PEAK_APART = 25  # samples: no beat has two peaks 0.25 s apart, and 240/min is told as flutter
PEAK_SHARE = 0.4  # of the check's highest: beats of one run are of like size
ALIGN = 6  # samples; the peak of a strange beat is another point of the complex than that of a usual one
UNLIKE = 0.3  # one minus the correlation with the usual QRS, at the best alignment
ALIKE = 0.9  # correlation of each beat with the run's mean: noise has no two peaks of one shape
STEADY = 1.3  # longest interval over the shortest: fast atrial fibrillation is not that regular
BEAT_BEFORE, BEAT_AFTER = 10, 15  # samples around a peak, as in the personal baseline


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """One rapid check, measured.

    Attributes
    ----------
    judged : column of the lead that is judged, None where every lead is off
    usable : by column, whether a lead is on and lacks no more than harmless bits; a line that does not move is a lead
        that is off, and no asystole
    received : by column, whether a lead lacks no sample
    off : by column, whether a line does not move
    swing_mv : by column, the largest swing within 60 ms, both of whose ends were received
    newest_swing_mv : by column, the same within the newest ``STILL_S``
    drift_mv : by column, how far the baseline wanders in that time
    sways : by column, whether it moves as the complexes do
    resting : by column, whether the lead shows complexes and rest while the judged one is a wave
    leakage : of the VF filter over the judged lead; where it stands in for one that lacks a little, the higher of both
    slow : whether its wave is slower than a flutter
    signal : (CHECK_SAMPLES,) float32, mV, the judged lead, band-passed
    peaks : its peaks, where some lie as close as the beats of a tachycardia; else empty
    """

    judged: int | None
    usable: tuple[bool, ...]
    received: tuple[bool, ...]
    off: tuple[bool, ...]
    swing_mv: tuple[float, ...]
    newest_swing_mv: tuple[float, ...]
    drift_mv: tuple[float, ...]
    sways: tuple[bool, ...]
    resting: tuple[bool, ...]
    leakage: float
    slow: bool
    signal: Float32Array
    peaks: npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Sign:
    """Finding of a check.

    Attributes
    ----------
    kind : what
    from_s : where in the check it begins, s from the check's start
    value, limit, unit : what was measured and the limit that it crossed
    reason : in words
    """

    kind: LethalKind
    from_s: float
    value: float
    limit: float
    unit: str
    reason: str


def measure(raw: Int16Array, resampled: Float32Array, filtered: Float32Array, *, fs_hz: float) -> list[Measured]:
    """Measure checks of one sampling rate, all at once; each one's result depends on it alone.

    Parameters
    ----------
    raw : (N, n, columns) int16, ADC units, ``MISSING`` where nothing came; the lead to judge in column 0; n samples
        are ``CHECK_S``
    resampled, filtered : (N, columns, CHECK_SAMPLES) float32, mV, the same at the models' rate, before and after the
        band-pass; the former NaN where nothing is known
    fs_hz : sampling rate, Hz
    """
    count, length, columns = raw.shape
    rows = np.ascontiguousarray(raw.transpose(0, 2, 1)).reshape(count * columns, length)
    missing = rows == MISSING
    received = ~missing.any(axis=1)
    flat_rows = resampled.reshape(count * columns, CHECK_SAMPLES)
    swings = np.abs(flat_rows[:, SWING_STEP:] - flat_rows[:, :-SWING_STEP])
    whole = received.copy()
    for number in np.flatnonzero(~received):
        (whole[number],) = harmless(rows[None, number], fs_hz)
        if not whole[number]:
            known = _known(missing[number], fs_hz)
            swings[number] *= known[SWING_STEP:] & known[:-SWING_STEP]
    # Where nothing is known there is no number, and no swing.
    newest = np.nan_to_num(np.fmax.reduce(swings[:, -_STILL_SAMPLES + SWING_STEP :], axis=1)).reshape(count, columns)
    swing = np.nan_to_num(np.fmax.reduce(swings, axis=1)).reshape(count, columns)
    baseline = resampled[:, :, -_STILL_SAMPLES:] - filtered[:, :, -_STILL_SAMPLES:]
    drift = np.nan_to_num(np.fmax.reduce(baseline, axis=2) - np.fmin.reduce(baseline, axis=2))
    sways = (drift >= SWAY_MV) & (drift >= SWAY_SHARE * np.ptp(filtered[:, :, -_STILL_SAMPLES:], axis=2))
    off = np.asarray(flat_share(rows, fs_hz) > MAX_FLAT, np.bool_).reshape(count, columns)
    usable = whole.reshape(count, columns) & ~off
    judged = usable.argmax(axis=1)
    signal = filtered[np.arange(count), judged]
    leakage = wave_leakage(signal, MODEL_FS_HZ, slow_too=True)
    for number in np.flatnonzero((judged > 0) & ~off[:, 0] & (leakage < FLUTTER_LEAKAGE)):
        if 1 - missing[number * columns].mean() >= WITNESS:
            leakage[number] = max(leakage[number], *wave_leakage(filtered[number, :1], MODEL_FS_HZ, slow_too=True))
    resting = np.zeros((count, columns), np.bool_)
    slow = np.zeros(count, np.bool_)
    for number in np.flatnonzero(leakage < FLUTTER_LEAKAGE):
        slow[number] = is_slow(signal[number], MODEL_FS_HZ)
        resting[number] = _resting(filtered[number]) & usable[number]
    columns_of = zip(
        judged.tolist(),
        usable.tolist(),
        received.reshape(count, columns).tolist(),
        off.tolist(),
        swing.tolist(),
        newest.tolist(),
        drift.tolist(),
        sways.tolist(),
        resting.tolist(),
        leakage.tolist(),
        slow.tolist(),
        signal,
        _close_peaks(signal),
        strict=True,
    )
    return [
        Measured(
            judged=column if any(may_be) else None,
            usable=tuple(may_be),
            received=tuple(came),
            off=tuple(still),
            swing_mv=tuple(swings_mv),
            newest_swing_mv=tuple(newest_mv),
            drift_mv=tuple(wander_mv),
            sways=tuple(moves),
            resting=tuple(rests),
            leakage=leak,
            slow=lazy,
            signal=one,
            peaks=peaks,
        )
        for (
            column,
            may_be,
            came,
            still,
            swings_mv,
            newest_mv,
            wander_mv,
            moves,
            rests,
            leak,
            lazy,
            one,
            peaks,
        ) in columns_of
    ]


def judge_check(check: Measured, usual: UsualSwing, usual_qrs: Float32Array | None) -> tuple[UsualSwing, Sign | None]:
    """Return what a check shows, the deadliest first; the checks of a patient are to come in their order.

    Parameters
    ----------
    check : as it was measured
    usual : what was usual before it
    usual_qrs : the patient's usual QRS in the judged lead, any unit, ``BEAT_BEFORE`` samples before its R peak and
        ``BEAT_AFTER`` from it on; None while it is not known

    Returns
    -------
    what is usual after it, and what was found

    Source: the two rules on waves are those of ``ecg.fibrillation``, on four seconds. Four seconds without QRS, and
    five ventricular beats at 100/min, are the definitions of the Challenge 2015 (see ``CHECK_S``); how both are seen
    here is our own.
    """
    if check.judged is None:
        return usual, None
    on = [column for column, off in enumerate(check.off) if not off]
    steady = all(check.drift_mv[column] < MAX_DRIFT_MV for column in on)
    quiet_mv = [usual.quiet_mv(column) for column in on]  # this check has no say in it
    low = [check.swing_mv[column] < quiet for column, quiet in zip(on, quiet_mv, strict=True)]
    still = steady and all(
        check.newest_swing_mv[column] < STILL_SHARE * quiet for column, quiet in zip(on, quiet_mv, strict=True)
    )
    # What is as low as noise may be noise.
    rests = any(check.resting[column] and not is_low for column, is_low in zip(on, low, strict=True))
    wave = check.leakage < FLUTTER_LEAKAGE and not rests
    usual = usual.after(still=still, wave=wave, slow=check.slow, sway=check.sways[check.judged])
    # A beat in what was received of any lead, be it in bits, is a beat; only a line that does not move tells nothing.
    if all(low):
        # What one with holes may have shown, another must have been seen to show: in V1 a QRS may be below 0.1 mV.
        lacking = not all(check.usable[column] for column in on)
        if lacking and not any(check.usable[column] and usual.tall(column) for column in on):
            return usual, None
        if not steady:  # what an amplifier at its rail, or an electrode that moves, does not show is not known
            return usual, None
        return usual, Sign(
            kind="asystole",
            from_s=0.0,
            value=float(CHECK_S),
            limit=float(CHECK_S),
            unit="s",
            reason=f"no QRS in {CHECK_S} s",
        )
    if len(on) == len(check.off):
        usual = usual.with_check(check.swing_mv, check.received)
    if usual.waves == WAVE_CHECKS:
        return usual, Sign(
            kind="ventricular_tachycardia" if check.slow else "ventricular_flutter",
            from_s=0.0,
            value=round(check.leakage, 3),
            limit=FLUTTER_LEAKAGE,
            unit="leakage",
            reason="ventricular tachycardia: new broad waves without rest"
            if check.slow
            else f"ventricular flutter or fibrillation, {CHECK_S} s",
        )
    # Where the baseline sways, strange beats may be motion.
    return usual, None if usual_qrs is None or check.sways[check.judged] else _tachycardia(check, usual_qrs)


def _tachycardia(check: Measured, usual_qrs: Float32Array) -> Sign | None:
    """The newest run of strange beats that are alike, steady and fast, if there is one."""
    # Plain numbers first: few checks hold five peaks that are fast and steady enough to be looked at.
    first, end = BEAT_BEFORE + ALIGN, CHECK_SAMPLES - BEAT_AFTER - ALIGN
    whole = [peak for peak in check.peaks.tolist() if first <= peak < end]
    runs = [last for last in range(len(whole), VT_BEATS - 1, -1) if _fast_and_steady(whole[last - VT_BEATS : last])]
    if not runs:
        return None
    peaks = np.array(whole)
    strange = 1 - _likeness(check.signal, peaks, usual_qrs) >= UNLIKE
    for last in runs:
        run = slice(last - VT_BEATS, last)
        if strange[run].all() and _alike(check.signal, peaks[run]):
            rate_bpm = _rate_bpm(whole[run])
            return Sign(
                kind="ventricular_tachycardia",
                from_s=whole[run][0] / MODEL_FS_HZ,
                value=round(rate_bpm, 1),
                limit=VT_BPM,
                unit="/min",
                reason=f"ventricular tachycardia, {VT_BEATS} beats at {rate_bpm:.0f}/min",
            )
    return None


def _rate_bpm(run: Sequence[int]) -> float:
    return (len(run) - 1) * 60 * MODEL_FS_HZ / (run[-1] - run[0])


def _fast_and_steady(run: Sequence[int]) -> bool:
    intervals = [after - before for before, after in pairwise(run)]
    return _rate_bpm(run) >= VT_BPM and max(intervals) <= STEADY * min(intervals)


_STILL_SAMPLES = round(STILL_S * MODEL_FS_HZ)
_AROUND = np.arange(-ALIGN, ALIGN + 1)[:, None] + np.arange(-BEAT_BEFORE, BEAT_AFTER)


def _likeness(signal: Float32Array, peaks: npt.NDArray[np.int64], shape: npt.NDArray[Any]) -> npt.NDArray[np.float64]:
    """The correlation of the beats at ``peaks`` with a shape, each at its best alignment."""
    beats = signal.take(peaks[:, None, None] + _AROUND).astype(np.float64)
    beats -= beats.sum(axis=2, keepdims=True) / beats.shape[2]
    about = shape - shape.mean()
    norm = np.sqrt((beats**2).sum(axis=2) * (about**2).sum())
    return np.asarray(((beats @ about) / np.maximum(norm, 1e-9)).max(axis=1), np.float64)


def _alike(signal: Float32Array, run: npt.NDArray[np.int64]) -> bool:
    mean = signal[run[:, None] + np.arange(-BEAT_BEFORE, BEAT_AFTER)].mean(axis=0)
    return bool((_likeness(signal, run, mean) >= ALIKE).all())


def _highest_around(rows: Float32Array, width: int) -> Float32Array:
    """Of each sample of each row, the highest of the ``width`` around it; ``width`` is odd."""
    edge = np.full((len(rows), width // 2), -np.inf, np.float32)
    highest, seen = np.concatenate([edge, rows, edge], axis=1), 1
    while seen < width:
        step = min(seen, width - seen)
        highest = np.maximum(highest[:, :-step], highest[:, step:])
        seen += step
    return highest


def _close_peaks(signal: Float32Array) -> list[npt.NDArray[np.int64]]:
    """The peaks of each row in which ``VT_BEATS`` of them lie close enough for a tachycardia."""
    magnitude = np.abs(signal)
    highest = _highest_around(magnitude, PEAK_APART)
    at_peak = (magnitude == highest) & (magnitude > PEAK_SHARE * magnitude.max(axis=1, keepdims=True))
    span = (VT_BEATS - 1) * 60 / VT_BPM * MODEL_FS_HZ
    none = np.empty(0, np.int64)
    found = []
    for row, many in zip(at_peak, at_peak.sum(axis=1) >= VT_BEATS, strict=True):
        peaks = np.flatnonzero(row) if many else none
        close = many and (peaks[VT_BEATS - 1 :] - peaks[: -VT_BEATS + 1]).min() <= span
        found.append(peaks if close else none)
    return found


def _resting(leads: Float32Array) -> npt.NDArray[np.bool_]:
    """Return which of some leads show complexes with rest between them."""
    slope = np.diff(leads.astype(np.float64), axis=1) ** 2
    power = slope.mean(axis=1)
    peaked = (slope**2).mean(axis=1) > PEAKED * power**2
    return np.asarray(peaked & (wave_leakage(leads, MODEL_FS_HZ, slow_too=True) >= RESTING_LEAKAGE), np.bool_)


def _known(missing: npt.NDArray[np.bool_], fs_hz: float) -> npt.NDArray[np.bool_]:
    """Return where at the models' rate a signal with holes is what was received: (CHECK_SAMPLES,)."""
    known = np.ones(CHECK_SAMPLES, np.bool_)
    scale = MODEL_FS_HZ / fs_hz
    for start, end in spans_of(missing):
        known[max(0, int(start * scale) - HOLE_REACH) : int(np.ceil(end * scale)) + HOLE_REACH] = False
    return known
