"""Windows' scores and the classes of their beats, once all beats of all patients have been classed. Pure.

``detector.weighing`` has described the beats before.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import exp
from typing import NamedTuple

import numpy as np

from detector.beat_map import AAMI_CLASSES, AamiClass
from detector.manifest import BeatReading, Calibration
from detector.weighing import LIMIT, WeighedWindow

_NO_BEAT = -4.0  # evidence of a window without beats
_LEAST = 1e-9  # probability of a class: nothing is quite impossible


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


class ClassedBeat(NamedTuple):
    """Outcome of the trees for one beat.

    Attributes
    ----------
    beat_class, confidence : its AAMI class, and the probability of that
    fibrillating : the same while atrial fibrillation lasts: what comes early in it is not supraventricular
    ectopic, supraventricular : as ``BeatEvidence`` has them
    """

    beat_class: AamiClass
    confidence: float
    fibrillating: tuple[AamiClass, float]
    ectopic: float
    supraventricular: float

    def called(self, *, fibrillates: bool) -> tuple[AamiClass, float]:
        """Return the beat's class and its probability."""
        return self.fibrillating if fibrillates else (self.beat_class, self.confidence)

    def evidence_at(self, t_ns: int) -> BeatEvidence:
        """Return what it is evidence of."""
        return BeatEvidence(t_ns, self.ectopic, self.supraventricular)


class ReportedBeats(NamedTuple):
    """Beats that were reported with the windows before, as far as the next one needs them.

    Attributes
    ----------
    evidence : of those that lie in the next window, too; none where windows do not overlap
    provisional : the last one, with the class it was given before the beat behind it was known; None once it is final
    """

    evidence: tuple[BeatEvidence, ...] = ()
    provisional: JudgedBeat | None = None

    def shifted(self, jump_ns: int) -> "ReportedBeats":
        """The same after the device's clock has jumped: a beat is where it was, and keeps the class it was given."""
        return ReportedBeats(tuple(beat._replace(t_ns=beat.t_ns + jump_ns) for beat in self.evidence))


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """Evidence for an abnormal window, each as log odds but for the last.

    Attributes
    ----------
    cnn, autoencoder : of the two networks, calibrated; the autoencoder's is None where there is none
    ventricular, supraventricular : of the beat in the window that is the most so
    irregularity : one minus the rhythm's regularity
    """

    cnn: float
    autoencoder: float | None
    ventricular: float
    supraventricular: float
    irregularity: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Judgement:
    """A window judged.

    Attributes
    ----------
    beats : those since the last one reported, up to half a second before the window's end
    corrected : the last one of an earlier window, where its class is another now that the beat behind it is known
    evidence : None where no lead could be judged
    cnn, autoencoder, fused : calibrated probabilities of an abnormal window; the autoencoder's None where there is none
    """

    beats: tuple[JudgedBeat, ...] = ()
    corrected: JudgedBeat | None = None
    evidence: Evidence | None = None
    cnn: float | None = None
    autoencoder: float | None = None
    fused: float | None = None


def classed_beats(probabilities: Sequence[Sequence[float]], reading: BeatReading) -> list[ClassedBeat]:
    """Read what the trees say of beats of any patients.

    Parameters
    ----------
    probabilities : of each beat, of the classes N, S, V, F
    reading : of the models' manifest
    """
    if not len(probabilities):
        return []
    shares = np.maximum(np.array(probabilities, np.float64), _LEAST) * np.exp(reading.biases)
    shares /= shares.sum(axis=1, keepdims=True)
    n, s, v, f = shares.T
    normal, wide = n + s, v + f
    ectopic = np.clip(np.log(wide / normal), -LIMIT, LIMIT)
    early = np.clip(np.log(s / n), -LIMIT, LIMIT)
    early[np.maximum(v, f) >= np.maximum(n, s)] = -LIMIT
    fibrillating = np.stack([normal, np.zeros_like(n), v, f], axis=1)
    return [
        ClassedBeat(AAMI_CLASSES[best], round(share, 4), (AAMI_CLASSES[other], round(other_share, 4)), *evidence)
        for best, share, other, other_share, *evidence in zip(
            shares.argmax(axis=1).tolist(),
            shares.max(axis=1).tolist(),
            fibrillating.argmax(axis=1).tolist(),
            fibrillating.max(axis=1).tolist(),
            ectopic.tolist(),
            early.tolist(),
            strict=True,
        )
    ]


def judge_window(
    window: WeighedWindow | None,
    classed: Sequence[ClassedBeat],
    before: ReportedBeats,
    *,
    start_ns: int,
    next_start_ns: int,
    fibrillates: bool,
    calibration: Calibration,
) -> tuple[Judgement, ReportedBeats]:
    """Give a window its scores, now that its beats are classed.

    Parameters
    ----------
    window : as ``weigh_windows`` gave it
    classed : each of its ``rows``
    before : what was reported with the windows before
    start_ns, next_start_ns : beginning of the window and of the next one
    fibrillates : whether atrial fibrillation lasts: what comes early in it is not supraventricular
    calibration : of the models' manifest

    Returns
    -------
    the judgement, and what the next window needs of the beats reported
    """
    if window is None:
        return Judgement(), ReportedBeats()
    beats: list[JudgedBeat] = []
    reported, unsettled = list(before.evidence), []
    corrected = None
    if window.completed_ns is not None:
        completed, *classed = classed
        corrected = _corrected(before.provisional, window.completed_ns, *completed.called(fibrillates=fibrillates))
        final = completed.evidence_at(window.completed_ns)
        reported = [final if beat.t_ns == final.t_ns else beat for beat in reported]
    for t_ns, whole, one in zip(window.times_ns, window.whole, classed, strict=True):
        letter, confidence = one.called(fibrillates=fibrillates)
        # What looks premature in a fibrillation speaks for an abnormal window all the same.
        of_beat = [one.evidence_at(t_ns)] if whole else []
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
        corrected=corrected,
        evidence=evidence,
        cnn=_logistic(evidence.cnn),
        autoencoder=None if evidence.autoencoder is None else _logistic(evidence.autoencoder),
        fused=_logistic(fused(evidence, calibration)),
    ), ReportedBeats(
        evidence=tuple(beat for beat in reported if beat.t_ns >= next_start_ns),
        provisional=before.provisional if not beats else beats[-1] if window.open_end else None,
    )


def _corrected(provisional: JudgedBeat | None, t_ns: int, letter: AamiClass, confidence: float) -> JudgedBeat | None:
    """A beat whose features are whole now; None where its class stays."""
    stays = provisional is None or provisional.t_ns != t_ns or provisional.beat_class == letter
    return None if stays else JudgedBeat(t_ns, letter, confidence)


def fused(evidence: Evidence, calibration: Calibration) -> float:
    """The log odds of an abnormal window from all evidence that there is."""
    return (
        calibration.fused_cnn * evidence.cnn
        + (0.0 if evidence.autoencoder is None else calibration.fused_autoencoder * evidence.autoencoder)
        + calibration.fused_ventricular * evidence.ventricular
        + calibration.fused_supraventricular * evidence.supraventricular
        + calibration.fused_irregularity * evidence.irregularity
        + calibration.fused_bias
    )


def _logistic(odds: float) -> float:
    return 1 / (1 + exp(-odds))
