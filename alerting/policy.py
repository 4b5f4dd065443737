"""The core of alerting: ``policy(state, event) -> (state, actions)``. Pure: no clock, no network.

Events are a patient's next verdict, an urgent message, a command of somebody, the dead letter of a message that was
refused, and silence: time that passes without a verdict. They come on several topics, each in order, but not the one
against the other. Actions are messages about alarms and refusals of commands. Time is the patient's
(``alerting.patient_time``). A silence, an escalation or the end of a snooze falls due at a time of its own, whether a
later verdict or a ``Silence`` brings the news, so that a stream that comes in time gives the same messages however
often somebody looks.
"""

from dataclasses import dataclass

from alerting.patient_alarms import PatientAlarms
from alerting.patient_time import WINDOW_NS, BrokerTime, begin
from alerting.rules import AlarmRules
from alerting.state import PatientState
from bus.messages import Alert, AlertCommand, DeadLetter, Urgent, Verdict

UNKNOWN = "unknown"  # the device of a patient of whom no message could be used


@dataclass(frozen=True, slots=True, kw_only=True)
class Silence:
    """Nothing came from the patient.

    Attributes
    ----------
    now_ns : the end of the last window plus the time that has passed since it came, ns
    anybody_s : since when nothing has come from any patient, s; far below ``now_ns`` when others are heard
    """

    now_ns: int
    anybody_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """A command that takes no effect, and why."""

    command: AlertCommand
    reason: str


Event = Verdict | Urgent | AlertCommand | DeadLetter | Silence
Action = Alert | Refusal


def policy(
    state: PatientState | None, event: Event, rules: AlarmRules, *, broker: BrokerTime | None = None
) -> tuple[PatientState | None, tuple[Action, ...]]:
    """A patient's state after an event, and what is to be done, in order.

    Parameters
    ----------
    state : what the last call for this patient returned; None for a patient who is not followed
    event : what happened
    rules : what alarms
    broker : when the broker took the event's message; None for silence, and for recordings that are judged offline

    Returns
    -------
    the state, None when the patient is no longer followed; and messages about alarms, and refused commands
    """
    known = state or _beginning(event, broker)
    if known is None:
        if isinstance(event, AlertCommand):
            return None, (Refusal(command=event, reason=f"nothing is known of patient {event.patient!r}"),)
        return None, ()
    alarms = PatientAlarms(known, rules, broker)
    refused: tuple[Refusal, ...] = ()
    if isinstance(event, Verdict):
        if alarms.was_judged(event):
            return state, ()
        alarms.verdict(event)
    elif isinstance(event, Urgent):
        alarms.urgent(event)
    elif isinstance(event, DeadLetter):
        alarms.letter(event)
    elif isinstance(event, AlertCommand):
        reason = alarms.command(event)
        refused = () if reason is None else (Refusal(command=event, reason=reason),)
    else:
        alarms.silence(event.now_ns, anybody_s=event.anybody_s)
    return alarms.state(), (*alarms.alerts, *refused)


def _beginning(event: Event, broker: BrokerTime | None) -> PatientState | None:
    """The state of a patient who is not followed, before the first message; None where that begins nothing."""
    if isinstance(event, Verdict):
        return _newcomer(event, seen_ns=begin(event.end_ns, broker) - WINDOW_NS, broker=broker)
    if isinstance(event, Urgent):
        return _newcomer(event, seen_ns=begin(event.end_ns, broker), broker=broker)
    if isinstance(event, DeadLetter) and event.patient is not None:
        return _unheard(event.patient, event.timestamp_ms * 1_000_000 if broker is None else broker.now_ns)
    return None


def next_due_ns(state: PatientState, rules: AlarmRules) -> int:
    """Return when next something falls due in a patient of whom nothing comes."""
    return PatientAlarms(state, rules).next_due_ns()


def _newcomer(event: Verdict | Urgent, *, seen_ns: int, broker: BrokerTime | None) -> PatientState:
    return PatientState(
        patient=event.patient,
        device=event.device,
        verdict=event.id,
        seen_ns=seen_ns,
        # A clock that is a little ahead does not use up what it may be ahead by.
        spent_ns=seen_ns if broker is None else min(seen_ns, broker.now_ns),
        now_ns=seen_ns,
    )


def _unheard(patient: str, now_ns: int) -> PatientState:
    """A patient of whom only refused messages are known."""
    return PatientState(patient=patient, device=UNKNOWN, verdict="", seen_ns=now_ns, spent_ns=now_ns, now_ns=now_ns)
