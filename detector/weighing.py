"""From what the networks say of windows to the descriptions of their beats, against what is usual. Pure.

The networks see 15 s. Whether a beat is early or a QRS strange is told by the minutes before: ``weigh_windows``
describes the beats of one window of each patient in one go, in the order of each patient's stream, and learns what is
usual. All beats of all patients are then classed in one call, and ``detector.judgement`` gives each window its scores.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from detector.baseline import QRS_AFTER, QRS_BEFORE, PersonalBaseline
from detector.beat_features import (
    NAMES,
    QRS_POINTS,
    Floats,
    SeenBeats,
    completed,
    features_of,
    likeness_to_previous,
    opened,
    shape_of,
    size_of,
)
from detector.beat_history import FollowedBeats, follow
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
_UNKNOWN_QRS = np.full(QRS_BEFORE + QRS_AFTER, np.nan)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class WeighedWindow:
    """A window whose beats are described, but not yet classed.

    Attributes
    ----------
    times_ns, whole : of its beats, those to be reported first: their times, and whether all of their QRS was received
    features : (n, features) what each is to be classed by
    completed_ns, completed : the last beat that an earlier window reported, and its features now that the beat behind
        it is known; None where they were whole, or still are not
    open_end : whether the last beat to be reported waits for the one behind it
    reported : how many are to be reported; the rest has not settled, and counts for this window's score alone
    cnn, autoencoder : calibrated log odds of an abnormal window; the autoencoder's None where there is none
    irregularity : one minus the regularity of the rhythm, this window's beats included
    """

    times_ns: tuple[int, ...]
    whole: tuple[bool, ...]
    features: Floats
    completed_ns: int | None
    completed: Sequence[float] | None
    open_end: bool
    reported: int
    cnn: float
    autoencoder: float | None
    irregularity: float

    @property
    def rows(self) -> Floats:
        """Features of all beats that are to be classed: of the one that is completed first, if there is one."""
        return self.features if self.completed is None else np.concatenate([[self.completed], self.features])


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


class Unweighed(NamedTuple):
    """A window that the networks have judged.

    Attributes
    ----------
    baseline : what was usual for the patient before it
    score : what the networks say of it
    new_from_ns, end_ns : the part of the window that no window before it held
    """

    baseline: PersonalBaseline
    score: Score
    new_from_ns: int
    end_ns: int


Weighed = tuple[PersonalBaseline, WeighedWindow | None]


def weigh_windows(windows: Sequence[Unweighed], calibration: Calibration) -> list[Weighed]:
    """Describe the beats of windows of different patients; those of one patient are to come in their order.

    A window's outcome depends on it alone.

    Parameters
    ----------
    windows : one of each patient at most
    calibration : of the models' manifest

    Returns
    -------
    of each, what is usual after it, and the window; None where no lead could be judged
    """
    judged = [each for each in windows if each.score.logit is not None]
    weighed = iter(_weigh_judged(judged, calibration))
    return [(each.baseline, None) if each.score.logit is None else next(weighed) for each in windows]


class _Draft(NamedTuple):
    """A window whose beats are known."""

    window: Unweighed
    seen: SeenBeats  # all beats that the networks see
    new: list[int]  # of those, which are to be reported
    chosen: list[int]  # which count: those, and what has not settled
    breaks_ns: list[int]
    followed: FollowedBeats


def _weigh_judged(windows: Sequence[Unweighed], calibration: Calibration) -> list[Weighed]:
    qrs, described = _seen(windows)
    drafts = [_draft(window, seen) for window, seen in zip(windows, described, strict=True)]
    features = features_of([draft.followed for draft in drafts], [draft.seen.chosen(draft.chosen) for draft in drafts])
    first, weighed = 0, []
    for draft, rows in zip(drafts, features, strict=True):
        count = len(draft.seen.times_ns)
        weighed.append(_weigh(draft, rows, qrs[:, first : first + count], calibration))
        first += count
    return weighed


def _draft(window: Unweighed, seen: SeenBeats) -> _Draft:
    baseline, score, new_from_ns, end_ns = window
    times = seen.times_ns
    new = settled(times, new_from_ns=new_from_ns, end_ns=end_ns, last_ns=baseline.last_beat_ns)
    # What has not settled counts for the window, but nothing is learned from it yet.
    chosen = [*new, *(index for index, t_ns in enumerate(times) if t_ns >= end_ns - SETTLE_NS)]
    breaks_ns = [time_of(end, end_ns) for _, end in score.holes]
    odds = [(ventricular, early) for ventricular, early, _ in seen.odds[chosen].tolist()]
    followed = follow(baseline.history, [times[index] for index in chosen], odds, breaks_ns)
    return _Draft(window, seen, new, chosen, breaks_ns, followed)


def _weigh(draft: _Draft, features: Floats, qrs: Floats, calibration: Calibration) -> Weighed:
    """Weigh one window.

    Parameters
    ----------
    features : of the chosen beats
    qrs : (2, n, QRS samples) of all beats of the window
    """
    baseline, score, _, _ = draft.window
    new, times, followed = draft.new, draft.seen.times_ns, draft.followed
    after, whole, open_end = baseline, None, False
    if new:
        if baseline.open_beat is not None:
            whole = completed(baseline.open_beat, times[new[0]], followed.odds[0], draft.breaks_ns)
        # Where its QRS was not received, there is nothing to class.
        open_end = len(new) == len(draft.chosen) and score.beats[new[-1]].whole
        waiting = None
        if open_end:
            before = followed.history_behind(len(new) - 1)
            waiting = opened(before, times[new[-1]], draft.breaks_ns, features[len(new) - 1])
        after = baseline._replace(history=followed.history_behind(len(new)), open_beat=waiting)
    interval = features[:, _MEAN].tolist()
    ordinary = [
        index
        for index, over_mean in zip(new, interval, strict=False)
        if score.beats[index].whole
        and score.beats[index].shares[0] >= SURELY_NORMAL
        and not over_mean < USUALLY_EARLY  # nor where it is not known
    ]
    if ordinary:
        after = _learned(after, score, qrs[:, ordinary])
    cnn = calibration.cnn_slope * (score.logit or 0.0) + calibration.cnn_bias
    autoencoder = None
    if score.log_error is not None:
        above = baseline.error_above_usual(
            score.log_error, prior=calibration.usual_log_error, share=calibration.usual_share
        )
        autoencoder = limited(calibration.autoencoder_slope * above + calibration.autoencoder_bias, LIMIT)
        if cnn < 0 and score.whole:
            after = after.with_error(score.log_error)
    return after, WeighedWindow(
        times_ns=tuple(followed.times_ns),
        whole=tuple(score.beats[index].whole for index in draft.chosen),
        features=features,
        completed_ns=None if whole is None or baseline.open_beat is None else baseline.open_beat.t_ns,
        completed=whole,
        open_end=open_end,
        reported=len(new),
        cnn=limited(cnn, LIMIT),
        autoencoder=autoencoder,
        irregularity=1 - after.history.regularity,
    )


def _seen(windows: Sequence[Unweighed]) -> tuple[Floats, list[SeenBeats]]:
    """Return the QRS of all beats, (2, n, QRS samples), and of each window its beats as the networks see them."""
    counts = [len(window.score.beats) for window in windows]
    beats = [finding for window in windows for finding in window.score.beats]
    if not beats:
        nothing = SeenBeats([], np.empty((0, 3)), np.empty((0, len(NAMES) - NAMES.index("unlike"))))
        return np.empty((2, 0, QRS_BEFORE + QRS_AFTER)), [nothing] * len(windows)
    of = np.repeat(np.arange(len(windows)), counts)
    starts = np.cumsum([0, *counts[:-1]])
    qrs = np.stack([finding.qrs for finding in beats], axis=1).astype(np.float64)
    usual = np.array([[_usual(window, second=second) for window in windows] for second in (False, True)])
    judged, second = shape_of(qrs, usual[:, of])
    like = likeness_to_previous(qrs[0])
    held = np.flatnonzero(counts)
    like[starts[held]] = np.nan
    size = size_of(usual[0])
    own = size_of(qrs[0])
    for number in held[np.isnan(size[held])].tolist():  # those of patients who have just come
        size[number] = own[starts[number] : starts[number] + counts[number]].mean()
    points = qrs[0][:, QRS_POINTS] / size[of][:, None]
    shape = np.concatenate([judged, second[:, :3], like[:, None], points], axis=1)
    odds = _odds(np.array([finding.shares for finding in beats]))
    return qrs, [
        SeenBeats(
            [time_of(finding.position, window.end_ns) for finding in window.score.beats],
            odds[start : start + count],
            shape[start : start + count],
        )
        for window, start, count in zip(windows, starts.tolist(), counts, strict=True)
    ]


def _usual(window: Unweighed, *, second: bool) -> Floats:
    """The usual QRS of the judged lead or of the other one; NaN where it is not known."""
    lead = window.score.second if second else window.score.lead
    usual = None if lead is None else window.baseline.usual_qrs(lead)
    return _UNKNOWN_QRS if usual is None else usual


def _learned(baseline: PersonalBaseline, score: Score, qrs: Floats) -> PersonalBaseline:
    """The baseline after beats that are held to be normal, (2, n, QRS samples)."""
    if score.second is not None:
        baseline = baseline.with_qrs(score.second, qrs[1])
    return baseline if score.lead is None else baseline.with_qrs(score.lead, qrs[0])


def _odds(shares: Floats) -> Floats:
    """(n, 3) ln(V / (N + S)), ln(S / N), ln(F / the others) of the beat map's shares, (n, 4)."""
    n, s, v, f = np.maximum(shares, LEAST_SHARE).T
    odds = np.log(np.stack([v / (n + s), s / n, f / (n + s + v)], axis=1))
    return np.asarray(np.clip(odds, -CNN_LIMIT, CNN_LIMIT), np.float64)


def limited(odds: float, limit: float) -> float:
    """Log odds, no further from 0 than ``limit``."""
    return min(max(odds, -limit), limit)
