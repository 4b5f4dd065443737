"""Events of a patient's last hour to jump to."""

from collections.abc import Iterator
from typing import Literal

from pydantic import BaseModel

from ecg.findings import PRIORITIES, family_of
from ecg.urgency import AlarmPriority
from web.live.patient import LivePatient
from web.live.verdicts import DECISIONS
from web.past.strips import finding_text

ABNORMAL = DECISIONS.index("abnormal")


class PatientEvent(BaseModel):
    """Something to jump to.

    Attributes
    ----------
    t_ns, end_ns : from where to where, ns UTC
    kind : a stretch of abnormal windows, an open alarm, or a finding
    label : in words
    priority : of the alarm or the finding; null of windows, which alarm nobody by themselves
    """

    t_ns: int
    end_ns: int
    kind: Literal["abnormal", "alarm", "finding"]
    label: str
    priority: AlarmPriority | None


def events_of(live: LivePatient) -> list[PatientEvent]:
    """All there is to jump to, oldest first."""
    found = [*_abnormal(live), *_findings(live)]
    found += (
        PatientEvent(
            t_ns=alert.onset_ns, end_ns=alert.last_ns, kind="alarm", label=alert.label, priority=alert.priority
        )
        for alert in live.alarms.values()
    )
    return sorted(found, key=lambda event: (event.t_ns, event.kind))


def _abnormal(live: LivePatient) -> Iterator[PatientEvent]:
    """Each unbroken stretch of abnormal windows."""
    figures = live.verdicts.figures()
    begin: int | None = None
    end = 0
    for start_ns, end_ns, decision in zip(
        figures["start_ns"].tolist(), figures["end_ns"].tolist(), figures["decision"].tolist(), strict=True
    ):
        if begin is not None and (decision != ABNORMAL or start_ns != end):
            yield _windows(begin, end)
            begin = None
        if decision == ABNORMAL:
            begin = start_ns if begin is None else begin
            end = end_ns
    if begin is not None:
        yield _windows(begin, end)


def _windows(t_ns: int, end_ns: int) -> PatientEvent:
    seconds = (end_ns - t_ns) // 1_000_000_000
    return PatientEvent(t_ns=t_ns, end_ns=end_ns, kind="abnormal", label=f"abnormal for {seconds} s", priority=None)


def _findings(live: LivePatient) -> Iterator[PatientEvent]:
    newest = {(family_of(one.kind), one.start_ns): one for one in live.verdicts.findings}
    for one in newest.values():
        yield PatientEvent(
            t_ns=one.start_ns, end_ns=one.end_ns, kind="finding", label=finding_text(one), priority=PRIORITIES[one.kind]
        )
