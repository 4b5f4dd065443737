"""Two devices under one patient id: told, and neither ends what the other shows."""

from alerting.patient_time import BrokerTime
from bus.messages import Verdict
from tests.alerting.followed import FollowedPatient, S, alerts
from tests.alerting.verdicts import HOP_NS, START_NS, finding, verdict

OTHER_NS = START_NS + 2 * S  # where the other device's stream begins


def at(window: int) -> BrokerTime:
    return BrokerTime(START_NS + (window + 1) * HOP_NS + S)


def one(window: int, *, run: bool = False) -> Verdict:
    found = (finding("ventricular_run", window, beats=3),) if run else ()
    return verdict(window, "normal", findings=found)


def other(window: int, *, device: str = "bedside", stream_start_ns: int = OTHER_NS) -> Verdict:
    return verdict(window, "normal", stream_start_ns=stream_start_ns).model_copy(update={"device": device})


def test_two_that_send_in_turn_are_told_with_both_names() -> None:
    followed = FollowedPatient()
    for window in range(4):
        followed.do(one(window), other(window), broker=at(window))
    (alert,) = alerts(followed.actions)
    assert (alert.condition, alert.kind, alert.phase) == ("several_devices", "technical", "start")
    assert alert.reasons == ("'bedside' and 'holter' send under this patient id: give each patient an id of its own",)


def test_it_ends_a_minute_after_one_of_them_has_gone() -> None:
    followed = FollowedPatient()
    for window in range(4):
        followed.do(one(window), other(window), broker=at(window))
    for window in range(4, 30):
        followed.do(one(window), broker=at(window))
    assert followed.published() == ["several_devices:start:active", "several_devices:end:inactive"]


def test_two_devices_of_one_name_with_clocks_apart_are_told_too() -> None:
    followed = FollowedPatient()
    begun_ns = START_NS - 7200 * S
    for window in range(4):
        followed.do(one(window), other(window, device="holter", stream_start_ns=begun_ns), broker=at(window))
    (alert,) = alerts(followed.actions)
    assert alert.reasons[0].startswith("two that both call themselves 'holter'")
    assert START_NS <= alert.onset_ns <= alert.told_ns <= at(3).latest_ns


def test_a_device_that_begins_anew_and_a_single_stray_window_are_no_second_device() -> None:
    followed = FollowedPatient()
    for window in range(3):
        followed.do(one(window), broker=at(window))
    followed.do(other(0), broker=at(2))
    for window in range(3, 10):
        followed.do(one(window), broker=at(window))
    for window in range(10):
        followed.do(other(window, device="holter", stream_start_ns=START_NS + 50 * S), broker=at(10 + window))
    assert followed.published() == []


def test_the_normal_stream_of_one_does_not_end_the_alarm_of_the_other() -> None:
    followed = FollowedPatient()
    followed.do(one(0, run=True), broker=at(0))
    for window in range(200):
        followed.do(other(window), broker=at(window))
        followed.do(*([one(window, run=True)] if window else ()), broker=at(window))
    ended = [alert for alert in alerts(followed.actions) if alert.phase == "end"]
    assert ended == []
    assert {alert.device for alert in alerts(followed.actions) if alert.condition == "ventricular_run"} == {"holter"}


def test_its_own_clean_windows_end_it_and_so_does_a_device_that_has_long_replaced_it() -> None:
    followed = FollowedPatient()
    followed.do(one(0, run=True), broker=at(0))
    for window in range(1, 60):
        followed.do(one(window), other(window), broker=at(window))
    assert "ventricular_run:end:inactive" not in followed.published()
    followed.do(one(60), broker=at(60))
    assert "ventricular_run:end:inactive" in followed.published()

    followed = FollowedPatient()
    followed.do(one(0, run=True), broker=at(0))
    for window in range(1, 170):
        followed.do(other(window), broker=at(window))
    assert "ventricular_run:end:inactive" not in followed.published(), "ten minutes and sixty windows"
    for window in range(170, 200):
        followed.do(other(window), broker=at(window))
    assert "ventricular_run:end:inactive" in followed.published()


def test_what_one_shows_in_most_windows_is_not_thinned_by_the_others() -> None:
    followed = FollowedPatient()
    for window in range(8):
        slow = one(window).model_copy(update={"findings": (finding("bradycardia", window),)})
        followed.do(slow, other(window), broker=at(window))
    assert "bradycardia:start:active" in followed.published()
