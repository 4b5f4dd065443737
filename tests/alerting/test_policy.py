"""The core of alerting, by example."""

import pytest

from bus.messages import Decision, Verdict
from tests.alerting.followed import RULES, FollowedPatient, S, after, alerts, command, refusals, with_rules
from tests.alerting.verdicts import HOP_NS, START_NS, finding, verdict

DECISIONS: dict[str, Decision] = {"n": "normal", "a": "abnormal", "u": "unusable"}
VT_ID = f"p1/{START_NS}/0/ventricular_tachycardia"


def stream(letters: str) -> list[Verdict]:
    return [
        verdict(window, DECISIONS[letter], flags=("lead_off",) if letter == "u" else ())
        for window, letter in enumerate(letters)
    ]


def tachycardia(window: int) -> Verdict:
    return verdict(window, "abnormal", findings=(finding("ventricular_tachycardia", window),))


def normal(*windows: int) -> list[Verdict]:
    return [verdict(window, "normal") for window in windows]


@pytest.mark.parametrize(
    ("letters", "expected"),
    [
        ("nnnnn", []),
        ("nanna", []),  # stray windows
        ("naa", ["abnormal_window:start@1+2"]),
        ("nana", ["abnormal_window:start@1+2"]),  # two of the last three
        ("auan", ["abnormal_window:start@0+2"]),  # an unusable window is no normal one
        ("aa" + "n" * 23, ["abnormal_window:start@0+2"]),
        ("aa" + "n" * 24, ["abnormal_window:start@0+2", "abnormal_window:end@0+2"]),
        ("aaa" + "n" * 23 + "u" + "n", ["abnormal_window:start@0+2", "abnormal_window:end@0+3"]),
        ("uu", ["lead_off:start@0+2"]),
        ("unu", []),
        ("uuunn", ["lead_off:start@0+2", "lead_off:end@0+3"]),
        ("aauu", ["abnormal_window:start@0+2", "lead_off:start@2+2"]),  # both at once
    ],
)
def test_what_is_told_of_windows(letters: str, expected: list[str]) -> None:
    published = alerts(FollowedPatient().do(*stream(letters)))
    assert [
        f"{alert.condition}:{alert.phase}@{(alert.onset_ns - START_NS) // HOP_NS}+{alert.windows}"
        for alert in published
    ] == expected


def test_a_deadly_rhythm_is_told_at_once_with_all_that_is_known() -> None:
    (alert,) = alerts(FollowedPatient().do(tachycardia(0)))
    assert alert.id == VT_ID
    assert (alert.sequence, alert.phase, alert.state, alert.priority) == (0, "start", "active", "high")
    assert alert.onset_ns == START_NS + S
    assert alert.last_ns == START_NS + 4 * S
    assert alert.detected_ns == alert.told_ns == START_NS + HOP_NS
    assert (alert.value, alert.limit, alert.unit) == (100.0, 100.0, "/min")
    assert (alert.score, alert.threshold, alert.lead, alert.end_ns) == (0.9, 0.5, "MLII", None)
    assert alert.reasons == ("ventricular tachycardia, 6 beats at 100/min",)


def test_codes_stand_where_the_standard_has_a_term() -> None:
    followed = FollowedPatient()
    (asystole,) = alerts(followed.do(verdict(0, "normal", findings=(finding("asystole", 0, beats=None, seconds=4.5),))))
    assert asystole.mdc is not None
    assert (asystole.mdc.reference_id, asystole.mdc.code) == ("MDC_EVT_ECG_ASYSTOLE", 199684)
    assert (asystole.value, asystole.limit, asystole.unit) == (4.5, 4.0, "s")
    (abnormal,) = alerts(followed.do(verdict(1, "abnormal"), verdict(2, "abnormal")))
    assert abnormal.mdc is None


