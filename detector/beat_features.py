"""Features of beats: how early each comes against the patient's own rhythm, and how its QRS differs. Pure.

A beat is described by what came before it and, where that is known, by the beat behind it. The beats of all patients
are described in one go.
"""

from collections.abc import Sequence
from math import isnan, nan
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from detector.beat_history import (
    ALIKE_STEPS,
    MEANS,
    NEAR,
    RECENT,
    STEP,
    BeatHistory,
    FollowedBeats,
    OpenBeat,
    interval_between,
)

ROW_STEP = 1e-4  # the features of a beat that waits for the one behind it are kept in such steps, as intervals are
QRS_POINTS = slice(0, 25, 2)  # of a QRS, those that are features themselves

Floats = npt.NDArray[np.float64]

NAMES = (
    *(f"rr_over_mean_{count}" for count in MEANS),
    "rr_over_median",
    "rr_over_previous",
    "previous_over_mean",
    "previous_over_the_one_before",
    "one_before_over_mean",
    "next_over_rr",
    "next_over_mean",
    "rate",
    "rate_over_long_rate",
    "alike",
    "spread_near",
    "spread",
    "change_near",
    "early_near",
    "early_share",
    "ventricular_near",
    "ventricular_share",
    "v_odds",
    "s_odds",
    "f_odds",
    "v_odds_before",
    "s_odds_before",
    "v_odds_after",
    "s_odds_after",
    "unlike",
    "different",
    "amplitude",
    "width",
    "unlike_second",
    "different_second",
    "amplitude_second",
    "like_previous",
    *(f"qrs_{place}" for place in range(*QRS_POINTS.indices(25))),
)


_NEXT_OVER_RR, _NEXT_OVER_MEAN, _V_ODDS_AFTER, _S_ODDS_AFTER = (
    NAMES.index(name) for name in ("next_over_rr", "next_over_mean", "v_odds_after", "s_odds_after")
)


class SeenBeats(NamedTuple):
    """The n beats of a window as the networks see them, before their classes.

    Attributes
    ----------
    times_ns : ns UTC, ascending
    odds : (n, 3) ln(V / (N + S)), ln(S / N), ln(F / the others), by the beat map
    shape : (n, the rest of ``NAMES`` from "unlike" on) unlikeness, difference, amplitude, width against the usual QRS
        of the judged lead; unlikeness, difference, amplitude of the other lead's, NaN where there is none; correlation
        of the QRS with that of the beat before it, NaN where that is not in the window; points of the QRS
        (``QRS_POINTS``) over the usual QRS's size
    """

    times_ns: Sequence[int]
    odds: Floats
    shape: Floats

    def chosen(self, places: Sequence[int]) -> "SeenBeats":
        """Return some of the beats."""
        return SeenBeats([self.times_ns[place] for place in places], self.odds[places], self.shape[places])


