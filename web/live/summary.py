"""What a patient looks like from across the room: one line for the ward, sorted by urgency."""

from collections.abc import Iterable
from typing import Literal

from pydantic import BaseModel, ConfigDict

from bus.messages import AlarmKind, AlarmPriority, AlarmState, Alert, Decision

PRIORITIES: tuple[AlarmPriority, ...] = ("high", "medium", "low", "information")
# "information" also stands for an abnormal window that alarms nobody.
PatientState = Literal["high", "medium", "low", "information", "normal", "unusable", "silent"]
URGENCY: tuple[PatientState, ...] = ("high", "medium", "low", "silent", "unusable", "information", "normal")


class AlarmBrief(BaseModel):
    """The most urgent open alarm of a patient."""

    model_config = ConfigDict(frozen=True)

    id: str
    label: str
    condition: str
    kind: AlarmKind
    priority: AlarmPriority
    state: AlarmState
    onset_ns: int


class VerdictBrief(BaseModel):
    """The newest verdict on a patient, as far as a tile shows it."""

    model_config = ConfigDict(frozen=True)

    id: str
    decision: Decision
    fused: float | None
    threshold: float
    start_ns: int
    end_ns: int
    reasons: tuple[str, ...]


class PatientSummary(BaseModel):
    """A patient on the ward.

    Attributes
    ----------
    patient, device : who, and what records
    leads, fs_hz : what the device sends; empty and null before the first samples
    lead : the lead that was judged last, or will be
    last_sample_ns : time after the newest sample by the device's clock, ns UTC
    last_wall_ms : wall time at which it was handed to Kafka, ms UTC
    state : the open alarm's priority; "silent" when nothing comes, "unusable" and "normal" by the last verdict
    alarm : the most urgent open alarm
    open_alarms : how many are open
    verdict : the newest
    """

    model_config = ConfigDict(frozen=True)

    patient: str
    device: str
    leads: tuple[str, ...]
    fs_hz: float | None
    lead: str | None
    last_sample_ns: int | None
    last_wall_ms: int | None
    heart_rate_bpm: float | None
    state: PatientState
    alarm: AlarmBrief | None
    open_alarms: int
    verdict: VerdictBrief | None


def urgency_of(alert: Alert) -> tuple[bool, int, int]:
    """Sorts open alarms, the most urgent first: what nobody has seen before what somebody has."""
    return alert.acknowledged_by is not None, PRIORITIES.index(alert.priority), -alert.onset_ns


def brief_of(alert: Alert) -> AlarmBrief:
    """An alarm as a tile shows it."""
    return AlarmBrief(
        id=alert.id,
        label=alert.label,
        condition=alert.condition,
        kind=alert.kind,
        priority=alert.priority,
        state=alert.state,
        onset_ns=alert.onset_ns,
    )


def state_of(alarm: AlarmBrief | None, decision: Decision | None, *, silent: bool) -> PatientState:
    """The one state that a tile is coloured by."""
    if alarm is not None and (alarm.priority in {"high", "medium"} or not silent):
        return alarm.priority
    if silent:
        return "silent"
    if decision == "abnormal":
        return "information"
    return "unusable" if decision == "unusable" else "normal"


def by_urgency(summaries: Iterable[PatientSummary]) -> list[PatientSummary]:
    """The most urgent patient first; of those alike the one whose alarm came last, then by id."""
    return sorted(
        summaries,
        key=lambda one: (
            URGENCY.index(one.state),
            one.alarm is not None and one.alarm.state == "acknowledged",
            -(one.alarm.onset_ns if one.alarm else 0),
            one.patient,
        ),
    )
