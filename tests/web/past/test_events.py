from bus.messages import Decision
from tests.alerting.alerts import alert
from tests.alerting.verdicts import HOP_NS, START_NS, finding, verdict
from web.live.bedside import Bedside
from web.live.verdicts import VerdictHead
from web.past.events import events_of


def bedside_of(decisions: dict[int, Decision]) -> Bedside:
    bedside = Bedside.empty("p1")
    for window, decision in decisions.items():
        findings = (finding("couplet" if window == 1 else "ventricular_run", 1),) if window in {1, 2} else ()
        one = verdict(window, decision, findings=findings)
        bedside.verdicts.add(VerdictHead.model_validate_json(one.to_bytes()), one.to_bytes(), window)
    return bedside


def test_abnormal_windows_that_follow_each_other_are_one_place_to_jump_to() -> None:
    bedside = bedside_of({0: "normal", 3: "abnormal", 4: "abnormal", 6: "abnormal", 7: "unusable", 8: "abnormal"})
    found = [((one.t_ns - START_NS) // HOP_NS, (one.end_ns - START_NS) // HOP_NS) for one in events_of(bedside)]
    assert found == [(3, 5), (6, 7), (8, 9)]
    assert [one.label for one in events_of(bedside)] == ["abnormal for 10 s", "abnormal for 5 s", "abnormal for 5 s"]


def test_a_finding_that_has_grown_and_an_open_alarm_are_told_once() -> None:
    bedside = bedside_of({1: "normal", 2: "normal"})
    bedside.alarms["x"] = alert(id="x", onset_ns=START_NS, priority="high")
    assert [(one.kind, one.label, one.priority) for one in events_of(bedside)] == [
        ("alarm", "abnormal ECG", "high"),
        ("finding", "run of 6 ventricular beats at 100/min", "medium"),
    ]
