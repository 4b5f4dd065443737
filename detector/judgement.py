"""From what the networks say of a window to its scores and beats, against what is usual for the patient. Pure.

The networks see 15 s. Whether a beat is early, a QRS strange or a rhythm irregular is told by the minutes before, so
the classes of beats and the fused score are settled here, window after window, in the order of the patient's stream.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import exp, log
from typing import NamedTuple

import numpy as np

from detector.baseline import USUAL_PREMATURITY, PersonalBaseline
from detector.beat_map import AamiClass
from detector.manifest import Calibration, PersonalReading
from detector.score import Score
from ecg.beats import REFRACTORY_S
from ecg.segments import MODEL_FS_HZ, MODEL_SAMPLES

SETTLE_NS = 500_000_000  # a beat is reported once half a second has followed it: its T wave tells it from noise
OVERLAP_NS = 300_000_000  # a beat that the window before placed just behind its end and this one just before
REFRACTORY_NS = round(REFRACTORY_S * 1e9)
LIMIT = 8.0  # of evidence as log odds: no one source may outvote all others
CNN_LIMIT = 6.0  # of the CNN's log odds of a class
SURELY_NORMAL = 0.7  # share of class N from which a beat shapes the usual QRS
LEAST_SHARE = 1e-4  # nothing is quite impossible
_NO_BEAT = -4.0  # evidence of a window without beats


class BeatFeatures(NamedTuple):
    """Features that a beat is classed by.

    Attributes
    ----------
    ventricular_odds : ln(V / (N + S)) of its shares
    supraventricular_odds : ln(S / N) of its shares
    unlikeness : one minus its QRS's correlation with the usual one
    difference : root mean square difference between the two
    prematurity : ln(usual RR / its RR), 0 where it is not early or that is not known
    regularity : of the rhythm before it
    """

    ventricular_odds: float
    supraventricular_odds: float
    unlikeness: float
    difference: float
    prematurity: float
    regularity: float


class JudgedBeat(NamedTuple):
    """A beat with its class.

    Attributes
    ----------
    t_ns : its time, ns UTC
    beat_class : AAMI class; None where part of its QRS was not received, which is no evidence of any
    confidence : probability of that class
    features : what it was classed by
    ectopic, supraventricular : log odds of being ventricular or fusion, and of being supraventricular
    """

    t_ns: int
    beat_class: AamiClass | None
    confidence: float | None
    features: BeatFeatures
    ectopic: float
    supraventricular: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """Evidence for an abnormal window, each as log odds but for the last.

    Attributes
    ----------
    cnn, autoencoder : of the two networks, calibrated
    ventricular, supraventricular : of the beat in the window that is the most so
    irregularity : one minus the rhythm's regularity
    """

    cnn: float
    autoencoder: float
    ventricular: float
    supraventricular: float
    irregularity: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Judgement:
    """A window judged.

    Attributes
    ----------
    beats : those since the last one reported, up to half a second before the window's end
    evidence : None where no lead could be judged
    cnn, autoencoder, fused : calibrated probabilities of an abnormal window
    """

    beats: tuple[JudgedBeat, ...] = ()
    evidence: Evidence | None = None
    cnn: float | None = None
    autoencoder: float | None = None
    fused: float | None = None


class _Beat(NamedTuple):
    """A beat on its way to a class: what the networks and the usual QRS say of it."""

    t_ns: int
    shares: tuple[float, float, float, float]
    ventricular_odds: float
    unlikeness: float
    difference: float
    whole: bool  # all of it was received
    ventricular: float  # log odds
    ectopic: float  # log odds of being ventricular or fusion


def settled(times_ns: Sequence[int], *, new_from_ns: int, end_ns: int, last_ns: int | None) -> list[int]:
    """Return which of a window's beats are to be reported with it: the indices of those that are new and sure.

    Parameters
    ----------
    times_ns : times of the beats, ascending
    new_from_ns, end_ns : the part of the window that no window before it held
    last_ns : the last beat reported before
    """
    earliest = new_from_ns - SETTLE_NS - OVERLAP_NS
    if last_ns is not None:
        earliest = max(earliest, last_ns + REFRACTORY_NS)
    chosen = []
    for index, t_ns in enumerate(times_ns):
        if earliest <= t_ns < end_ns - SETTLE_NS:
            chosen.append(index)
            earliest = t_ns + REFRACTORY_NS
    return chosen


def time_of(position: int, end_ns: int) -> int:
    """Return when a position at the models' rate was, ns UTC, in the segment that ends at ``end_ns``."""
    return end_ns - round((MODEL_SAMPLES - position) / MODEL_FS_HZ * 1e9)


