"""The past of a stream's beats, that the features of the next one need: intervals, moving means, odds. Pure.

Nothing here depends on how beats were classed: a wrong class leads to no other, and all beats of all patients are
described and classed together.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import log, nan
from typing import Any, NamedTuple

import numpy as np

STEP = 1e-4  # logarithms of intervals are kept in such steps: exact in JSON, so that a recovery changes nothing
MIN_RR_S, MAX_RR_S = 0.2, 3.0  # what is no RR interval: two peaks of one QRS; lost signal or asystole
RECENT = 30  # newest intervals that are kept
# Beats over which moving means of the interval run. Where premature beats are the rule, the median of the intervals is
# theirs, and so is what is usual; a mean is not. One alone is not enough: a rate changes within minutes.
MEANS = (32, 80, 400)
EARLY = -0.15  # logarithm of an interval over its longer mean, below which a beat is early
NEAR = 8  # beats of the nearer past
ALIKE_STEPS = 500  # intervals within 5 % of each other are alike
UNKNOWN_REGULARITY = 0.6  # until it is known: as in most patients

_UNKNOWN_MEANS = (nan,) * len(MEANS)


class OpenBeat(NamedTuple):
    """The last beat reported, while the interval behind it is not known.

    Attributes
    ----------
    t_ns : its time, ns UTC
    rr : logarithm of the interval before it in steps of ``STEP``, None where that is not known
    middle : moving mean of the logarithm over ``MEANS[1]`` beats before it, None where there was none
    row : its features in steps of ``beat_features.ROW_STEP``, None where one is not known
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
    """Past of a stream's beats.

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
        steps = [step for step, mark, before in beside if mark != "v" and before != "v"]
        if len(steps) < NEAR:
            return UNKNOWN_REGULARITY
        ordered = np.sort(np.array(steps))
        within = ordered.searchsorted(ordered + ALIKE_STEPS) - ordered.searchsorted(ordered - ALIKE_STEPS, "right")
        return float(within.max()) / len(steps)

    def dump(self) -> list[Any]:
        """The history as JSON."""
        return list(self)

    @classmethod
    def load(cls, fields: Sequence[Any]) -> "BeatHistory":
        """The history that ``dump`` wrote."""
        last_ns, rr, marks, means, beats, odds = fields
        return cls(last_ns, tuple(rr), marks, tuple(means), beats, None if odds is None else (odds[0], odds[1]))


@dataclass(frozen=True, slots=True, kw_only=True)
class FollowedBeats:
    """Beats that follow a history, and what was known before each of them.

    Attributes
    ----------
    before : the history
    times_ns : when each beat is, ns UTC
    odds : V and S odds of each
    rr : logarithm of the interval before each, s, in steps of ``STEP``; NaN where there is none
    means : moving means before each; NaN before the first interval
    steps, marks : ``BeatHistory.rr`` and ``marks``, with those of these beats
    ends : of each beat, how many of ``steps`` and ``marks`` come before its own
    means_behind, counts_behind : ``BeatHistory.means`` and ``beats`` behind each
    """

    before: BeatHistory
    times_ns: Sequence[int]
    odds: Sequence[tuple[float, float]]
    rr: list[float]
    means: list[tuple[float, ...]]
    steps: list[int]
    marks: str
    ends: list[int]
    means_behind: list[tuple[float, ...]]
    counts_behind: list[int]

    def history_behind(self, beats: int) -> BeatHistory:
        """Return the history behind the first so many beats."""
        if not beats:
            return self.before
        last = beats - 1
        end = self.ends[last] + (self.rr[last] == self.rr[last])  # an interval that is not known leaves no step
        return BeatHistory(
            last_ns=self.times_ns[last],
            rr=tuple(self.steps[max(0, end - RECENT) : end]),
            marks=self.marks[max(0, end - RECENT) : end],
            means=self.means_behind[last],
            beats=self.counts_behind[last],
            odds=self.odds[last],
        )


def follow(
    history: BeatHistory, times_ns: Sequence[int], odds: Sequence[tuple[float, float]], breaks_ns: Sequence[int]
) -> FollowedBeats:
    """Follow the rhythm over beats.

    Parameters
    ----------
    history : of the beats before
    times_ns : of the beats, ascending
    odds : V and S odds of each
    breaks_ns : between two beats with such a time between them, others may have been: that is no RR interval
    """
    last_ns, means, count = history.last_ns, history.means, history.beats
    steps, marks = list(history.rr), [history.marks]
    rr, before, ends = [], [], []
    means_behind, counts_behind = [], []
    for t_ns, (ventricular, _) in zip(times_ns, odds, strict=True):
        interval = interval_between(last_ns, t_ns, breaks_ns)
        before.append(means if count else _UNKNOWN_MEANS)
        ends.append(len(steps))
        if interval is None:
            rr.append(nan)
        else:
            rr.append(interval)
            early = count and interval - means[1] < EARLY
            marks.append("v" if ventricular > 0 else "e" if early else ".")
            steps.append(round(interval / STEP))
            count += 1
            means = tuple(
                mean + (interval - mean) / min(count, length) for mean, length in zip(means, MEANS, strict=True)
            )
            count = min(count, MEANS[-1])
        last_ns = t_ns
        means_behind.append(means)
        counts_behind.append(count)
    return FollowedBeats(
        before=history,
        times_ns=times_ns,
        odds=odds,
        rr=rr,
        means=before,
        steps=steps,
        marks="".join(marks),
        ends=ends,
        means_behind=means_behind,
        counts_behind=counts_behind,
    )


def interval_between(before_ns: int | None, t_ns: int, breaks_ns: Sequence[int]) -> float | None:
    """Return the logarithm of an RR interval, s, in steps of ``STEP``; None where there is none."""
    if before_ns is None or any(before_ns < break_ns <= t_ns for break_ns in breaks_ns):
        return None
    rr_s = (t_ns - before_ns) / 1e9
    return round(log(rr_s) / STEP) * STEP if MIN_RR_S < rr_s < MAX_RR_S else None
