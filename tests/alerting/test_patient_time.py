"""Whatever clocks and sample counts senders claim: no alarm ends by them, no silence; nobody is called too often."""

from dataclasses import dataclass

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from alerting.patient_time import TOLERANCE_NS, BrokerTime
from alerting.policy import Event
from bus.messages import Alert, Decision, Finding, Urgent, Verdict
from tests.alerting.followed import FollowedPatient, S, alerts, command
from tests.alerting.verdicts import HOP_NS, START_NS, finding, urgent, verdict

VT_ID = f"p1/{START_NS}/0/ventricular_tachycardia"
DAY_NS = 86_400 * S
WINDOWS = 40
CLAIMS = {
    "two days ahead": START_NS + 2 * DAY_NS,
    "1970": 0,
    "before 1970": -DAY_NS,
    "2116": 4_607_000_000 * S,
    "an hour back": START_NS - 3600 * S,
    "a minute ahead": START_NS + 60 * S,
    "beyond all integers": 10**40,
}


def tachycardia(window: int, *, patient: str = "p1") -> Verdict:
    return verdict(window, "abnormal", findings=(finding("ventricular_tachycardia", window),), patient=patient)


TACHYCARDIA = [tachycardia(window) for window in range(WINDOWS)]


def taken(window: int) -> BrokerTime:
    """The broker's time of a window's verdict from a device whose clock is right."""
    return BrokerTime(START_NS + (window + 1) * HOP_NS + S // 2)


@dataclass
class Said:
    """A message, and when it was given out by the broker's clock."""

    alert: Alert
    broker: BrokerTime


def live(between: dict[int, list[Event]], *, silenced_s: float | None = 100.0) -> tuple[FollowedPatient, list[Said]]:
    """A ward in which p1 has a tachycardia all the time, silenced after the first window; others' messages between."""
    followed, said = FollowedPatient(), []
    for window in range(WINDOWS):
        events: list[Event] = [TACHYCARDIA[window], *between.get(window, ())]
        if window == 0 and silenced_s is not None:
            events.insert(1, command(1, "silence", VT_ID, seconds=silenced_s))
        for event in events:
            said += [Said(alert, taken(window)) for alert in alerts(followed.do(event, broker=taken(window)))]
    return followed, said


def about_vt(said: list[Said]) -> list[tuple[str, str, int]]:
    return [
        (each.alert.phase, each.alert.state, each.broker.now_ns)
        for each in said
        if each.alert.condition == "ventricular_tachycardia"
    ]


@pytest.mark.parametrize("claim", CLAIMS)
def test_one_window_with_another_clock_changes_nothing(claim: str) -> None:
    """The window is one of the stream's own: the device's clock jumps, and jumps back."""
    _, undisturbed = live({})
    followed, said = FollowedPatient(), []
    for window in range(WINDOWS):
        each = tachycardia(window)
        if window in {5, 20}:
            each = each.model_copy(update={"start_ns": CLAIMS[claim], "end_ns": CLAIMS[claim] + HOP_NS})
        events: list[Event] = [each] if window else [each, command(1, "silence", VT_ID, seconds=100)]
        for event in events:
            said += [Said(alert, taken(window)) for alert in alerts(followed.do(event, broker=taken(window)))]
    assert about_vt(said) == about_vt(undisturbed)
    assert all(each.alert.told_ns <= each.broker.latest_ns for each in said)
    assert followed.state is not None
    assert followed.state.seen_ns == START_NS + WINDOWS * HOP_NS, "the clock is right again"


@pytest.mark.parametrize("claim", CLAIMS)
def test_a_stream_that_begins_with_another_clock_is_named_by_the_brokers(claim: str) -> None:
    followed = FollowedPatient()
    for window in range(8):
        claimed_ns = CLAIMS[claim] + window * HOP_NS
        each = verdict(window, "unusable", stream_start_ns=CLAIMS[claim], flags=("lead_off",), start_ns=claimed_ns)
        for alert in alerts(followed.do(each, broker=taken(window))):
            assert 0 <= alert.onset_ns <= alert.last_ns <= alert.told_ns <= taken(window).latest_ns
    assert followed.published() == ["lead_off:start:active"]


def test_a_latched_alarm_outlives_every_clock() -> None:
    followed = FollowedPatient()
    followed.do(tachycardia(0), *(verdict(w, "normal") for w in (1, 2, 3)), broker=taken(3))
    for number, claimed_ns in enumerate(CLAIMS.values()):
        followed.do(verdict(4 + number, "normal", start_ns=claimed_ns), broker=taken(4 + number))
    assert not [alert for alert in alerts(followed.actions) if alert.phase == "end" and alert.id == VT_ID]
    assert alerts(followed.do(verdict(4, "normal"), broker=taken(20))) == [], "it was judged"
    assert followed.state is not None
    assert followed.state.alarms["ventricular_tachycardia"].state == "latched"


def test_a_clock_that_was_set_right_brings_the_alarms_along() -> None:
    followed = FollowedPatient()
    unset_ns = 7 * S
    followed.do(verdict(0, "abnormal", stream_start_ns=unset_ns, findings=_vt(unset_ns)), broker=taken(0))
    for window in range(1, 4):
        each = verdict(window, "normal", stream_start_ns=unset_ns, start_ns=START_NS + window * HOP_NS)
        followed.do(each, broker=taken(window))
    latched = alerts(followed.actions)[-1]
    assert (latched.state, latched.phase) == ("latched", "update")
    assert latched.onset_ns == START_NS + S


def test_times_that_are_moved_to_1970_do_not_begin_before() -> None:
    _, said = live({20: [verdict(WINDOWS, "normal", start_ns=0)]})
    followed = FollowedPatient()
    followed.do(*(TACHYCARDIA[window] for window in range(12)), broker=taken(12))
    followed.do(tachycardia(12).model_copy(update={"start_ns": 0, "end_ns": HOP_NS}), broker=taken(13))
    (published,) = alerts(followed.do(command(1, "acknowledge", VT_ID)))
    assert (published.onset_ns, published.told_ns) == (0, HOP_NS)
    assert all(each.alert.onset_ns >= 0 for each in said)


def test_a_replay_of_the_past_may_run_as_fast_as_it_likes() -> None:
    slow, fast = FollowedPatient(), FollowedPatient()
    for window in range(200):
        slow.do(tachycardia(window), broker=taken(window))
        fast.do(tachycardia(window), broker=taken(200))
    assert slow.actions == fast.actions


def test_after_an_impossible_window_number_the_true_ones_are_judged() -> None:
    followed = FollowedPatient()
    followed.do(verdict(0, "normal"), broker=taken(0))
    followed.do(verdict(10**12, "normal", start_ns=START_NS + HOP_NS), broker=taken(0))
    assert followed.published() == []
    followed.do(tachycardia(1), broker=taken(1))
    assert followed.published() == ["ventricular_tachycardia:start:active"]
    assert followed.do(tachycardia(1), broker=taken(1)) == [], "and each once"


UNDISTURBED = live({})[1]


def _vt(start_ns: int) -> tuple[Finding, ...]:
    each = finding("ventricular_tachycardia", 0)
    return (each.model_copy(update={"start_ns": start_ns + S, "end_ns": start_ns + 4 * S}),)


claims = st.sampled_from(sorted(CLAIMS.values())) | st.integers(START_NS - 3 * DAY_NS, START_NS + 3 * DAY_NS)
numbers = st.sampled_from([0, 1, 7, 500, 17_280, 10**6, 10**12]) | st.integers(0, 10**13)


@st.composite
def forged(draw: st.DrawFn) -> Verdict | Urgent:
    """A message about p1 of somebody who claims any clock and any count, in the patient's stream or in another."""
    stream_start_ns = draw(st.just(START_NS) | claims)
    # Who knows the number of the true stream's next window, its start and its device, is that stream.
    window = draw(numbers) + (WINDOWS if stream_start_ns == START_NS else 0)
    backed = draw(st.booleans())
    if draw(st.integers(0, 3)) == 0:
        second = (window + 1) * 5
        published = urgent(second, "asystole", flags=("noisy",), stream_start_ns=stream_start_ns)
        return published if backed else published.model_copy(update={"end_ns": draw(claims)})
    decision: Decision = draw(st.sampled_from(["normal", "abnormal", "unusable"]))
    start_ns = None if backed else draw(claims)
    return verdict(window, decision, stream_start_ns=stream_start_ns, start_ns=start_ns)


@given(st.dictionaries(st.integers(0, WINDOWS - 1), st.lists(forged(), max_size=4), max_size=12))
@settings(deadline=None, max_examples=60)
def test_no_claim_ends_an_alarm_or_a_silence_or_calls_too_often(between: dict[int, list[Event]]) -> None:
    followed, said = live(between)
    undisturbed = UNDISTURBED
    assert followed.state is not None
    assert followed.state.alarms["ventricular_tachycardia"].windows == WINDOWS, "the patient's own windows all count"
    assert not [each for each in said if each.alert.phase == "end" and each.alert.id == VT_ID]
    for phase in ("escalate", "continue"):
        then = [at_ns for each, _, at_ns in about_vt(undisturbed) if each == phase]
        now = [at_ns for each, _, at_ns in about_vt(said) if each == phase]
        # What is told again later, because of it, is no more than what the tolerance holds.
        early = [at_ns + TOLERANCE_NS >= then[number] for number, at_ns in enumerate(now) if number < len(then)]
        assert all(early)
        assert len(now) <= len(then) + TOLERANCE_NS // (30 * S)
    back = [at_ns for phase, state, at_ns in about_vt(said) if (phase, state) == ("update", "active")]
    assert all(at_ns >= taken(0).now_ns + 100 * S - TOLERANCE_NS for at_ns in back)
    for each in said:
        assert 0 <= each.alert.onset_ns <= each.alert.told_ns <= each.broker.latest_ns
        assert each.alert.last_ns <= each.broker.latest_ns
