"""The core of alerting, by example and by property."""

from collections.abc import Iterable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alerting.episodes import MAX_REASONS, PatientState, step
from alerting.settings import AlertingSettings
from bus.messages import Alert, Decision, Verdict
from tests.alerting.verdicts import HOP_NS, START_NS, verdict

DECISIONS: dict[str, Decision] = {"n": "normal", "a": "abnormal", "u": "unusable"}
RULES = AlertingSettings()


def run(verdicts: Iterable[Verdict], rules: AlertingSettings = RULES) -> tuple[PatientState | None, list[Alert]]:
    state: PatientState | None = None
    alerts: list[Alert] = []
    for each in verdicts:
        state, told = step(state, each, rules)
        alerts += told
    return state, alerts


def stream(letters: str) -> list[Verdict]:
    return [verdict(window, DECISIONS[letter]) for window, letter in enumerate(letters)]


def told(letters: str, rules: AlertingSettings = RULES) -> list[str]:
    """What is told, as ``kind:phase@onset window+windows``."""
    return [
        f"{alert.kind[0]}:{alert.phase}@{(alert.onset_ns - START_NS) // HOP_NS}+{alert.windows}"
        for alert in run(stream(letters), rules)[1]
    ]


@pytest.mark.parametrize(
    ("letters", "expected"),
    [
        ("nnnnn", []),
        ("nanna", []),  # stray windows
        ("naa", ["p:start@1+2"]),
        ("nana", ["p:start@1+2"]),  # two of the last three
        ("aaannn", ["p:start@0+2", "p:end@0+3"]),
        ("aannan" + "nn", ["p:start@0+2", "p:end@0+3"]),  # two normal windows do not end it
        ("aannnaa", ["p:start@0+2", "p:end@0+2", "p:start@5+2"]),
        ("aa" + "a" * 6, ["p:start@0+2", "p:continue@0+8"]),
        ("aa" + "a" * 12, ["p:start@0+2", "p:continue@0+8", "p:continue@0+14"]),
        ("auan", ["p:start@0+2"]),  # an unusable window is no normal one
        ("aannu", ["p:start@0+2"]),
        ("aannun", ["p:start@0+2", "p:end@0+2"]),
        ("uu", ["t:start@0+2"]),
        ("unu", []),
        ("uuun", ["t:start@0+2", "t:end@0+3"]),
        ("aauunn", ["p:start@0+2", "t:start@2+2", "t:end@2+2"]),  # both kinds at once
    ],
)
def test_what_is_told(letters: str, expected: list[str]) -> None:
    assert told(letters) == expected


def test_settings_move_the_limits() -> None:
    eager = AlertingSettings(start_abnormal=1, start_of=1, end_clean=1, continue_every=1)
    assert told("aan", eager) == ["p:start@0+1", "p:continue@0+2", "p:end@0+2"]


def test_a_start_that_cannot_be_reached_is_refused() -> None:
    with pytest.raises(ValueError, match="start_abnormal=4 is above start_of=3"):
        AlertingSettings(start_abnormal=4, start_of=3)


def test_an_alert_tells_the_episode() -> None:
    _, alerts = run(
        [
            verdict(0, "abnormal", fused=0.9, reasons=("cnn",), heart_rate_bpm=80),
            verdict(1, "abnormal", fused=0.8, reasons=("autoencoder", "cnn"), heart_rate_bpm=150),
            verdict(2, "abnormal", fused=0.7, reasons=("pause",), heart_rate_bpm=None),
            *(verdict(window, "normal") for window in (3, 4, 5)),
        ]
    )
    start, end = alerts
    assert start == Alert(
        id=f"p1/{START_NS}/physiological",
        sequence=0,
        patient="p1",
        device="holter",
        phase="start",
        kind="physiological",
        priority="medium",
        onset_ns=START_NS,
        last_ns=START_NS + 2 * HOP_NS,
        end_ns=None,
        windows=2,
        score=0.9,
        threshold=0.5,
        heart_rate_bpm=150,
        reasons=("cnn", "autoencoder"),
        verdict=f"p1/{START_NS}/1",
    )
    assert (end.phase, end.sequence, end.windows, end.score, end.heart_rate_bpm) == ("end", 1, 3, 0.9, 150)
    assert end.last_ns == end.end_ns == START_NS + 3 * HOP_NS
    assert end.reasons == ("cnn", "autoencoder", "pause")
    assert end.verdict == f"p1/{START_NS}/2"


