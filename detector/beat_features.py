"""Features of beats: how early each comes against the patient's own rhythm, and how its QRS differs. Pure.

A beat is described by what came before it and, where that is known, by the beat behind it. Nothing here depends on how
beats were classed: a wrong class leads to no other, and all beats of all patients are classed in one call.
"""

from collections.abc import Sequence
from itertools import pairwise
from math import isnan, log, nan, sqrt
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

STEP = 1e-4  # logarithms of intervals are kept in such steps: exact in JSON, so that a recovery changes nothing
ROW_STEP = 1e-4  # and so are the features of a beat that waits for the one behind it
MIN_RR_S, MAX_RR_S = 0.2, 3.0  # what is no RR interval: two peaks of one QRS; lost signal or asystole
RECENT = 30  # newest intervals that are kept
# Beats over which moving means of the interval run. Where premature beats are the rule, the median of the intervals is
# theirs, and so is what is usual; a mean is not. One alone is not enough: a rate changes within minutes.
MEANS = (32, 80, 400)
EARLY = -0.15  # logarithm of an interval over its longer mean, below which a beat is early
NEAR = 8  # beats of the nearer past
ALIKE = 0.05  # intervals within 5 % of each other are alike
UNKNOWN_REGULARITY = 0.6  # until it is known: as in most patients
QRS_POINTS = slice(0, 25, 2)  # of a QRS, those that are features themselves

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


class SeenBeat(NamedTuple):
    """A beat as the networks see it, before its class.

    Attributes
    ----------
    t_ns : its time, ns UTC
    odds : ln(V / (N + S)), ln(S / N), ln(F / the others), by the beat map
    shape : unlikeness, difference, amplitude, width against the usual QRS of the judged lead
    second : unlikeness, difference, amplitude of the other lead's QRS; NaN where there is none
    like_previous : correlation of its QRS with that of the beat before it, NaN where that is not in the window
    qrs : points of its QRS (``QRS_POINTS``), over the usual QRS's size
    """

    t_ns: int
    odds: tuple[float, float, float]
    shape: Sequence[float]
    second: Sequence[float]
    like_previous: float
    qrs: Sequence[float]


class OpenBeat(NamedTuple):
    """The last beat reported, while the interval behind it is not known.

    Attributes
    ----------
    t_ns : its time, ns UTC
    rr : logarithm of the interval before it in steps of ``STEP``, None where that is not known
    middle : moving mean of the logarithm over ``MEANS[1]`` beats before it, None where there was none
    row : its features in steps of ``ROW_STEP``, None where one is not known
    """

    t_ns: int
    rr: int | None
    middle: float | None
    row: tuple[int | None, ...]

    def dump(self) -> list[Any]:
        """The beat as JSON."""
        return list(self)

    @classmethod
    def load(cls, fields: Sequence[Any]) -> "OpenBeat":
        """The beat that ``dump`` wrote."""
        t_ns, rr, middle, row = fields
        return cls(t_ns, rr, middle, tuple(row))


class BeatHistory(NamedTuple):
    """Past of a stream's beats that the features of the next one need.

    Attributes
    ----------
    last_ns : the last beat, None before the first
    rr : logarithms of the newest intervals (s) in steps of ``STEP``, all but those that are no RR interval
    marks : of each of these, "v" where the beat behind it is ventricular by the beat map, "e" where it is early, else
        "."
    means : moving means of the logarithm over ``MEANS`` beats
    beats : intervals in those means
    odds : V and S odds of the last beat, None before the first
    """

    last_ns: int | None = None
    rr: tuple[int, ...] = ()
    marks: str = ""
    means: tuple[float, ...] = (0.0,) * len(MEANS)
    beats: int = 0
    odds: tuple[float, float] | None = None

    @property
    def regularity(self) -> float:
        """The largest share of the newest intervals that are alike; 1 in a metronome, 0.3 in atrial fibrillation.

        Intervals beside a ventricular beat tell nothing of the rhythm.
        """
        beside = zip(self.rr, self.marks, "." + self.marks, strict=False)
        return _alike([step for step, mark, before in beside if mark != "v" and before != "v"])

    def dump(self) -> list[Any]:
        """The history as JSON."""
        return list(self)

    @classmethod
    def load(cls, fields: Sequence[Any]) -> "BeatHistory":
        """The history that ``dump`` wrote."""
        last_ns, rr, marks, means, beats, odds = fields
        return cls(last_ns, tuple(rr), marks, tuple(means), beats, None if odds is None else (odds[0], odds[1]))


