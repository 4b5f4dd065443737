"""Urgent messages beside verdicts: one alarm, whichever comes first."""

import pytest

from alerting.policy import Event
from ecg.findings import LethalKind
from tests.alerting.followed import FollowedPatient, S, after, alerts, command, with_rules
from tests.alerting.verdicts import HOP_NS, START_NS, finding, urgent, verdict


def with_asystole(window: int) -> Event:
    return verdict(window, "abnormal", findings=(finding("asystole", window, beats=None),))


def lethal(followed: FollowedPatient) -> list[str]:
    return [published for published in followed.published() if published.startswith(("asystole", "ventricular"))]


def test_an_urgent_message_alarms_at_once_and_the_window_that_says_the_same_does_not_again() -> None:
    followed = FollowedPatient()
    followed.do(verdict(0, "normal"))
    (published,) = alerts(followed.do(urgent(8)))
    assert published.id == f"p1/{START_NS}/8s/asystole"
    assert (published.phase, published.priority, published.state, published.windows) == ("start", "high", "active", 0)
    assert (published.onset_ns - START_NS, published.last_ns - START_NS) == (4 * S, 8 * S)
    assert published.detected_ns == published.told_ns == START_NS + 8 * S
    assert (published.lead, published.value, published.limit, published.unit) == ("MLII", 4.0, 4.0, "s")
    assert published.reasons == ("no QRS in 4 s",)
    followed.do(urgent(9), with_asystole(1), urgent(11), urgent(12), with_asystole(2))
    assert lethal(followed) == ["asystole:start:active"]
    assert followed.state is not None
    assert followed.state.alarms["asystole"].windows == 2


@pytest.mark.parametrize("order", [(0, 1, 2), (0, 2, 1), (2, 0, 1)])  # each topic is in order in itself
def test_whichever_comes_first_it_is_one_alarm(order: tuple[int, ...]) -> None:
    followed = FollowedPatient()
    followed.do(verdict(0, "normal"))
    events: list[Event] = [urgent(9), urgent(10), with_asystole(1)]
    followed.do(*(events[place] for place in order))
    assert lethal(followed) == ["asystole:start:active"]


def test_clean_windows_end_what_only_looks_have_seen() -> None:
    followed = FollowedPatient()
    followed.do(verdict(0, "normal"), urgent(8), *(verdict(window, "normal") for window in range(1, 5)))
    assert lethal(followed) == ["asystole:start:active", "asystole:update:latched"]
    alarm = followed.state.alarms["asystole"] if followed.state else None
    assert alarm is not None
    followed.do(command(1, "acknowledge", alarm.id))
    assert lethal(followed)[-1] == "asystole:end:inactive"


def test_a_window_from_before_says_nothing_of_it() -> None:
    # Alerting has been away: the urgent topic is read at once, the windows one after the other.
    followed = FollowedPatient()
    followed.do(verdict(0, "normal"), urgent(3600))
    followed.do(*(verdict(window, "normal") for window in range(1, 719)))
    assert followed.published() == ["asystole:start:active"], "no silence, nothing clean"
    followed.do(*(verdict(window, "normal") for window in range(719, 724)))
    assert lethal(followed)[-1] == "asystole:update:latched"


def test_what_was_urgent_before_the_alarm_ended_is_no_news() -> None:
    followed = FollowedPatient()
    followed.do(verdict(0, "normal"), urgent(8), *(verdict(window, "normal") for window in range(1, 5)))
    followed.do(command(1, "acknowledge", f"p1/{START_NS}/8s/asystole"))
    assert followed.do(urgent(9), urgent(12), urgent(25)) == []
    (again,) = alerts(followed.do(urgent(27)))
    assert (again.id, again.phase) == (f"p1/{START_NS}/27s/asystole", "start")


def test_an_old_message_does_not_bring_an_alarm_back_that_the_windows_have_seen_go() -> None:
    followed = FollowedPatient()
    followed.do(verdict(0, "normal"), urgent(8), *(verdict(window, "normal") for window in range(1, 5)))
    assert followed.do(urgent(9), urgent(20)) == []
    (back,) = alerts(followed.do(urgent(26)))
    assert (back.phase, back.state, back.returned_ns) == ("update", "active", START_NS + 22 * S)


def test_rules_hold_for_looks_too() -> None:
    flutter: LethalKind = "ventricular_flutter"
    for rules, flags in (
        (with_rules(ventricular_flutter={"enabled": False}), ()),
        (with_rules(ventricular_flutter={"start_s": 10, "of_s": 15}), ()),
        (with_rules(ventricular_flutter={"gate": ["noisy"]}), ("noisy",)),
        (with_rules(ventricular_flutter={"covered_by": ["asystole"]}), ()),
    ):
        followed = FollowedPatient(rules)
        followed.do(verdict(0, "normal"), urgent(7), urgent(8, flutter, flags=flags))
        assert lethal(followed) == ["asystole:start:active"]


def test_a_lead_that_is_off_is_told_beside_it() -> None:
    followed = FollowedPatient()
    followed.do(verdict(0, "normal"), urgent(8))
    followed.do(*(verdict(window, "unusable", flags=("lead_off",)) for window in range(1, 4)))
    assert followed.published() == ["asystole:start:active", "lead_off:start:active"], (
        "what cannot be told is not clean"
    )


def test_the_first_that_is_heard_of_a_patient_may_be_urgent() -> None:
    followed = FollowedPatient()
    followed.do(urgent(4), verdict(0, "normal"), verdict(1, "normal"))
    assert followed.published() == ["asystole:start:active"]
    assert followed.state is not None
    assert followed.state.seen_ns == START_NS + 2 * HOP_NS
    assert [run.window for run in followed.state.streams] == [1]


def test_other_alarms_keep_their_times() -> None:
    followed = FollowedPatient(with_rules(lead_off={"start_s": 0, "of_s": 0, "escalate_s": 5}))
    followed.do(verdict(0, "unusable", flags=("lead_off",)))
    published = alerts(followed.do(urgent(12)))
    assert [(alert.condition, alert.phase, alert.told_ns - START_NS) for alert in published] == [
        ("lead_off", "escalate", 10 * S),
        ("asystole", "start", 12 * S),
    ]


def test_silence_is_told_all_the_same() -> None:
    followed = FollowedPatient()
    followed.do(verdict(0, "normal"), urgent(8), after(1, seconds=31))
    assert followed.published()[-1] == "silent_patient:start:active"