def test_a_high_alarm_is_latched_until_somebody_acknowledges() -> None:
    followed = FollowedPatient()
    followed.do(tachycardia(0), *normal(1, 2, 3))
    assert followed.published()[-1] == "ventricular_tachycardia:update:latched"
    (end,) = alerts(followed.do(command(1, "acknowledge", VT_ID)))
    assert (end.phase, end.state, end.acknowledged_by, end.end_ns) == ("end", "inactive", "Ada", START_NS + 4 * HOP_NS)
    assert followed.state is not None
    assert not followed.state.alarms


def test_a_low_alarm_asks_for_no_answer_and_ends_by_itself() -> None:
    insistent = {"priority": "low", "latching": True, "retell_s": 5, "escalate_s": 5, "end_clean_s": 15}
    followed = FollowedPatient(with_rules(ventricular_tachycardia=insistent))
    followed.do(*(tachycardia(w) for w in range(30)), *normal(30, 31, 32))
    assert followed.published() == ["ventricular_tachycardia:start:active", "ventricular_tachycardia:end:inactive"]


def test_an_alarm_that_was_left_latched_ends_once_its_rule_no_longer_latches() -> None:
    followed = FollowedPatient()
    followed.do(tachycardia(0), *normal(1, 2, 3))
    followed.rules = with_rules(ventricular_tachycardia={"latching": False})
    followed.do(*normal(4))
    assert followed.published()[-2:] == [
        "ventricular_tachycardia:update:latched",
        "ventricular_tachycardia:end:inactive",
    ]


def test_a_latched_alarm_comes_back_as_itself() -> None:
    followed = FollowedPatient()
    followed.do(tachycardia(0), *normal(1, 2, 3), tachycardia(4))
    back = alerts(followed.actions)[-1]
    assert (back.id, back.phase, back.state) == (VT_ID, "update", "active")
    assert back.returned_ns == START_NS + 4 * HOP_NS + S


def test_an_acknowledged_alarm_is_quiet_and_ends_with_its_condition() -> None:
    followed = FollowedPatient(with_rules(ventricular_tachycardia={"retell_s": 5}))
    followed.do(tachycardia(0), command(1, "acknowledge", VT_ID), *(tachycardia(w) for w in range(1, 20)))
    assert followed.published() == [
        "ventricular_tachycardia:start:active",
        "ventricular_tachycardia:update:acknowledged",
    ]
    followed.do(*normal(20, 21, 22))
    assert followed.published()[2:] == ["ventricular_tachycardia:end:inactive"]


def test_of_two_who_acknowledge_the_first_counts_and_the_second_hears_of_it() -> None:
    followed = FollowedPatient()
    followed.do(tachycardia(0), command(1, "acknowledge", VT_ID))
    (reason,) = refusals(followed.do(command(2, "acknowledge", VT_ID, by="Bo")))
    assert reason == f"alarm {VT_ID!r} makes no sound: Ada has acknowledged it"


