"""From what the networks say of windows to their scores and beats, against what is usual for the patient. Pure.

The networks see 15 s. Whether a beat is early, a QRS strange or a rhythm irregular is told by the minutes before, so
the classes of beats and the fused score are settled here, in two steps: ``weigh_window`` describes the beats of one
window after the other, in the order of the patient's stream, and learns what is usual; once all beats of all patients
have been classed in one call, ``judge_window`` gives each window its scores.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import exp, log, nan
from typing import NamedTuple

import numpy as np

from detector.baseline import QRS_AFTER, QRS_BEFORE, PersonalBaseline
from detector.beat_features import QRS_POINTS, SeenBeat, features_of, likeness_to_previous, shape_of, size_of
from detector.beat_map import AAMI_CLASSES, AamiClass, BeatFinding
from detector.manifest import BeatReading, Calibration
from detector.score import Score
from ecg.beats import REFRACTORY_S
from ecg.segments import MODEL_FS_HZ, MODEL_SAMPLES

SETTLE_NS = 500_000_000  # a beat is reported once half a second has followed it: its T wave tells it from noise
OVERLAP_NS = 300_000_000  # a beat that the window before placed just behind its end and this one just before
REFRACTORY_NS = round(REFRACTORY_S * 1e9)
LIMIT = 8.0  # of evidence as log odds: no one source may outvote all others
CNN_LIMIT = 6.0  # of the CNN's log odds of a class
SURELY_NORMAL = 0.7  # share of class N in the beat map from which a beat shapes the usual QRS
USUALLY_EARLY = -0.25  # logarithm of its interval over the mean of ``MEANS[1]``; one that comes earlier shapes none
LEAST_SHARE = 1e-4  # nothing is quite impossible
_NO_BEAT = -4.0  # evidence of a window without beats
_MEAN = 1  # place in a beat's features of its interval over that mean
_UNKNOWN_QRS = np.full(QRS_BEFORE + QRS_AFTER, nan)


class JudgedBeat(NamedTuple):
    """A beat with its class.

    Attributes
    ----------
    t_ns : its time, ns UTC
    beat_class : AAMI class; None where part of its QRS was not received, which is no evidence of any
    confidence : probability of that class
    """

    t_ns: int
    beat_class: AamiClass | None
    confidence: float | None


class BeatEvidence(NamedTuple):
    """Evidence of one beat for an abnormal window.

    Attributes
    ----------
    t_ns : its time, ns UTC
    ectopic : log odds of being ventricular or fusion
    supraventricular : log odds of being supraventricular, not normal; the lowest of one that is neither
    """

    t_ns: int
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


@dataclass(frozen=True, slots=True, kw_only=True)
class WeighedWindow:
    """A window whose beats are described, but not yet classed.

    Attributes
    ----------
    times_ns, whole : of its beats, those to be reported first: their times, and whether all of their QRS was received
    features : of each, what it is to be classed by
    reported : how many are to be reported; the rest has not settled, and counts for this window's score alone
    cnn, autoencoder : calibrated log odds of an abnormal window
    irregularity : one minus the regularity of the rhythm, this window's beats included
    """

    times_ns: tuple[int, ...]
    whole: tuple[bool, ...]
    features: tuple[Sequence[float], ...]
    reported: int
    cnn: float
    autoencoder: float
    irregularity: float


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


def weigh_window(
    baseline: PersonalBaseline, score: Score, *, new_from_ns: int, end_ns: int, calibration: Calibration
) -> tuple[PersonalBaseline, WeighedWindow | None]:
    """Describe a window's beats against what is usual; the windows of a patient are to come in their order.

    Parameters
    ----------
    baseline : what was usual before the window
    score : what the networks say of it
    new_from_ns, end_ns : the part of the window that no window before it held
    calibration : of the models' manifest

    Returns
    -------
    what is usual after it, and the window; None where no lead could be judged
    """
    if score.logit is None or score.log_error is None:
        return baseline, None
    times = [time_of(finding.position, end_ns) for finding in score.beats]
    new = settled(times, new_from_ns=new_from_ns, end_ns=end_ns, last_ns=baseline.last_beat_ns)
    # What has not settled counts for the window, but nothing is learned from it yet.
    chosen = [*new, *(index for index, t_ns in enumerate(times) if t_ns >= end_ns - SETTLE_NS)]
    breaks_ns = [time_of(end, end_ns) for _, end in score.holes]
    seen = _seen(baseline, score, times)
    histories, features = features_of(baseline.history, [seen[index] for index in chosen], breaks_ns)
    after = baseline if not new else baseline._replace(history=histories[len(new) - 1])
    after = _learned(
        after,
        score,
        [
            score.beats[index]
            for index, row in zip(new, features, strict=False)
            if score.beats[index].whole
            and score.beats[index].shares[0] >= SURELY_NORMAL
            and not row[_MEAN] < USUALLY_EARLY  # nor where it is not known
        ],
    )
    cnn = calibration.cnn_slope * score.logit + calibration.cnn_bias
    log_error = baseline.error_above_usual(
        score.log_error, prior=calibration.usual_log_error, share=calibration.usual_share
    )
    if cnn < 0 and score.whole:
        after = after.with_error(score.log_error)
    return after, WeighedWindow(
        times_ns=tuple(times[index] for index in chosen),
        whole=tuple(score.beats[index].whole for index in chosen),
        features=tuple(features),
        reported=len(new),
        cnn=_limited(cnn, LIMIT),
        autoencoder=_limited(calibration.autoencoder_slope * log_error + calibration.autoencoder_bias, LIMIT),
        irregularity=1 - after.history.regularity,
    )


def judge_window(
    window: WeighedWindow | None,
    probabilities: Sequence[Sequence[float]],
    before: Sequence[BeatEvidence],
    *,
    start_ns: int,
    next_start_ns: int,
    fibrillates: bool,
    reading: BeatReading,
    calibration: Calibration,
) -> tuple[Judgement, tuple[BeatEvidence, ...]]:
    """Give a window its scores, now that its beats are classed.

    Parameters
    ----------
    window : as ``weigh_window`` gave it
    probabilities : of each of its beats, of the classes N, S, V, F
    before : evidence of beats that were reported with the windows before, and may lie in this one where windows overlap
    start_ns, next_start_ns : beginning of the window and of the next one
    fibrillates : whether atrial fibrillation lasts: what comes early in it is not supraventricular
    reading, calibration : of the models' manifest

    Returns
    -------
    the judgement, and the evidence of reported beats that the next window holds, too
    """
    if window is None:
        return Judgement(), ()
    beats: list[JudgedBeat] = []
    reported, unsettled = list(before), []
    for t_ns, whole, probability in zip(window.times_ns, window.whole, probabilities, strict=True):
        n, s, v, f = shares = _weighed(probability, reading)
        letter, confidence = _class_of((n + s, 0.0, v, f) if fibrillates else shares)
        # What looks premature in a fibrillation speaks for an abnormal window all the same.
        of_beat = [_evidence_of(t_ns, shares)] if whole else []
        if len(beats) < window.reported:
            beats.append(JudgedBeat(t_ns, letter if whole else None, confidence if whole else None))
            reported += of_beat
        else:
            unsettled += of_beat
    inside = [beat for beat in (*reported, *unsettled) if beat.t_ns >= start_ns]
    evidence = Evidence(
        cnn=window.cnn,
        autoencoder=window.autoencoder,
        ventricular=max((beat.ectopic for beat in inside), default=_NO_BEAT),
        supraventricular=max((beat.supraventricular for beat in inside), default=_NO_BEAT),
        irregularity=window.irregularity,
    )
    return Judgement(
        beats=tuple(beats),
        evidence=evidence,
        cnn=_logistic(evidence.cnn),
        autoencoder=_logistic(evidence.autoencoder),
        fused=_logistic(fused(evidence, calibration)),
    ), tuple(beat for beat in reported if beat.t_ns >= next_start_ns)


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


def _seen(baseline: PersonalBaseline, score: Score, times_ns: Sequence[int]) -> list[SeenBeat]:
    """The beats of a window as the networks see them, beside the usual QRS."""
    if not score.beats:
        return []
    qrs = np.stack([finding.qrs for finding in score.beats], axis=1).astype(np.float64)
    judged, usual = qrs[0], baseline.usual_qrs(score.lead)
    second = None if score.second is None else baseline.usual_qrs(score.second)
    both = np.stack([_UNKNOWN_QRS if each is None else each for each in (usual, second)])
    of_judged, of_second = shape_of(qrs, both)
    shapes, seconds = of_judged.tolist(), of_second[:, :3].tolist()
    like = likeness_to_previous(judged).tolist()
    points = (judged[:, QRS_POINTS] / size_of(judged if usual is None else usual)).tolist()
    return [
        SeenBeat(t_ns, _odds(finding.shares), *described)
        for t_ns, finding, *described in zip(times_ns, score.beats, shapes, seconds, like, points, strict=True)
    ]


def _learned(baseline: PersonalBaseline, score: Score, ordinary: Sequence[BeatFinding]) -> PersonalBaseline:
    """The baseline after beats that are held to be normal."""
    if not ordinary:
        return baseline
    if score.second is not None:
        baseline = baseline.with_qrs(score.second, [finding.qrs[1] for finding in ordinary])
    return baseline if score.lead is None else baseline.with_qrs(score.lead, [finding.qrs[0] for finding in ordinary])


def _odds(shares: tuple[float, float, float, float]) -> tuple[float, float, float]:
    """ln(V / (N + S)), ln(S / N), ln(F / the others) of the beat map's shares."""
    n, s, v, f = (max(share, LEAST_SHARE) for share in shares)
    odds = (log(v / (n + s)), log(s / n), log(f / (n + s + v)))
    ventricular, supraventricular, fusion = (_limited(value, CNN_LIMIT) for value in odds)
    return ventricular, supraventricular, fusion