def features_of(followed: Sequence[FollowedBeats], seen: Sequence[SeenBeats]) -> list[Floats]:
    """Return the features of the beats of some windows: of each (n, features), in the order of ``NAMES``.

    NaN stands where one is not known. A beat's features depend on its own window alone.

    Parameters
    ----------
    followed : of each window, the rhythm over its beats
    seen : the same beats
    """
    counts = [len(each.rr) for each in followed]
    total = sum(counts)
    if not total:
        return [np.empty((0, len(NAMES)))] * len(followed)
    firsts = np.cumsum([0, *(len(each.steps) for each in followed)])
    steps = np.array([step for each in followed for step in each.steps] or [0], np.float64)
    marks = np.frombuffer("".join(each.marks for each in followed).encode() or b".", np.uint8)
    first = np.repeat(firsts[:-1], counts)
    end = first + np.array([end for each in followed for end in each.ends])
    at = end[:, None] + np.arange(-RECENT, 0)
    there = at >= first[:, None]
    at = np.where(there, at, 0)
    known = np.where(there, steps[at], nan)
    intervals = known * STEP
    early, ventricular = (there & (marks[at] == mark) for mark in b"ev")
    count = there.sum(axis=1)
    now = np.array([interval for each in followed for interval in each.rr])
    means = np.array([each for window in followed for each in window.means])
    odds = np.concatenate([each.odds for each in seen])
    last = np.cumsum(counts) - 1  # of each window; where it has no beat, another's, which is no matter
    before, after = np.full((total, 2), nan), np.full((total, 2), nan)
    before[1:], after[:-1] = odds[:-1, :2], odds[1:, :2]
    then = np.full(total, nan)
    then[:-1] = now[1:]
    held = [number for number, n in enumerate(counts) if n]
    after[last[held]], then[last[held]] = nan, nan
    before[[last[number] - counts[number] + 1 for number in held]] = [
        followed[number].before.odds or (nan, nan) for number in held
    ]
    near = intervals[:, -NEAR:]
    near_count = np.minimum(count, NEAR)
    previous, one_before = intervals[:, -1], intervals[:, -2]
    ordered = np.sort(near, axis=1)  # what is not known last
    changes = np.abs(np.diff(near, axis=1))
    share = np.maximum(count, 1)
    middle = means[:, 1]
    columns = [
        *(now - means[:, place] for place in range(len(MEANS))),
        now - ordered[np.arange(total), near_count // 2],
        now - previous,
        previous - middle,
        previous - one_before,
        one_before - middle,
        then - now,
        then - middle,
        means[:, 0],
        means[:, 0] - means[:, 2],
        np.where(count >= NEAR, _alike(known) / share, nan),
        _spread(near, near_count),
        _spread(intervals, count),
        np.where(count > 1, np.nansum(changes, axis=1) / np.maximum(near_count - 1, 1), nan),
        early[:, -NEAR:].sum(axis=1),
        early.sum(axis=1) / share,
        ventricular[:, -NEAR:].sum(axis=1),
        ventricular.sum(axis=1) / share,
    ]
    rows = np.concatenate(
        [np.stack(columns, axis=1), odds, before, after, np.concatenate([each.shape for each in seen])], axis=1
    )
    return np.split(rows, np.cumsum(counts)[:-1])


def _spread(values: Floats, count: npt.NDArray[np.int64]) -> Floats:
    """The standard deviation of each row's known values; NaN of fewer than two."""
    many = np.maximum(count, 1)
    mean = np.nansum(values, axis=1) / many
    spread = np.sqrt(np.nansum(np.square(values - mean[:, None]), axis=1) / many)
    return np.asarray(np.where(count > 1, spread, nan), np.float64)


def _alike(steps: Floats) -> Floats:
    """Of each row, the largest number of intervals that lie within ``ALIKE_STEPS`` of one of them."""
    within = np.abs(steps[:, :, None] - steps[:, None]) < ALIKE_STEPS
    return np.asarray(within.sum(axis=2).max(axis=1), np.float64)


def opened(before: BeatHistory, t_ns: int, breaks_ns: Sequence[int], row: Floats) -> OpenBeat:
    """A beat to be classed again once the next one is known.

    Parameters
    ----------
    before : the history of the beats before it
    t_ns : its time, ns UTC
    breaks_ns : as for ``beat_history.follow``
    row : its features, those of the next interval not known
    """
    rr = interval_between(before.last_ns, t_ns, breaks_ns)
    return OpenBeat(
        t_ns,
        rr=None if rr is None else round(rr / STEP),
        middle=before.means[1] if before.beats else None,
        row=tuple(None if isnan(value) else int(value) for value in np.rint(row / ROW_STEP).tolist()),
    )


def completed(beat: OpenBeat, next_ns: int, next_odds: Sequence[float], breaks_ns: Sequence[int]) -> list[float] | None:
    """Return the features of a beat, now that the one behind it is known.

    Parameters
    ----------
    next_ns, next_odds : time of the next one, ns UTC, and its V and S odds
    breaks_ns : as for ``beat_history.follow``

    Returns
    -------
    None where what lies between them was not seen
    """
    then = interval_between(beat.t_ns, next_ns, breaks_ns)
    if then is None:
        return None
    row = [nan if value is None else value * ROW_STEP for value in beat.row]
    row[_NEXT_OVER_RR] = nan if beat.rr is None else then - beat.rr * STEP
    row[_NEXT_OVER_MEAN] = nan if beat.middle is None else then - beat.middle
    row[_V_ODDS_AFTER], row[_S_ODDS_AFTER] = next_odds
    return row


def shape_of(qrs: Floats, usual: Floats) -> Floats:
    """Measure how QRS differ from the usual one.

    Parameters
    ----------
    qrs : (leads, n, QRS samples)
    usual : the same, of each QRS what is usual; NaN while it is not known

    Returns
    -------
    (leads, n, 4): one minus the correlation; root mean square difference over the usual size; logarithm of the size
    over the usual one; logarithm of the width over the usual one. NaN while nothing is usual
    """
    centred, about = qrs - qrs.mean(axis=2, keepdims=True), usual - usual.mean(axis=2, keepdims=True)
    norm = np.sqrt((centred**2).sum(axis=2) * (about**2).sum(axis=2))
    apart = qrs - usual
    size = size_of(usual)
    return np.stack(
        [
            1 - (centred * about).sum(axis=2) / np.maximum(norm, _LEAST_NORM),
            np.sqrt((apart**2).mean(axis=2)) / size,
            np.log(size_of(qrs) / size),
            np.log(_width(qrs) / _width(usual)),
        ],
        axis=2,
    )


_LEAST_SIZE = 1e-3  # of a QRS, normalised units: nothing is divided by less
_LEAST_NORM = 1e-6


def size_of(qrs: Floats) -> Floats:
    """Return how far it is from the lowest to the highest point of QRS, (..., QRS samples)."""
    return np.asarray(np.maximum(qrs.max(axis=-1) - qrs.min(axis=-1), _LEAST_SIZE), np.float64)


def _width(qrs: Floats) -> Floats:
    """Count the samples of each QRS that lie further from its ends than a third of its reach, one at least."""
    reach = np.abs(qrs - (qrs[..., :1] + qrs[..., -1:]) / 2)
    wide = (reach > reach.max(axis=-1, keepdims=True) / 3).sum(axis=-1)
    return np.asarray(np.where(np.isnan(qrs[..., 0]), nan, np.maximum(1.0, wide)), np.float64)


def likeness_to_previous(qrs: Floats) -> Floats:
    """The correlation of each QRS (n, QRS samples) with the one before it: (n,), NaN for the first."""
    centred = qrs - qrs.mean(axis=1, keepdims=True)
    norm = np.sqrt((centred**2).sum(axis=1))
    like = np.full(len(qrs), nan)
    like[1:] = (centred[1:] * centred[:-1]).sum(axis=1) / np.maximum(norm[1:] * norm[:-1], _LEAST_NORM)
    return like
