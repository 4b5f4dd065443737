"""A patient of whom verdicts, commands and silence come, and what alerting makes of it."""

from collections.abc import Iterable

from alerting.patient_time import BrokerTime
from alerting.policy import Action, Event, Refusal, Silence, policy
from alerting.rules import AlarmRules, load_rules
from alerting.state import PatientState
from bus.messages import Alert, AlertCommand
from tests.alerting.verdicts import HOP_NS, START_NS

S = 1_000_000_000
RULES = load_rules()


def with_rules(**changes: dict[str, object]) -> AlarmRules:
    """The shipped rules, with some keys of some conditions changed."""
    tables = RULES.model_dump(mode="json")
    for condition, keys in changes.items():
        tables["rules"][condition] |= keys
    return AlarmRules.model_validate(tables)


def after(windows: int, *, seconds: float = 0.0, anybody_s: float | None = None) -> Silence:
    """Silence for so long after so many windows; of this patient alone unless ``anybody_s`` is given."""
    return Silence(
        now_ns=START_NS + windows * HOP_NS + round(seconds * S), anybody_s=0.0 if anybody_s is None else anybody_s
    )


def command(
    number: int, action: str, alert: str | None, *, by: str = "Ada", seconds: float | None = None
) -> AlertCommand:
    """Somebody's command about patient p1."""
    return AlertCommand.model_validate(
        {"id": f"c{number}", "patient": "p1", "action": action, "alert": alert, "by": by, "sent_ns": 0}
        | ({} if seconds is None else {"duration_s": seconds})
    )


class FollowedPatient:
    """One patient under some rules."""

    def __init__(self, rules: AlarmRules = RULES) -> None:
        self.rules = rules
        self.state: PatientState | None = None
        self.actions: list[Action] = []

    def do(self, *events: Event, broker: BrokerTime | None = None) -> list[Action]:
        """Work events in; what is to be done now."""
        now: list[Action] = []
        for event in events:
            self.state, actions = policy(self.state, event, self.rules, broker=broker)
            now += actions
        self.actions += now
        return now

    def published(self) -> list[str]:
        """Every message as ``condition:phase:state``, without those about windows that are merely abnormal."""
        return [
            f"{alert.condition}:{alert.phase}:{alert.state}"
            for alert in alerts(self.actions)
            if alert.condition != "abnormal_window"
        ]


def alerts(actions: Iterable[Action]) -> list[Alert]:
    """The messages among actions."""
    return [action for action in actions if isinstance(action, Alert)]


def refusals(actions: Iterable[Action]) -> list[str]:
    """The reasons of the refusals among actions."""
    return [action.reason for action in actions if isinstance(action, Refusal)]