def judge_window(
    baseline: PersonalBaseline,
    score: Score,
    *,
    start_ns: int,
    new_from_ns: int,
    end_ns: int,
    reading: PersonalReading,
    calibration: Calibration,
) -> tuple[PersonalBaseline, Judgement]:
    """Judge a window; the windows of a patient are to come in their order.

    Parameters
    ----------
    baseline : what was usual before the window
    score : what the networks say of it
    start_ns, new_from_ns, end_ns : the window, and from where on no window before it held it
    reading, calibration : of the models' manifest

    Returns
    -------
    what is usual after it, and the judgement
    """
    if score.logit is None or score.log_error is None:
        return baseline, Judgement()
    times = [time_of(finding.position, end_ns) for finding in score.beats]
    breaks_ns = [time_of(end, end_ns) for _, end in score.holes]
    beats = _weigh(baseline, score, times, reading)
    new = settled(times, new_from_ns=new_from_ns, end_ns=end_ns, last_ns=baseline.last_beat_ns)
    after, judged = _class_all(baseline, [beats[index] for index in new], breaks_ns, reading)
    # What has not settled counts for the window, but nothing is learned from it yet.
    _, unsettled = _class_all(after, [beat for beat in beats if beat.t_ns >= end_ns - SETTLE_NS], breaks_ns, reading)
    ordinary = [
        score.beats[index].qrs
        for index, beat in zip(new, judged, strict=True)
        if beats[index].whole
        and beats[index].shares[0] >= SURELY_NORMAL
        and beat.features.prematurity <= USUAL_PREMATURITY
    ]
    if ordinary:
        after = after.with_qrs(np.stack(ordinary), score.lead)
    after = after.with_regularity()
    # Reported with a window before, and still in this one where windows overlap: how early they came was told then.
    earlier = [
        beat for beat in beats if start_ns <= beat.t_ns <= (baseline.last_beat_ns or 0) and beat.t_ns < new_from_ns
    ]
    _, before = _class_all(baseline, earlier, breaks_ns, reading)
    every = (*before, *judged, *unsettled)
    inside = [beat for beat in every if beat.t_ns >= start_ns and beat.beat_class is not None]

    cnn = calibration.cnn_slope * score.logit + calibration.cnn_bias
    log_error = baseline.error_above_usual(
        score.log_error, prior=calibration.usual_log_error, share=calibration.usual_share
    )
    if cnn < 0 and score.whole:
        after = after.with_error(score.log_error)
    evidence = Evidence(
        cnn=_limited(cnn, LIMIT),
        autoencoder=_limited(calibration.autoencoder_slope * log_error + calibration.autoencoder_bias, LIMIT),
        ventricular=max((beat.ectopic for beat in inside), default=_NO_BEAT),
        supraventricular=max((beat.supraventricular for beat in inside), default=_NO_BEAT),
        irregularity=1 - after.regularity,
    )
    return after, Judgement(
        beats=judged,
        evidence=evidence,
        cnn=_logistic(evidence.cnn),
        autoencoder=_logistic(evidence.autoencoder),
        fused=_logistic(fused(evidence, calibration)),
    )


def fused(evidence: Evidence, calibration: Calibration) -> float:
    """The log odds of an abnormal window from all evidence."""
    return (
        calibration.fused_cnn * evidence.cnn
        + calibration.fused_autoencoder * evidence.autoencoder
        + calibration.fused_ventricular * evidence.ventricular
        + calibration.fused_supraventricular * evidence.supraventricular
        + calibration.fused_irregularity * evidence.irregularity
        + calibration.fused_bias
    )


