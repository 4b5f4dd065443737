"""Order of urgency: alarm priorities, alarms and patients; the one table that every list, page and report sorts by."""

from typing import Literal, get_args

# Each type names its members in order, the most urgent first. IEC 60601-1-8; information makes no sound.
AlarmPriority = Literal["high", "medium", "low", "information"]
# A patient's state is the priority of the most urgent open alarm, or what is known without one. Silent comes before
# unusable: of a silent patient nothing is known, and not even a stopped heart would be seen, until somebody goes there;
# an unusable signal still comes, is looked at every second, and often mends itself when the patient lies still.
# "information" also stands for an abnormal window that alarms nobody.
PatientState = Literal["high", "medium", "low", "silent", "unusable", "information", "normal"]
AlarmState = Literal["inactive", "active", "latched", "acknowledged", "silenced"]

PRIORITIES: tuple[AlarmPriority, ...] = get_args(AlarmPriority)
SOUNDING: tuple[AlarmPriority, ...] = PRIORITIES[:-1]
PROMPT: frozenset[AlarmPriority] = frozenset(PRIORITIES[:2])  # somebody has to come at once, or soon
PATIENT_STATES: tuple[PatientState, ...] = get_args(PatientState)
PRIORITY_RANK = {priority: rank for rank, priority in enumerate(PRIORITIES)}
# Nobody has answered; somebody has; nobody needs to any more.
_ALARM_STATES: tuple[tuple[AlarmState, ...], ...] = (
    ("active", "latched", "silenced"),
    ("acknowledged",),
    ("inactive",),
)
_STATE_RANK = {state: (tier, place) for tier, states in enumerate(_ALARM_STATES) for place, state in enumerate(states)}
_PLACES = max(map(len, _ALARM_STATES))


def alarm_rank(priority: AlarmPriority, state: AlarmState) -> int:
    """Return the rank of an alarm, 0 for the most urgent: what waits for an answer first, then by priority."""
    tier, place = _STATE_RANK[state]
    return (tier * len(PRIORITIES) + PRIORITY_RANK[priority]) * _PLACES + place


def patient_rank(state: PatientState, *, acknowledged: bool) -> int:
    """Return the rank of a patient, 0 for the most urgent: by state; of those alike whom nobody has seen to first."""
    return 2 * PATIENT_STATES.index(state) + acknowledged