def test_a_technical_alert_has_no_score_and_low_priority() -> None:
    (alert,) = run([verdict(w, "unusable", reasons=("lead_off",)) for w in (0, 1)])[1]
    assert (alert.kind, alert.priority, alert.score, alert.threshold) == ("technical", "low", None, None)
    assert alert.reasons == ("lead_off",)


def test_a_restarted_stream_ends_what_is_open_and_starts_anew() -> None:
    later = START_NS + 1000 * HOP_NS
    restarted = [verdict(window, "abnormal", stream_start_ns=later) for window in (0, 1)]
    _, alerts = run([*stream("uuaa"), *restarted])
    assert [(alert.kind, alert.phase) for alert in alerts] == [
        ("technical", "start"),
        ("technical", "end"),
        ("physiological", "start"),
        ("physiological", "end"),
        ("physiological", "start"),
    ]
    assert alerts[-2].end_ns == START_NS + 4 * HOP_NS, "it ends with its last window, not with the new stream"
    assert alerts[-1].onset_ns == later


def test_a_clock_turned_back_is_a_new_case() -> None:
    back = [verdict(w, "abnormal", start_ns=START_NS - (9 - w) * HOP_NS) for w in (2, 3)]
    _, alerts = run([*stream("aa"), *back])
    assert [alert.phase for alert in alerts] == ["start", "end", "start"]
    assert len({alert.id for alert in alerts}) == 2


def test_a_gap_longer_than_the_limit_ends_what_is_open() -> None:
    assert [alert.phase for alert in run([*stream("aa"), verdict(14, "abnormal")])[1]] == ["start"]
    _, alerts = run([*stream("aa"), verdict(15, "abnormal")])
    assert [(alert.phase, alert.end_ns) for alert in alerts] == [("start", None), ("end", START_NS + 2 * HOP_NS)]


def test_stray_windows_on_both_sides_of_a_long_gap_start_nothing() -> None:
    assert run([verdict(0, "abnormal"), verdict(100, "abnormal")])[1] == []


def test_an_episode_ends_when_nothing_usable_came_for_longer_than_the_limit() -> None:
    assert told("aa" + "u" * 12 + "a") == ["p:start@0+2", "t:start@2+2", "t:continue@2+8", "t:end@2+12"]
    assert told("aa" + "u" * 13 + "a")[-2:] == ["p:end@0+2", "t:end@2+13"]


def test_a_verdict_that_comes_twice_changes_nothing() -> None:
    once = stream("auaaunna")
    assert run([each for each in once for _ in range(2)]) == run(once)


def test_a_patient_without_trouble_has_no_state() -> None:
    assert run(stream("nnn"))[0] is None
    assert run(stream("naannn"))[0] is None
    assert run(stream("nauunnn"))[0] is None
    assert run(stream("na"))[0] is not None


def test_reasons_of_an_endless_episode_stay_bounded() -> None:
    _, alerts = run(verdict(w, "abnormal", reasons=(f"r{w}",)) for w in range(60))
    assert alerts[-1].reasons == tuple(f"r{w}" for w in range(MAX_REASONS))


# --- properties -------------------------------------------------------------------------------------------------

rule_sets = st.builds(
    lambda hits, more, end, technical, technical_end, every, gap: AlertingSettings(
        start_abnormal=hits,
        start_of=hits + more,
        end_clean=end,
        technical_start=technical,
        technical_end=technical_end,
        continue_every=every,
        max_gap_s=gap,
    ),
    st.integers(1, 3),
    st.integers(0, 3),
    st.integers(1, 4),
    st.integers(1, 3),
    st.integers(1, 3),
    st.integers(1, 4),
    st.sampled_from([5.0, 20.0, 60.0]),
)