def features_of(
    history: BeatHistory, beats: Sequence[SeenBeat], breaks_ns: Sequence[int]
) -> tuple[list[BeatHistory], list[list[float]]]:
    """The features of beats that follow each other.

    Parameters
    ----------
    history : of the beats before
    beats : in order of time
    breaks_ns : between two beats with such a time between them, others may have been: that is no RR interval

    Returns
    -------
    the history behind each beat, and of each its features in the order of ``NAMES``, NaN where one is not known
    """
    rows, histories = [], []
    rr = [
        _interval(before, beat.t_ns, breaks_ns)
        for before, beat in zip([history.last_ns, *(beat.t_ns for beat in beats)], beats, strict=False)
    ]
    for number, beat in enumerate(beats):
        after, next_rr = (beats[number + 1], rr[number + 1]) if number + 1 < len(beats) else (None, None)
        rows.append(_row(history, beat, rr[number], after, next_rr))
        history = _behind(history, beat, rr[number])
        histories.append(history)
    return histories, rows


def opened(before: BeatHistory, t_ns: int, breaks_ns: Sequence[int], row: Sequence[float]) -> OpenBeat:
    """A beat to be classed again once the next one is known.

    Parameters
    ----------
    before : the history of the beats before it
    t_ns : its time, ns UTC
    breaks_ns : as for ``features_of``
    row : its features, those of the next interval not known
    """
    rr = _interval(before.last_ns, t_ns, breaks_ns)
    return OpenBeat(
        t_ns,
        rr=None if rr is None else round(rr / STEP),
        middle=before.means[1] if before.beats else None,
        row=tuple(None if isnan(value) else round(value / ROW_STEP) for value in row),
    )


def completed(beat: OpenBeat, after: SeenBeat, breaks_ns: Sequence[int]) -> list[float] | None:
    """The features of a beat, now that the one behind it is known; None where what lies between them was not seen."""
    then = _interval(beat.t_ns, after.t_ns, breaks_ns)
    if then is None:
        return None
    row = [nan if value is None else value * ROW_STEP for value in beat.row]
    row[_NEXT_OVER_RR] = nan if beat.rr is None else then - beat.rr * STEP
    row[_NEXT_OVER_MEAN] = nan if beat.middle is None else then - beat.middle
    row[_V_ODDS_AFTER], row[_S_ODDS_AFTER] = after.odds[:2]
    return row


def _interval(before_ns: int | None, t_ns: int, breaks_ns: Sequence[int]) -> float | None:
    """The logarithm of an RR interval, s, in steps; None where there is none."""
    if before_ns is None or any(before_ns < break_ns <= t_ns for break_ns in breaks_ns):
        return None
    rr_s = (t_ns - before_ns) / 1e9
    return round(log(rr_s) / STEP) * STEP if MIN_RR_S < rr_s < MAX_RR_S else None


