"""Messages of a patient that the detector refused: an alarm of its own."""

from bus.messages import DeadLetter
from tests.alerting.followed import FollowedPatient, after, alerts
from tests.alerting.verdicts import START_NS, verdict


def letter(offset: int, *, count: int = 1, patient: str | None = "p1") -> DeadLetter:
    return DeadLetter(
        service="detector",
        reason="the chunk says index 10^12: see to the sender",
        topic="ecg.samples",
        partition=0,
        offset=offset,
        timestamp_ms=START_NS // 10**6,
        key_base64=None,
        value_bytes=7,
        value_base64=None,
        code="index_jump",
        patient=patient,
        count=count,
    )


def test_a_few_refused_messages_ring_no_bell_and_many_do() -> None:
    followed = FollowedPatient()
    followed.do(verdict(0, "normal"), *(letter(offset) for offset in range(9)))
    assert followed.published() == []
    (alert,) = alerts(followed.do(letter(9)))
    assert (alert.condition, alert.label, alert.kind) == ("input_refused", "messages refused", "technical")
    assert alert.reasons == ("the chunk says index 10^12: see to the sender",)


def test_a_letter_that_stands_for_many_rings_at_once() -> None:
    followed = FollowedPatient()
    assert len(alerts(followed.do(verdict(0, "normal"), letter(0, count=40)))) == 1


def test_refusals_are_counted_over_the_same_time_where_windows_overlap() -> None:
    followed, second_ns = FollowedPatient(), 1_000_000_000
    for window in range(40):
        each = verdict(window, "normal", start_ns=START_NS + 2 * window * second_ns)
        followed.do(each.model_copy(update={"hop_s": 2}), *([letter(window)] if window % 3 == 0 else ()))
    assert [alert.condition for alert in alerts(followed.actions)] == ["input_refused"], "one in six seconds"


def test_now_and_then_a_refused_message_between_good_ones_rings_no_bell() -> None:
    followed = FollowedPatient()
    for window in range(100):
        followed.do(verdict(window, "normal"), *([letter(window)] if window % 5 == 0 else ()))
    assert followed.published() == []


def test_it_ends_after_windows_without_letters_and_not_before() -> None:
    followed = FollowedPatient()
    followed.do(verdict(0, "normal"), letter(0, count=20))
    for window in range(1, 40):
        followed.do(verdict(window, "normal"), *([letter(window, count=3)] if window % 10 == 0 else ()))
    assert followed.published() == ["input_refused:start:active"]
    followed.do(*(verdict(window, "normal") for window in range(40, 44)))
    assert followed.published() == ["input_refused:start:active", "input_refused:end:inactive"]


def test_a_patient_of_whom_nothing_else_came_has_it_too_and_is_forgotten_soon() -> None:
    followed = FollowedPatient()
    followed.do(letter(0, count=20))
    assert followed.published() == ["input_refused:start:active"]
    followed.do(after(0, seconds=500, anybody_s=500))
    assert followed.published() == ["input_refused:start:active"], "that nothing can be judged is told once"
    followed.do(after(0, seconds=601))
    assert followed.published()[1:] == ["input_refused:end:inactive"]
    assert followed.state is None


def test_it_is_followed_like_any_other_once_it_is_judged() -> None:
    followed = FollowedPatient()
    followed.do(letter(0, count=20), *(verdict(window, "normal") for window in range(14)))
    assert followed.published() == ["input_refused:start:active", "input_refused:end:inactive"]
    assert followed.state is not None
    assert (followed.state.device, followed.state.seen_ns) == ("holter", START_NS + 14 * 5 * 10**9)