@st.composite
def lives(draw: st.DrawFn) -> list[Verdict]:
    """What one patient's topic may hold: runs of windows, gaps, restarts, and verdicts that come again."""
    verdicts: list[Verdict] = []
    stream_start, window = START_NS, 0
    for kind, decision, length in draw(
        st.lists(
            st.tuples(
                st.sampled_from(["run", "run", "run", "gap", "restart", "again"]),
                st.sampled_from(["normal", "abnormal", "abnormal", "unusable"]),
                st.integers(1, 6),
            ),
            max_size=20,
        )
    ):
        if kind == "gap":
            window += length * 3
        elif kind == "restart":
            stream_start, window = stream_start + (window + length) * HOP_NS, 0
        elif kind == "again":
            verdicts += verdicts[-1:]
        else:
            verdicts += [
                verdict(window + n, decision, stream_start_ns=stream_start)  # type: ignore[arg-type] # sampled
                for n in range(length)
            ]
            window += length
    return verdicts


@given(lives(), rule_sets)
def test_every_alert_lives_in_order(verdicts: list[Verdict], rules: AlertingSettings) -> None:
    state, alerts = run(verdicts, rules)
    last: dict[str, Alert] = {}
    open_ids: dict[str, str] = {}
    for alert in alerts:
        before = last.get(alert.id)
        if alert.phase == "start":
            assert before is None, "an id is used once"
            assert alert.kind not in open_ids, "one open alert of a kind"
            assert alert.sequence == 0
            open_ids[alert.kind] = alert.id
        else:
            assert before is not None
            assert before.phase != "end"
            assert open_ids[alert.kind] == alert.id
            assert alert.sequence == before.sequence + 1
            assert alert.onset_ns == before.onset_ns
            assert alert.windows >= before.windows
            assert alert.last_ns >= before.last_ns
        if alert.phase == "continue":
            assert before is not None
            assert alert.windows - before.windows >= rules.continue_every, "not told again too often"
        if alert.phase == "end":
            assert alert.end_ns == alert.last_ns
            del open_ids[alert.kind]
        else:
            assert alert.end_ns is None
        last[alert.id] = alert
    still = {
        kind for kind in ("physiological", "technical") if state is not None and getattr(state, kind).open is not None
    }
    assert still == set(open_ids), "the state knows what is open"


@given(lives(), rule_sets)
def test_an_alert_is_made_of_its_own_windows_only(verdicts: list[Verdict], rules: AlertingSettings) -> None:
    decisions = {"physiological": "abnormal", "technical": "unusable"}
    for alert in run(verdicts, rules)[1]:
        covered = {
            each.id
            for each in verdicts
            if each.decision == decisions[alert.kind] and alert.onset_ns <= each.start_ns < alert.last_ns
        }
        assert alert.windows == len(covered)
        assert alert.verdict in covered


@given(lives(), rule_sets, st.data())
def test_a_restart_at_any_moment_changes_nothing(
    verdicts: list[Verdict], rules: AlertingSettings, data: st.DataObject
) -> None:
    whole = run(verdicts, rules)
    state: PatientState | None = None
    alerts: list[Alert] = []
    for each in verdicts:
        if state is not None and data.draw(st.booleans(), label="restart before"):
            state = PatientState.model_validate_json(state.model_dump_json())
        state, told_now = step(state, each, rules)
        alerts += told_now
    assert (state, alerts) == whole


@given(lives(), rule_sets)
def test_normal_windows_end_everything(verdicts: list[Verdict], rules: AlertingSettings) -> None:
    start = max((each.start_ns for each in verdicts), default=START_NS) + HOP_NS
    rest = [verdict(window, "normal", stream_start_ns=start, start_ns=start + window * HOP_NS) for window in range(10)]
    state, alerts = run([*verdicts, *rest], rules)
    assert state is None
    phases = [alert.phase for alert in alerts]
    assert phases.count("start") == phases.count("end")
