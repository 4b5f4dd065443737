"""Check that alarms ended as they may: by clean windows of the device that showed them, or by people."""

from collections.abc import Iterable, Sequence

from alerting.conditions import observe
from alerting.rules import BY_SILENCE, AlarmRules, windows_in
from bus.messages import Alert, Verdict
from ecg.urgency import PROMPT

# What signal and system say of themselves ends by itself: heard again, alone again, nothing refused any more.
_OF_THEMSELVES = BY_SILENCE | {"input_refused", "several_devices"}


def ended_wrongly(alerts: Iterable[Alert], verdicts: Sequence[Verdict], rules: AlarmRules) -> list[Alert]:
    """Return the messages that ended an alarm too soon, or by what was not about it.

    Parameters
    ----------
    alerts : about one patient, in the order in which they came
    verdicts : on that patient, in the order in which they came
    rules : what alarms
    """
    wrong = []
    for alert in alerts:
        if alert.phase != "end" or alert.condition in _OF_THEMSELVES:
            continue
        rule = rules.of(alert.patient)[alert.condition]
        latching = rule.latching and alert.priority in PROMPT
        unseen = latching and alert.acknowledged_by is None
        forgotten = any(reason.startswith("nothing came for") for reason in alert.reasons)
        acknowledged = latching and alert.acknowledged_by is not None
        enough = windows_in(rule.end_clean_s, verdicts[0].hop_s) if verdicts else 1
        if unseen or forgotten or (not acknowledged and _clean(alert, verdicts, rules) < enough):
            wrong.append(alert)
    return wrong


def _clean(alert: Alert, verdicts: Sequence[Verdict], rules: AlarmRules) -> int:
    """Return how many windows of its device, behind the last that showed the condition, rule it out."""
    last = next((n for n, verdict in enumerate(verdicts) if verdict.id == alert.verdict), None)
    if last is None:  # an urgent message showed it last: windows that begin behind it count
        later = [verdict for verdict in verdicts if verdict.device == alert.device and verdict.end_ns > alert.last_ns]
    else:
        device = verdicts[last].device
        later = [verdict for verdict in verdicts[last + 1 :] if verdict.device == device]
    of_patient = dict(rules.of(alert.patient))
    return sum(alert.condition in observe(verdict, of_patient).absent for verdict in later)
