"""What a patient looks like from across the room: one line for the ward, sorted by urgency."""

from collections.abc import Iterable
from typing import Literal, NamedTuple

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
    devices : where several send under this id, those that do; the first is the one that is shown
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
    devices: tuple[str, ...] = ()
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


def state_of(alarm: Alert | AlarmBrief | None, decision: Decision | None, *, silent: bool) -> PatientState:
    """The one state that a tile is coloured by."""
    if alarm is not None and (alarm.priority in {"high", "medium"} or not silent):
        return alarm.priority
    if silent:
        return "silent"
    if decision == "abnormal":
        return "information"
    return "unusable" if decision == "unusable" else "normal"


class Place(NamedTuple):
    """Where a patient stands among all: the most urgent first; of those alike whose alarm came last, then by id.

    Attributes
    ----------
    rank : of the state
    answered : whether the alarm has been acknowledged
    before_ns : minus its onset, ns UTC; 0 where none is open
    patient : the id
    """

    rank: int
    answered: bool
    before_ns: int
    patient: str

    @classmethod
    def of(cls, patient: str, state: PatientState, alarm: Alert | AlarmBrief | None) -> "Place":
        """Return the place of a patient.

        Parameters
        ----------
        patient : the id
        state : as the tile shows it
        alarm : the most urgent open alarm
        """
        answered = alarm is not None and alarm.state == "acknowledged"
        return cls(URGENCY.index(state), answered, -alarm.onset_ns if alarm else 0, patient)


def by_urgency(summaries: Iterable[PatientSummary]) -> list[PatientSummary]:
    """The most urgent patient first."""
    return sorted(summaries, key=lambda one: Place.of(one.patient, one.state, one.alarm))