def _row(
    history: BeatHistory, beat: SeenBeat, rr: float | None, after: SeenBeat | None, next_rr: float | None
) -> list[float]:
    known = [step * STEP for step in history.rr]
    now = nan if rr is None else rr
    previous = known[-1] if known else nan
    one_before = known[-2] if len(known) > 1 else nan
    means = history.means if history.beats else (nan,) * len(MEANS)
    middle = means[1]
    near = known[-NEAR:]
    changes = [abs(b - a) for a, b in pairwise(near)]
    marks = history.marks
    share = max(1, len(marks))
    then = nan if next_rr is None else next_rr
    return [
        *(now - mean for mean in means),
        now - sorted(near)[len(near) // 2] if near else nan,
        now - previous,
        previous - middle,
        previous - one_before,
        one_before - middle,
        then - now,
        then - middle,
        means[0],
        means[0] - means[2],
        _alike(history.rr) if len(known) >= NEAR else nan,
        _spread(near),
        _spread(known),
        sum(changes) / len(changes) if changes else nan,
        float(marks[-NEAR:].count("e")),
        marks.count("e") / share,
        float(marks[-NEAR:].count("v")),
        marks.count("v") / share,
        *beat.odds,
        *(history.odds or (nan, nan)),
        *((nan, nan) if after is None else after.odds[:2]),
        *beat.shape,
        *beat.second,
        beat.like_previous,
        *beat.qrs,
    ]


def _behind(history: BeatHistory, beat: SeenBeat, rr: float | None) -> BeatHistory:
    """The history behind a beat, whose interval is ``rr``."""
    if rr is None:
        return history._replace(last_ns=beat.t_ns, odds=beat.odds[:2])
    count = history.beats + 1
    means = tuple(mean + (rr - mean) / min(count, length) for mean, length in zip(history.means, MEANS, strict=True))
    mark = "v" if beat.odds[0] > 0 else "e" if history.beats and rr - history.means[1] < EARLY else "."
    return BeatHistory(
        last_ns=beat.t_ns,
        rr=(*history.rr[-RECENT + 1 :], round(rr / STEP)),
        marks=(history.marks + mark)[-RECENT:],
        means=means,
        beats=min(count, MEANS[-1]),
        odds=beat.odds[:2],
    )


def _spread(values: Sequence[float]) -> float:
    """The standard deviation."""
    if len(values) < 2:
        return nan
    mean = sum(values) / len(values)
    return sqrt(sum((value - mean) ** 2 for value in values) / len(values))


def _alike(steps: Sequence[int]) -> float:
    """The largest share of intervals that lie within ``ALIKE`` of one of them."""
    if len(steps) < NEAR:
        return UNKNOWN_REGULARITY
    ordered = np.sort(np.array(steps))
    within = ordered.searchsorted(ordered + _ALIKE_STEPS) - ordered.searchsorted(ordered - _ALIKE_STEPS, "right")
    return float(within.max()) / len(steps)


_ALIKE_STEPS = round(ALIKE / STEP)


def shape_of(qrs: npt.NDArray[np.float64], usual: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Measure how QRS differ from the usual one.

    Parameters
    ----------
    qrs : (leads, n, QRS samples)
    usual : (leads, QRS samples); NaN while it is not known

    Returns
    -------
    (leads, n, 4): one minus the correlation; root mean square difference over the usual size; logarithm of the size
    over the usual one; logarithm of the width over the usual one. NaN while nothing is usual
    """
    of_usual = usual[:, None]
    centred, about = qrs - qrs.mean(axis=2, keepdims=True), of_usual - of_usual.mean(axis=2, keepdims=True)
    norm = np.sqrt((centred**2).sum(axis=2) * (about**2).sum(axis=2))
    apart = qrs - of_usual
    size = _size(of_usual)
    return np.stack(
        [
            1 - (centred * about).sum(axis=2) / np.maximum(norm, _LEAST_NORM),
            np.sqrt((apart**2).mean(axis=2)) / size,
            np.log(_size(qrs) / size),
            np.log(_width(qrs) / _width(of_usual)),
        ],
        axis=2,
    )


_LEAST_SIZE = 1e-3  # of a QRS, normalised units: nothing is divided by less
_LEAST_NORM = 1e-6


def size_of(qrs: npt.NDArray[np.float64]) -> float:
    """From the lowest to the highest point of QRS (n, QRS samples), their mean."""
    return float(_size(qrs).mean())


def _size(qrs: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    return np.asarray(np.maximum(qrs.max(axis=-1) - qrs.min(axis=-1), _LEAST_SIZE), np.float64)


def _width(qrs: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Count the samples of each QRS that lie further from its ends than a third of its reach, one at least."""
    reach = np.abs(qrs - (qrs[..., :1] + qrs[..., -1:]) / 2)
    wide = (reach > reach.max(axis=-1, keepdims=True) / 3).sum(axis=-1)
    return np.asarray(np.where(np.isnan(qrs[..., 0]), nan, np.maximum(1.0, wide)), np.float64)


def likeness_to_previous(qrs: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """The correlation of each QRS (n, QRS samples) with the one before it: (n,), NaN for the first."""
    centred = qrs - qrs.mean(axis=1, keepdims=True)
    norm = np.sqrt((centred**2).sum(axis=1))
    like = np.full(len(qrs), nan)
    like[1:] = (centred[1:] * centred[:-1]).sum(axis=1) / np.maximum(norm[1:] * norm[:-1], _LEAST_NORM)
    return like
