"""The core of alerting: ``policy(state, event) -> (state, actions)``. Pure: no clock, no network.

Events are a patient's next verdict, an urgent message, a command of somebody, and silence: time that passes without a
verdict. Verdicts and urgent messages come on two topics, each in order, but not the one against the other. Actions are
messages about alarms and refusals of commands. Time is the recording's own. A silence, an escalation or the end of a
snooze falls due at a time of its own, whether a later verdict or a ``Silence`` brings the news, so that a stream that
comes in time gives the same messages however often somebody looks.
"""

from dataclasses import dataclass

from alerting.bedside import Bedside
from alerting.rules import AlarmRules
from alerting.state import PatientState
from bus.messages import Alert, AlertCommand, Urgent, Verdict


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


Event = Verdict | Urgent | AlertCommand | Silence
Action = Alert | Refusal


def policy(
    state: PatientState | None, event: Event, rules: AlarmRules
) -> tuple[PatientState | None, tuple[Action, ...]]:
    """A patient's state after an event, and what is to be done, in order.

    Parameters
    ----------
    state : what the last call for this patient returned; None for a patient who is not followed
    event : what happened
    rules : what alarms

    Returns
    -------
    the state, None when the patient is no longer followed; and messages about alarms, and refused commands
    """
    if isinstance(event, Verdict):
        if state is None:
            state = _newcomer(event, window=event.window, start_ns=event.start_ns, seen_ns=event.start_ns)
        elif event.stream_start_ns == state.stream_start_ns and event.window <= state.window:
            return state, ()  # it was judged already
        bedside = Bedside(state, rules)
        bedside.verdict(event)
    elif isinstance(event, Urgent):
        if state is None:
            # Any window of the stream may follow: of none is it known that it was judged.
            state = _newcomer(event, window=-1, start_ns=event.stream_start_ns, seen_ns=event.end_ns)
        bedside = Bedside(state, rules)
        bedside.urgent(event)
    elif isinstance(event, AlertCommand):
        if state is None:
            return None, (Refusal(command=event, reason=f"nothing is known of patient {event.patient!r}"),)
        bedside = Bedside(state, rules)
        reason = bedside.command(event)
        if reason is not None:
            return bedside.state(), (*bedside.alerts, Refusal(command=event, reason=reason))
    else:
        if state is None:
            return None, ()
        bedside = Bedside(state, rules)
        bedside.silence(event.now_ns, anybody_s=event.anybody_s)
    return bedside.state(), tuple(bedside.alerts)


def _newcomer(event: Verdict | Urgent, *, window: int, start_ns: int, seen_ns: int) -> PatientState:
    return PatientState(
        patient=event.patient,
        device=event.device,
        stream_start_ns=event.stream_start_ns,
        window=window,
        verdict=event.id,
        start_ns=start_ns,
        seen_ns=seen_ns,
        now_ns=seen_ns,
    )
