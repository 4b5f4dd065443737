"""Urgent messages beside verdicts: one alarm, whichever comes first."""

import pytest

from alerting.policy import Event
from ecg.findings import LethalKind
from tests.alerting.verdicts import HOP_NS, START_NS, finding, urgent, verdict
from tests.alerting.ward import S, Ward, after, alerts, command, with_rules


def with_asystole(window: int) -> Event:
    return verdict(window, "abnormal", findings=(finding("asystole", window, beats=None),))


def lethal(ward: Ward) -> list[str]:
    return [told for told in ward.told() if told.startswith(("asystole", "ventricular"))]


def test_an_urgent_message_alarms_at_once_and_the_window_that_says_the_same_does_not_again() -> None:
    ward = Ward()
    ward.do(verdict(0, "normal"))
    (told,) = alerts(ward.do(urgent(8)))
    assert told.id == f"p1/{START_NS}/8s/asystole"
    assert (told.phase, told.priority, told.state, told.windows) == ("start", "high", "active", 0)
    assert (told.onset_ns - START_NS, told.last_ns - START_NS) == (4 * S, 8 * S)
    assert told.detected_ns == told.told_ns == START_NS + 8 * S
    assert (told.lead, told.value, told.limit, told.unit) == ("MLII", 4.0, 4.0, "s")
    assert told.reasons == ("no QRS in 4 s",)
    ward.do(urgent(9), with_asystole(1), urgent(11), urgent(12), with_asystole(2))
    assert lethal(ward) == ["asystole:start:active"]
    assert ward.state is not None
    assert ward.state.alarms["asystole"].windows == 2


@pytest.mark.parametrize("order", [(0, 1, 2), (0, 2, 1), (2, 0, 1)])  # each topic is in order in itself
def test_whichever_comes_first_it_is_one_alarm(order: tuple[int, ...]) -> None:
    ward = Ward()
    ward.do(verdict(0, "normal"))
    events: list[Event] = [urgent(9), urgent(10), with_asystole(1)]
    ward.do(*(events[place] for place in order))
    assert lethal(ward) == ["asystole:start:active"]


def test_clean_windows_end_what_only_looks_have_seen() -> None:
    ward = Ward()
    ward.do(verdict(0, "normal"), urgent(8), *(verdict(window, "normal") for window in range(1, 5)))
    assert lethal(ward) == ["asystole:start:active", "asystole:update:latched"]
    alarm = ward.state.alarms["asystole"] if ward.state else None
    assert alarm is not None
    ward.do(command(1, "acknowledge", alarm.id))
    assert lethal(ward)[-1] == "asystole:end:inactive"


def test_a_window_from_before_says_nothing_of_it() -> None:
    # Alerting has been away: the urgent topic is read at once, the windows one after the other.
    ward = Ward()
    ward.do(verdict(0, "normal"), urgent(3600))
    ward.do(*(verdict(window, "normal") for window in range(1, 719)))
    assert ward.told() == ["asystole:start:active"], "no silence, nothing clean"
    ward.do(*(verdict(window, "normal") for window in range(719, 724)))
    assert lethal(ward)[-1] == "asystole:update:latched"


def test_what_was_urgent_before_the_alarm_ended_is_no_news() -> None:
    ward = Ward()
    ward.do(verdict(0, "normal"), urgent(8), *(verdict(window, "normal") for window in range(1, 5)))
    ward.do(command(1, "acknowledge", f"p1/{START_NS}/8s/asystole"))
    assert ward.do(urgent(9), urgent(12), urgent(25)) == []
    (again,) = alerts(ward.do(urgent(27)))
    assert (again.id, again.phase) == (f"p1/{START_NS}/27s/asystole", "start")


def test_an_old_message_does_not_bring_an_alarm_back_that_the_windows_have_seen_go() -> None:
    ward = Ward()
    ward.do(verdict(0, "normal"), urgent(8), *(verdict(window, "normal") for window in range(1, 5)))
    assert ward.do(urgent(9), urgent(20)) == []
    (back,) = alerts(ward.do(urgent(26)))
    assert (back.phase, back.state, back.returned_ns) == ("update", "active", START_NS + 22 * S)


def test_rules_hold_for_looks_too() -> None:
    flutter: LethalKind = "ventricular_flutter"
    for rules, flags in (
        (with_rules(ventricular_flutter={"enabled": False}), ()),
        (with_rules(ventricular_flutter={"start_s": 10, "of_s": 15}), ()),
        (with_rules(ventricular_flutter={"gate": ["noisy"]}), ("noisy",)),
        (with_rules(ventricular_flutter={"covered_by": ["asystole"]}), ()),
    ):
        ward = Ward(rules)
        ward.do(verdict(0, "normal"), urgent(7), urgent(8, flutter, flags=flags))
        assert lethal(ward) == ["asystole:start:active"]


def test_a_lead_that_is_off_is_told_beside_it() -> None:
    ward = Ward()
    ward.do(verdict(0, "normal"), urgent(8))
    ward.do(*(verdict(window, "unusable", flags=("lead_off",)) for window in range(1, 4)))
    assert ward.told() == ["asystole:start:active", "lead_off:start:active"], "what cannot be told is not clean"


def test_the_first_that_is_heard_of_a_patient_may_be_urgent() -> None:
    ward = Ward()
    ward.do(urgent(4), verdict(0, "normal"), verdict(1, "normal"))
    assert ward.told() == ["asystole:start:active"]
    assert ward.state is not None
    assert ward.state.seen_ns == START_NS + 2 * HOP_NS
    assert [run.window for run in ward.state.streams] == [1]


def test_other_alarms_keep_their_times() -> None:
    ward = Ward(with_rules(lead_off={"start_s": 0, "of_s": 0, "escalate_s": 5}))
    ward.do(verdict(0, "unusable", flags=("lead_off",)))
    told = alerts(ward.do(urgent(12)))
    assert [(alert.condition, alert.phase, alert.told_ns - START_NS) for alert in told] == [
        ("lead_off", "escalate", 10 * S),
        ("asystole", "start", 12 * S),
    ]


def test_silence_is_told_all_the_same() -> None:
    ward = Ward()
    ward.do(verdict(0, "normal"), urgent(8), after(1, seconds=31))
    assert ward.told()[-1] == "silent_patient:start:active"
