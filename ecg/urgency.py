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
# Somebody has to come, at once or soon: these ask for an answer, may latch, are told again and escalated. What is below
# is to be known (IEC 60601-1-8: low priority asks for awareness): it is told and ends by itself.
PROMPT: frozenset[AlarmPriority] = frozenset(PRIORITIES[:2])
PATIENT_STATES: tuple[PatientState, ...] = get_args(PatientState)
PRIORITY_RANK = {priority: rank for rank, priority in enumerate(PRIORITIES)}
_UNANSWERED: frozenset[AlarmState] = frozenset(("active", "latched", "silenced"))
_ALARM_STATES: tuple[AlarmState, ...] = ("active", "latched", "silenced", "acknowledged", "inactive")


def waits(priority: AlarmPriority, state: AlarmState) -> bool:
    """Return whether an alarm waits for an answer: it asks for one, and nobody has given it."""
    return priority in PROMPT and state in _UNANSWERED


def alarm_rank(priority: AlarmPriority, state: AlarmState) -> int:
    """Return the rank of an alarm, 0 for the most urgent.

    What waits for an answer comes first, then what is there and needs none, then what has ended; then by priority.
    """
    tier = 0 if waits(priority, state) else 2 if state == "inactive" else 1
    return (tier * len(PRIORITIES) + PRIORITY_RANK[priority]) * len(_ALARM_STATES) + _ALARM_STATES.index(state)


def patient_rank(state: PatientState, *, acknowledged: bool) -> int:
    """Return the rank of a patient, 0 for the most urgent: by state; of those alike whom nobody has seen to first.

    Parameters
    ----------
    state : the patient's
    acknowledged : whether the alarm that gives it asked for an answer and has it
    """
    return 2 * PATIENT_STATES.index(state) + acknowledged
