"""A patient's summary for the ward: one line, sorted by urgency."""

import re
from typing import NamedTuple

from pydantic import BaseModel, ConfigDict

from bus.messages import AlarmKind, Alert, Decision
from ecg.urgency import PROMPT, AlarmPriority, AlarmState, PatientState, alarm_rank, patient_rank

_DIGITS = re.compile(r"(\d+)")


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
    rank : of the state and of whether an alarm that asks for an answer has it; 0 for the most urgent
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
    rank: int
    alarm: AlarmBrief | None
    open_alarms: int
    verdict: VerdictBrief | None


class RankedAlert(Alert):
    """An alarm, and its rank: 0 for the most urgent, one order for all lists of alarms."""

    rank: int

    @classmethod
    def of(cls, alert: Alert) -> "RankedAlert":
        """Return an alarm with its rank."""
        return cls.model_construct(**dict(alert), rank=alarm_rank(alert.priority, alert.state))


def ranked_json(alert: Alert, value: bytes) -> str:
    """Return an alarm's JSON in one line, with its rank.

    Parameters
    ----------
    alert : the alarm
    value : its JSON as it was received
    """
    if b"NaN" in value or b"Infinity" in value:  # pydantic reads these; a browser does not
        value = alert.to_bytes()
    members = value.decode().lstrip().removeprefix("{").replace("\r", " ").replace("\n", " ")
    return f'{{"rank":{alarm_rank(alert.priority, alert.state)},{members}'


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
    if alarm is not None and (alarm.priority in PROMPT or not silent):
        return alarm.priority
    if silent:
        return "silent"
    if decision == "abnormal":
        return "information"
    return "unusable" if decision == "unusable" else "normal"


def rank_of(state: PatientState, alarm: Alert | AlarmBrief | None) -> int:
    """Return the rank of a patient's state and most urgent open alarm."""
    answered = alarm is not None and alarm.priority in PROMPT and alarm.state == "acknowledged"
    return patient_rank(state, acknowledged=answered)


class Place(NamedTuple):
    """Place of a patient among all: the most urgent first; those alike by name, as people count (bed-2, bed-10).

    Attributes
    ----------
    rank : as the summary has it
    name : the id in pieces that compare so
    patient : the id
    """

    rank: int
    name: tuple[str | int, ...]
    patient: str

    @classmethod
    def of(cls, patient: str, rank: int) -> "Place":
        """Return the place of a patient."""
        pieces = _DIGITS.split(patient.casefold())  # text and digits take turns, so like compares with like
        return cls(rank, tuple(int(piece) if at % 2 else piece for at, piece in enumerate(pieces)), patient)
