"""Alarms and unusable windows of databases without annotated beats: how many, and how many of them are false.

What such a database can tell of false alarms differs: rhythm marks tell of lethal ones alone, strips that experts call
normal of all. What it cannot tell is None, never 0.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from bus.messages import Alert, Verdict
from ecg.urgency import PRIORITIES, PROMPT, AlarmPriority
from training.alarm_tally import TECHNICAL, soundings
from training.metrics import ratio


@dataclass(frozen=True, slots=True, kw_only=True)
class AlarmRates:
    """Alarms of one recording or of several.

    Attributes
    ----------
    hours, windows, unusable : judged, and of the windows those that had no signal to judge
    raised : alarms about the patient by priority, and technical ones
    audible : alarms of priority high or medium, of both kinds
    false : of those about the patient, by the priorities of which the reference tells
    reference_hours : by the same priorities, the hours of which it tells
    """

    hours: float = 0.0
    windows: int = 0
    unusable: int = 0
    raised: Counter[str] = field(default_factory=Counter)
    audible: int = 0
    false: Counter[AlarmPriority] = field(default_factory=Counter)
    reference_hours: Counter[AlarmPriority] = field(default_factory=Counter)

    @classmethod
    def of(
        cls,
        alerts: Iterable[Alert],
        verdicts: Sequence[Verdict],
        *,
        hours: float,
        false: Mapping[AlarmPriority, int] | None = None,
        all_false: bool = False,
    ) -> "AlarmRates":
        """Count one recording.

        Parameters
        ----------
        alerts : every message about its alarms
        verdicts : of it
        hours : its length
        false : by the priorities of which the reference tells, how many are false; None where it tells of none
        all_false : whether every alarm about the patient is false: experts call the whole recording normal
        """
        every = soundings(alerts)
        raised = Counter(TECHNICAL if one.kind == TECHNICAL else one.priority for one in every)
        if all_false:
            false = {priority: raised[priority] for priority in PRIORITIES}
        return cls(
            hours=hours,
            windows=len(verdicts),
            unusable=sum(verdict.decision == "unusable" for verdict in verdicts),
            raised=raised,
            audible=sum(one.priority in PROMPT for one in every),
            false=Counter(false or {}),
            reference_hours=Counter(dict.fromkeys(false or (), hours)),
        )

    def plus(self, other: "AlarmRates") -> "AlarmRates":
        """Both together."""
        hours = Counter(self.reference_hours)
        hours.update(other.reference_hours)
        return AlarmRates(
            hours=self.hours + other.hours,
            windows=self.windows + other.windows,
            unusable=self.unusable + other.unusable,
            raised=self.raised + other.raised,
            audible=self.audible + other.audible,
            false=self.false + other.false,
            reference_hours=hours,
        )


def together(rates: Iterable[AlarmRates]) -> AlarmRates:
    """Several as one."""
    total = AlarmRates()
    for each in rates:
        total = total.plus(each)
    return total


def rate_figures(rates: AlarmRates) -> dict[str, Any]:
    """The figures of some recordings: ``alarms`` by priority as an evaluation of beats has them."""
    alarms: dict[str, Any] = {
        priority: {
            "count": rates.raised[priority],
            "false_per_hour": ratio(rates.false[priority], rates.reference_hours[priority]),
        }
        for priority in PRIORITIES
    }
    alarms[TECHNICAL] = {"count": rates.raised[TECHNICAL], "false_per_hour": None}
    return {
        "hours": round(rates.hours, 3),
        "alarms": alarms | {"audible_per_hour": ratio(rates.audible, rates.hours)},
        "unusable_share": ratio(rates.unusable, rates.windows),
    }
