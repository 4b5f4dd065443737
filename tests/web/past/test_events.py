from bus.messages import Decision
from tests.alerting.alerts import alert
from tests.alerting.verdicts import HOP_NS, START_NS, finding, verdict
from web.live.patient import LivePatient
from web.live.verdicts import VerdictHead
from web.past.events import events_of


def live_patient(decisions: dict[int, Decision]) -> LivePatient:
    live = LivePatient.empty("p1")
    for window, decision in decisions.items():
        findings = (finding("couplet" if window == 1 else "ventricular_run", 1),) if window in {1, 2} else ()
        one = verdict(window, decision, findings=findings)
        live.verdicts.add(VerdictHead.model_validate_json(one.to_bytes()), one.to_bytes(), window)
    return live


def test_abnormal_windows_that_follow_each_other_are_one_place_to_jump_to() -> None:
    live = live_patient({0: "normal", 3: "abnormal", 4: "abnormal", 6: "abnormal", 7: "unusable", 8: "abnormal"})
    found = [((one.t_ns - START_NS) // HOP_NS, (one.end_ns - START_NS) // HOP_NS) for one in events_of(live)]
    assert found == [(3, 5), (6, 7), (8, 9)]
    assert [one.label for one in events_of(live)] == ["abnormal for 10 s", "abnormal for 5 s", "abnormal for 5 s"]


def test_a_finding_that_has_grown_and_an_open_alarm_are_told_once() -> None:
    live = live_patient({1: "normal", 2: "normal"})
    live.alarms["x"] = alert(id="x", onset_ns=START_NS, priority="high")
    assert [(one.kind, one.label, one.priority) for one in events_of(live)] == [
        ("alarm", "abnormal ECG", "high"),
        ("finding", "run of 6 ventricular beats at 100/min", "medium"),
    ]