def _weigh(baseline: PersonalBaseline, score: Score, times_ns: Sequence[int], reading: PersonalReading) -> list[_Beat]:
    """Return what networks and the usual QRS say of each beat."""
    if not score.beats:
        return []
    unlike, different = baseline.unlikeness(np.stack([finding.qrs for finding in score.beats]), score.lead)
    beats = []
    for t_ns, finding, u, d in zip(times_ns, score.beats, unlike.tolist(), different.tolist(), strict=True):
        n, s, v, f = (max(share, LEAST_SHARE) for share in finding.shares)
        narrow = log(n + s)
        ventricular_odds = _limited(log(v) - narrow, CNN_LIMIT)
        ectopic_odds = _limited(log(v + f) - narrow, CNN_LIMIT)
        strange = reading.ventricular_per_unlikeness * u + reading.ventricular_per_difference * d
        strange += reading.ventricular_bias
        beats.append(
            _Beat(
                t_ns=t_ns,
                shares=finding.shares,
                ventricular_odds=ventricular_odds,
                unlikeness=u,
                difference=d,
                whole=finding.whole,
                ventricular=_limited(reading.ventricular_per_odds * ventricular_odds + strange, LIMIT),
                ectopic=_limited(reading.ventricular_per_odds * ectopic_odds + strange, LIMIT),
            )
        )
    return beats


def _class_all(
    baseline: PersonalBaseline, beats: Sequence[_Beat], breaks_ns: Sequence[int], reading: PersonalReading
) -> tuple[PersonalBaseline, tuple[JudgedBeat, ...]]:
    """Class beats one after the other, each against what was usual before it.

    Between two beats with a break between them, where a hole ended, there may have been others: that is no RR interval.
    """
    if not beats:
        return baseline, ()
    judged = []
    rhythm = baseline.intervals()
    for beat in beats:
        last_ns = rhythm.last_beat_ns
        broken = last_ns is None or any(last_ns < break_ns <= beat.t_ns for break_ns in breaks_ns)
        rr_s = None if broken or last_ns is None else (beat.t_ns - last_ns) / 1e9
        n, s, _, _ = beat.shares
        features = BeatFeatures(
            ventricular_odds=beat.ventricular_odds,
            supraventricular_odds=_limited(log(max(s, LEAST_SHARE) / max(n, LEAST_SHARE)), CNN_LIMIT),
            unlikeness=beat.unlikeness,
            difference=beat.difference,
            prematurity=rhythm.prematurity(rr_s),
            regularity=baseline.regularity,
        )
        supraventricular = _supraventricular(features, reading)
        letter, confidence = _class_of(beat, supraventricular)
        wide = letter in {"V", "F"}
        judged.append(
            JudgedBeat(
                t_ns=beat.t_ns,
                beat_class=letter if beat.whole else None,
                confidence=round(confidence, 4) if beat.whole else None,
                features=features,
                ectopic=beat.ectopic,
                supraventricular=-LIMIT if wide else supraventricular,
            )
        )
        # The interval behind a beat of which nobody knows what it was tells no more than one behind a ventricular one.
        rhythm.add(beat.t_ns, rr_s, ventricular=wide or not beat.whole, premature=letter == "S")
    return baseline.with_intervals(rhythm), tuple(judged)


def _supraventricular(features: BeatFeatures, reading: PersonalReading) -> float:
    """The log odds of a supraventricular beat, if it is not ventricular."""
    if features.regularity < reading.regular_from:
        return -LIMIT
    return _limited(
        reading.supraventricular_per_prematurity * features.prematurity
        + reading.supraventricular_per_odds * features.supraventricular_odds
        + reading.supraventricular_bias,
        LIMIT,
    )


def _class_of(beat: _Beat, supraventricular: float) -> tuple[AamiClass, float]:
    """The class, and its probability."""
    n, s, v, fusion = beat.shares
    if fusion > max(n, s, v):
        return "F", fusion
    if beat.ventricular >= 0:
        return "V", _logistic(beat.ventricular)
    if supraventricular >= 0:
        return "S", _logistic(supraventricular)
    return "N", _logistic(-beat.ventricular) * _logistic(-supraventricular)


def _limited(odds: float, limit: float) -> float:
    return min(max(odds, -limit), limit)


def _logistic(odds: float) -> float:
    return 1 / (1 + exp(-odds))