def test_an_alarm_nobody_attends_to_is_told_again_and_escalated() -> None:
    followed = FollowedPatient()
    followed.do(*(tachycardia(w) for w in range(60)))
    phases = [(alert.phase, (alert.told_ns - START_NS) // S) for alert in alerts(followed.actions)]
    phases = [pair for pair in phases if pair[0] != "start"]
    assert phases[:4] == [("continue", 35), ("continue", 65), ("escalate", 65), ("continue", 95)]
    levels = [alert.escalations for alert in alerts(followed.actions) if alert.phase == "escalate"]
    assert levels == [1, 2, 3], "who has not come by then is not called by a fourth"
    (calm,) = alerts(followed.do(command(1, "acknowledge", VT_ID)))
    assert (calm.phase, calm.escalations) == ("de-escalate", 0)


def test_escalation_may_raise_the_priority_and_acknowledging_takes_it_back() -> None:
    followed = FollowedPatient()
    followed.do(*stream("u" * 63))
    start, raised = alerts(followed.actions)
    assert (start.priority, raised.phase, raised.priority) == ("low", "escalate", "medium")
    assert raised.told_ns - start.told_ns == 300 * S
    (calm,) = alerts(followed.do(command(1, "acknowledge", start.id)))
    assert (calm.phase, calm.priority) == ("de-escalate", "low")


def test_a_silence_has_an_end() -> None:
    followed = FollowedPatient()
    followed.do(tachycardia(0), command(1, "silence", VT_ID, seconds=62))
    followed.do(*(tachycardia(w) for w in range(1, 22)))
    silent, back, again = [a for a in alerts(followed.actions) if a.condition == "ventricular_tachycardia"][1:4]
    assert (silent.phase, silent.state, silent.silenced_by) == ("update", "silenced", "Ada")
    assert silent.silenced_until_ns == START_NS + HOP_NS + 62 * S
    assert (back.phase, back.state, back.silenced_by) == ("update", "active", None)
    assert back.told_ns == silent.silenced_until_ns, "it ends at its time, not with the next window"
    assert (again.phase, again.told_ns) == ("continue", back.told_ns + 30 * S), "what was missed is not made up for"


def test_unsilence_gives_the_sound_back() -> None:
    followed = FollowedPatient()
    followed.do(tachycardia(0), command(1, "silence", VT_ID, seconds=600), command(2, "unsilence", VT_ID))
    assert followed.published()[-1] == "ventricular_tachycardia:update:active"
    assert refusals(followed.do(command(3, "unsilence", VT_ID))) == [f"alarm {VT_ID!r} is not silenced"]


def test_a_patients_silence_covers_what_starts_below_high() -> None:
    followed = FollowedPatient()
    followed.do(verdict(0, "normal"), command(1, "silence", None, seconds=600))
    followed.do(*(verdict(w, "unusable", flags=("lead_off",)) for w in (1, 2)), tachycardia(3))
    assert followed.published() == ["lead_off:start:silenced", "ventricular_tachycardia:start:active"]
    followed.do(command(2, "unsilence", None))
    assert followed.published()[-1] == "lead_off:update:active"
    assert refusals(followed.do(command(3, "unsilence", None))) == ["no alarm of patient 'p1' is silenced"]


def test_under_bad_signal_a_clinical_alarm_becomes_a_technical_one() -> None:
    followed = FollowedPatient()
    followed.do(*(verdict(w, "abnormal", flags=("noisy",)) for w in (0, 1)))
    (alert,) = alerts(followed.actions)
    assert (alert.condition, alert.kind) == ("poor_signal", "technical")
    assert alert.reasons == ("abnormal ECG suspected, but the signal is noisy", "noisy")


def test_what_covers_a_condition_says_it_all() -> None:
    both = (finding("ventricular_run", 0, beats=3), finding("ventricular_tachycardia", 0))
    followed = FollowedPatient()
    followed.do(verdict(0, "normal", findings=both))
    assert followed.published() == ["ventricular_tachycardia:start:active"]


def test_what_the_autoencoder_alone_finds_odd_is_for_information() -> None:
    (alert,) = alerts(FollowedPatient().do(*(verdict(w, "normal", autoencoder=0.95) for w in (0, 1))))
    assert (alert.condition, alert.priority, alert.value, alert.limit) == ("unusual_window", "information", 0.95, 0.9)


def test_a_patients_own_limit_counts() -> None:
    rules = RULES.model_dump(mode="json")
    rules["patients"] = {"p2": {"rules": {"heart_rate_high": rules["rules"]["heart_rate_high"] | {"limit": 100}}}}
    own = FollowedPatient(type(RULES).model_validate(rules))
    fast = [verdict(w, "normal", heart_rate_bpm=120, patient="p2") for w in range(3)]
    assert [alert.condition for alert in alerts(own.do(*fast))] == ["heart_rate_high"]
    assert alerts(FollowedPatient().do(*fast)) == []


def test_a_silent_patient_has_not_recovered() -> None:
    followed = FollowedPatient()
    followed.do(tachycardia(0), after(1, seconds=29))
    assert followed.published()[-1] == "ventricular_tachycardia:start:active"
    followed.do(after(1, seconds=31))
    assert followed.published()[-1] == "silent_patient:start:active"
    assert followed.state is not None
    assert set(followed.state.alarms) == {"ventricular_tachycardia", "silent_patient"}
    followed.do(tachycardia(30))
    assert followed.published()[-1] == "silent_patient:end:inactive"


def test_a_stopped_source_is_an_alarm_of_its_own_and_turns_into_the_patients_silence() -> None:
    followed = FollowedPatient()
    followed.do(verdict(0, "normal"), after(1, seconds=25, anybody_s=25))
    assert followed.published() == ["source_stopped:start:active"]
    followed.do(after(1, seconds=60, anybody_s=60))
    assert len(followed.published()) == 1, "of one silence one alarm"
    followed.do(after(1, seconds=65, anybody_s=1))
    assert followed.published()[1:] == ["source_stopped:end:inactive", "silent_patient:start:active"]


def test_of_a_stopped_source_every_patient_is_told_the_same_however_late_somebody_looks() -> None:
    followed = FollowedPatient()
    followed.do(verdict(0, "normal"), after(1, seconds=3000, anybody_s=3000))
    first, *again = alerts(followed.actions)
    assert (first.condition, first.told_ns - first.onset_ns) == ("source_stopped", 20 * S)
    assert {alert.phase for alert in again} == {"continue"}


def test_a_patient_who_has_left_is_forgotten_and_every_alarm_told_to_its_end() -> None:
    followed = FollowedPatient()
    followed.do(tachycardia(0), after(1, seconds=RULES.forget_s))
    assert followed.state is None
    ends = [alert for alert in alerts(followed.actions) if alert.phase == "end"]
    assert {alert.condition for alert in ends} == {"ventricular_tachycardia", "silent_patient"}
    assert all(alert.reasons[0].startswith("nothing came for 24 h") for alert in ends)
    assert refusals(followed.do(command(1, "acknowledge", VT_ID))) == ["nothing is known of patient 'p1'"]


def test_a_restarted_device_ends_nothing() -> None:
    followed = FollowedPatient()
    later = START_NS + 2 * HOP_NS
    followed.do(tachycardia(0), verdict(0, "normal", stream_start_ns=later), tachycardia(0))
    assert followed.published() == ["ventricular_tachycardia:start:active"]
    assert followed.state is not None
    assert followed.state.device == "holter"


def test_a_clock_turned_back_takes_the_alarms_along() -> None:
    followed = FollowedPatient()
    followed.do(tachycardia(0), tachycardia(1), command(1, "silence", VT_ID, seconds=60))
    before = alerts(followed.actions)[-1]
    hour = 3600 * S
    followed.do(verdict(2, "normal", start_ns=START_NS + 2 * HOP_NS - hour))
    assert followed.state is not None
    alarm = followed.state.alarms["ventricular_tachycardia"]
    assert alarm.onset_ns == before.onset_ns - hour
    assert before.silenced_until_ns is not None
    assert alarm.silenced_until_ns == before.silenced_until_ns - hour


def test_stray_windows_on_both_sides_of_a_long_gap_start_nothing() -> None:
    assert (
        alerts(FollowedPatient().do(verdict(0, "abnormal"), verdict(100, "abnormal")))[0].condition == "silent_patient"
    )
    assert "abnormal_window" not in {
        alert.condition for alert in alerts(FollowedPatient().do(verdict(0, "abnormal"), verdict(100, "abnormal")))
    }


def test_a_verdict_that_comes_twice_changes_nothing() -> None:
    once, twice = FollowedPatient(), FollowedPatient()
    letters = stream("auaaunna")
    once.do(*letters)
    twice.do(*(each for each in letters for _ in range(2)))
    assert (once.state, once.actions) == (twice.state, twice.actions)


def test_a_condition_whose_rule_is_switched_off_is_not_told() -> None:
    followed = FollowedPatient(with_rules(abnormal_window={"enabled": False}, lead_off={"enabled": False}))
    assert alerts(followed.do(*stream("aauuaa"))) == []
