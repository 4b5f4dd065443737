import pytest

from bus.messages import Finding
from ecg.findings import FindingKind
from tests.alerting.verdicts import START_NS, urgent, verdict
from training.databases.challenge2015 import MonitorAlarm
from training.monitor_alarms import alarm_figures, confirms

END_NS = START_NS + 300_000_000_000


def alarm(record: str, *, true: bool, kind: str = "Asystole") -> MonitorAlarm:
    return MonitorAlarm(record=record, kind=kind, true=true)


def test_the_score_of_the_challenge() -> None:
    confirmed = {
        alarm("a100l", true=True): True,
        alarm("a101l", true=True): False,
        alarm("a102l", true=False): True,
        alarm("a103l", true=False): False,
        alarm("v100l", true=False, kind="Ventricular_Tachycardia"): False,
    }
    figures = alarm_figures(confirmed)
    assert figures["kinds"]["Asystole"] == {
        "tp": 1,
        "fn": 1,
        "fp": 1,
        "tn": 1,
        "tpr": 0.5,
        "tnr": 0.5,
        "score": pytest.approx(2 / 8),
    }
    assert figures["kinds"]["Ventricular_Tachycardia"]["tpr"] is None
    assert figures["all"]["score"] == pytest.approx(3 / 9)
    assert list(figures["kinds"]) == ["Asystole", "Ventricular_Tachycardia"]


def finding(kind: FindingKind, start_s: float, end_s: float) -> Finding:
    start_ns, end_ns = (START_NS + round(at_s * 1e9) for at_s in (start_s, end_s))
    return Finding(kind=kind, start_ns=start_ns, end_ns=end_ns, rate_bpm=None, beats=None)


@pytest.mark.parametrize(
    ("kind", "start_s", "end_s", "confirmed"),
    [
        ("asystole", 290, 295, True),
        ("asystole", 270, 283, False),  # long over when the monitor rang
        ("pause", 290, 293, False),
    ],
)
def test_an_alarm_is_confirmed_by_what_was_seen_before_it(
    kind: FindingKind, start_s: float, end_s: float, confirmed: bool
) -> None:
    published = [verdict(58, "abnormal", findings=(finding(kind, start_s, end_s),))]
    assert confirms(published, alarm("a100l", true=True), end_ns=END_NS) is confirmed


def test_what_was_seen_between_the_windows_confirms_too() -> None:
    seen = urgent(298)
    assert confirms([seen], alarm("a100l", true=True), end_ns=END_NS)
    assert not confirms([seen], alarm("v100l", true=True, kind="Ventricular_Tachycardia"), end_ns=END_NS)


def test_nothing_seen_confirms_nothing() -> None:
    assert not confirms([verdict(59, "normal")], alarm("a100l", true=True), end_ns=END_NS)
