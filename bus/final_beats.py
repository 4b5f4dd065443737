"""Beats of windows that follow each other, each with its final class.

The last beat of a window is classed before the interval behind it is known, and may be corrected by a later window. The
one place where that is read, for verdicts and for what the detector makes them of.
"""

from collections.abc import Iterable, Sequence
from typing import Protocol, TypeVar


class TimedBeat(Protocol):
    """A beat with its time, ns UTC."""

    @property
    def t_ns(self) -> int:
        """Time, ns UTC."""


AnyBeat_co = TypeVar("AnyBeat_co", bound=TimedBeat, covariant=True)


class ReportsBeats(Protocol[AnyBeat_co]):
    """A report of beats: a verdict, a judgement."""

    @property
    def beats(self) -> Sequence[AnyBeat_co]:
        """Those reported, in order of time."""

    @property
    def corrected(self) -> AnyBeat_co | None:
        """The last one reported before, with its final class; None where that stays."""


def final_beats(reports: Iterable[ReportsBeats[AnyBeat_co]]) -> list[AnyBeat_co]:
    """The beats of reports that follow each other, each with its final class."""
    beats: list[AnyBeat_co] = []
    for report in reports:
        corrected = report.corrected
        # Not the last one where the report that held it is not among these.
        if corrected is not None and beats and beats[-1].t_ns == corrected.t_ns:
            beats[-1] = corrected
        beats += report.beats
    return beats
