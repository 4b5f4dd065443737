"""From what the networks say of windows to the descriptions of their beats, against what is usual. Pure.

The networks see 15 s. Whether a beat is early or a QRS strange is told by the minutes before: ``weigh_window``
describes the beats of one window after the other, in the order of the patient's stream, and learns what is usual. All
beats of all patients are then classed in one call, and ``detector.judgement`` gives each window its scores.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import log, nan

import numpy as np

from detector.baseline import QRS_AFTER, QRS_BEFORE, PersonalBaseline
from detector.beat_features import (
    QRS_POINTS,
    SeenBeat,
    completed,
    features_of,
    likeness_to_previous,
    opened,
    shape_of,
    size_of,
)
from detector.beat_map import BeatFinding
from detector.manifest import Calibration
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
_MEAN = 1  # place in a beat's features of its interval over that mean
_UNKNOWN_QRS = np.full(QRS_BEFORE + QRS_AFTER, nan)


@dataclass(frozen=True, slots=True, kw_only=True)
class WeighedWindow:
    """A window whose beats are described, but not yet classed.

    Attributes
    ----------
    times_ns, whole : of its beats, those to be reported first: their times, and whether all of their QRS was received
    features : of each, what it is to be classed by
    completed_ns, completed : the last beat that an earlier window reported, and its features now that the beat behind
        it is known; None where they were whole, or still are not
    open_end : whether the last beat to be reported waits for the one behind it
    reported : how many are to be reported; the rest has not settled, and counts for this window's score alone
    cnn, autoencoder : calibrated log odds of an abnormal window
    irregularity : one minus the regularity of the rhythm, this window's beats included
    """

    times_ns: tuple[int, ...]
    whole: tuple[bool, ...]
    features: tuple[Sequence[float], ...]
    completed_ns: int | None
    completed: Sequence[float] | None
    open_end: bool
    reported: int
    cnn: float
    autoencoder: float
    irregularity: float

    @property
    def rows(self) -> tuple[Sequence[float], ...]:
        """Features of all beats that are to be classed: of the one that is completed first, if there is one."""
        return self.features if self.completed is None else (self.completed, *self.features)


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
    after, whole, open_end = baseline, None, False
    if new:
        if baseline.open_beat is not None:
            whole = completed(baseline.open_beat, seen[new[0]], breaks_ns)
        # Where its QRS was not received, there is nothing to class.
        open_end = len(new) == len(chosen) and score.beats[new[-1]].whole
        before = histories[len(new) - 2] if len(new) > 1 else baseline.history
        waiting = opened(before, times[new[-1]], breaks_ns, features[-1]) if open_end else None
        after = baseline._replace(history=histories[len(new) - 1], open_beat=waiting)
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
        completed_ns=None if whole is None or baseline.open_beat is None else baseline.open_beat.t_ns,
        completed=whole,
        open_end=open_end,
        reported=len(new),
        cnn=limited(cnn, LIMIT),
        autoencoder=limited(calibration.autoencoder_slope * log_error + calibration.autoencoder_bias, LIMIT),
        irregularity=1 - after.history.regularity,
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
    ventricular, supraventricular, fusion = (limited(value, CNN_LIMIT) for value in odds)
    return ventricular, supraventricular, fusion


def limited(odds: float, limit: float) -> float:
    """Log odds, no further from 0 than ``limit``."""
    return min(max(odds, -limit), limit)