Shares = tuple[float, float, float, float]  # of the classes N, S, V, F, their sum 1


def _weighed(probabilities: Sequence[float], reading: BeatReading) -> Shares:
    """The probabilities of a beat's classes, as they are read."""
    n, s, v, f = (max(each, 1e-9) * exp(bias) for each, bias in zip(probabilities, reading.biases, strict=True))
    whole = n + s + v + f
    return n / whole, s / whole, v / whole, f / whole


def _class_of(shares: Shares) -> tuple[AamiClass, float]:
    """A beat's class and its probability."""
    highest = max(range(len(AAMI_CLASSES)), key=shares.__getitem__)
    return AAMI_CLASSES[highest], round(shares[highest], 4)


def _evidence_of(t_ns: int, shares: Shares) -> BeatEvidence:
    """Evidence of one beat for its window's score."""
    n, s, v, f = shares
    wide = max(v, f) >= max(n, s)
    return BeatEvidence(
        t_ns,
        ectopic=_limited(log((v + f) / (n + s)), LIMIT),
        supraventricular=-LIMIT if wide else _limited(log(s / n), LIMIT),
    )


def _limited(odds: float, limit: float) -> float:
    return min(max(odds, -limit), limit)


def _logistic(odds: float) -> float:
    return 1 / (1 + exp(-odds))
