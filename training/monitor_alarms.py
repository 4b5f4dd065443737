"""Alarms of bedside monitors, true or false: the detector's say on them, as the PhysioNet/CinC Challenge 2015 counts.

In real time: nothing that came after the alarm is looked at.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from bus.messages import Urgent, Verdict
from training.databases.challenge2015 import MonitorAlarm
from training.metrics import ratio

# What of the detector's confirms each alarm. The Challenge's definitions: asystole, 4 s without QRS; extreme
# bradycardia, five beats below 40/min; extreme tachycardia, 17 beats above 140/min; VT, five ventricular beats at
# 100/min or faster.
CONFIRMED_BY: dict[str, frozenset[str]] = {
    "Asystole": frozenset({"asystole"}),
    "Bradycardia": frozenset({"extreme_bradycardia", "asystole"}),
    "Tachycardia": frozenset({"extreme_tachycardia", "ventricular_tachycardia", "ventricular_flutter"}),
    "Ventricular_Flutter_Fib": frozenset({"ventricular_flutter"}),
    "Ventricular_Tachycardia": frozenset({"ventricular_tachycardia", "ventricular_flutter"}),
}
# The event lies in the last 10 s before the alarm (ANSI/AAMI EC13); the rest is what the monitor took to tell of it.
LOOKED_AT_S = 16.0
MISSED_WEIGHT = 5  # a true alarm that is suppressed counts as five false ones that are not


@dataclass(frozen=True, slots=True, kw_only=True)
class AlarmCounts:
    """True alarms confirmed and suppressed, false ones confirmed and suppressed."""

    tp: int
    fn: int
    fp: int
    tn: int

    def figures(self) -> dict[str, Any]:
        """Counts, rates and the Challenge's score."""
        right = self.tp + self.tn
        return {
            "tp": self.tp,
            "fn": self.fn,
            "fp": self.fp,
            "tn": self.tn,
            "tpr": ratio(self.tp, self.tp + self.fn),
            "tnr": ratio(self.tn, self.tn + self.fp),
            "score": ratio(right, right + self.fp + MISSED_WEIGHT * self.fn),
        }


def confirms(published: Sequence[Verdict | Urgent], alarm: MonitorAlarm, *, end_ns: int) -> bool:
    """Return whether the detector has seen what an alarm tells of.

    Parameters
    ----------
    published : all that it tells of the record up to the alarm
    alarm : the monitor's
    end_ns : when it was raised
    """
    kinds, from_ns = CONFIRMED_BY[alarm.kind], end_ns - round(LOOKED_AT_S * 1e9)
    for message in published:
        seen = [message] if isinstance(message, Urgent) else message.findings
        if any(each.kind in kinds and each.end_ns > from_ns for each in seen):
            return True
    return False


def alarm_figures(confirmed: Mapping[MonitorAlarm, bool]) -> dict[str, Any]:
    """The figures of some records, as `ecgstream evaluate --json` writes them."""
    counts: Counter[tuple[str, bool, bool]] = Counter(
        (alarm.kind, alarm.true, found) for alarm, found in confirmed.items()
    )

    def of(kinds: Sequence[str]) -> dict[str, Any]:
        def count(true: bool, found: bool) -> int:  # a table of two by two
            return sum(counts[kind, true, found] for kind in kinds)

        return AlarmCounts(
            tp=count(True, True), fn=count(True, False), fp=count(False, True), tn=count(False, False)
        ).figures()

    kinds = [kind for kind in CONFIRMED_BY if any(alarm.kind == kind for alarm in confirmed)]
    return {"records": len(confirmed), "kinds": {kind: of([kind]) for kind in kinds}, "all": of(kinds)}
