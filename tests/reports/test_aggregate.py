"""The one word of a recording: it never contradicts what was found."""

from collections.abc import Sequence
from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alerting.conditions import kind_of
from alerting.rules import load_rules
from bus.messages import Condition, Decision
from ecg.urgency import AlarmPriority
from ecg.windows import HOP_S
from reports.aggregate import (
    PRECISION,
    Aggregate,
    WindowFigures,
    aggregate_of,
    aggregate_of_rows,
    episode_probability,
    place,
    span,
)
from reports.episodes import ReportFinding
from tests.alerting.verdicts import verdict

RULES = load_rules().of("file")
RULE = RULES["abnormal_window"]
KINDS: tuple[Condition, ...] = tuple(RULES)
Scores = Sequence[float | None]


def windows(*scores: float | None, flags: tuple[str, ...] = (), reasons: tuple[str, ...] = ()) -> list[WindowFigures]:
    """One window for each fused score; None for one that could not be judged."""

    def decision(score: float | None) -> Decision:
        return "unusable" if score is None else "abnormal" if score >= 0.5 else "normal"

    return [
        WindowFigures.of(verdict(number, decision(score), fused=score, flags=flags, reasons=reasons))
        for number, score in enumerate(scores)
    ]


def found(kind: Condition, priority: AlarmPriority, *spans: tuple[float, float], **more: Any) -> list[ReportFinding]:
    return [
        ReportFinding(start_s=start_s, end_s=end_s, kind=kind, priority=priority, **more) for start_s, end_s in spans
    ]


def word(scores: Scores, *findings: ReportFinding) -> Aggregate:
    return aggregate_of(windows(*scores), findings, RULES)


FINDINGS = st.builds(
    ReportFinding,
    start_s=st.floats(0, 3600),
    end_s=st.floats(3600, 7200),
    kind=st.sampled_from(KINDS),
    priority=st.sampled_from(get_args(AlarmPriority)),
    lead=st.sampled_from([None, "MLII"]),
    rate_bpm=st.none() | st.floats(20, 300),
)
SCORES = st.none() | st.floats(0, 1)
FLAGS = st.sampled_from([(), (), (), ("noisy",), ("gap",)])


@given(st.lists(st.tuples(SCORES, FLAGS), min_size=1, max_size=20), st.lists(FINDINGS, max_size=4))
def test_whatever_was_found_the_word_does_not_contradict_it(
    judged: list[tuple[float | None, tuple[str, ...]]], findings: list[ReportFinding]
) -> None:
    figures = [windows(score, flags=flags)[0] for score, flags in judged]
    outcome = aggregate_of(figures, findings, RULES)
    serious = [each for each in findings if each.priority in {"high", "medium"}]
    if serious:
        assert outcome.decision != "normal"
    if any(kind_of(each.kind) == "physiological" for each in serious):
        assert outcome.decision == "abnormal"
    if outcome.decision == "unusable":
        assert outcome.confidence is None
    else:
        assert outcome.confidence is not None
        assert 0.5 <= outcome.confidence <= 1
    believed = [window for window in figures if window.fused is not None and "noisy" not in window.flags]
    if outcome.decision == "normal":
        assert 2 * len(believed) > len(figures)
        marks = [window.decision == "abnormal" for window in believed]
        assert all(sum(marks[first : first + 3]) < 2 for first in range(len(marks)))
        assert not any(marks) or len(marks) >= 3
        for each in findings:
            assert each.priority not in {"high", "medium"}
    assert outcome.reason
    assert outcome.reason[-1] not in ";: "
    assert "\n" not in outcome.reason


@given(st.lists(st.lists(SCORES, min_size=1, max_size=4), min_size=1, max_size=5))
def test_the_word_of_rows_follows_from_theirs(rows: list[list[float | None]]) -> None:
    text = [word(row) for row in rows]
    outcome = aggregate_of_rows(text, windows(*(score for row in rows for score in row)))
    decisions = [each.decision for each in text]
    assert (outcome.decision == "abnormal") == ("abnormal" in decisions)
    if outcome.decision == "normal":
        assert 2 * decisions.count("normal") > len(rows)
    sure = [each.confidence for each in text if each.decision == outcome.decision]
    assert outcome.confidence == (None if outcome.decision == "unusable" else outcome.confidence)
    assert outcome.decision == "unusable" or outcome.confidence in sure


@given(st.lists(st.floats(0, 1), min_size=1, max_size=30))
def test_the_probability_of_an_episode_stands_on_the_side_of_the_rule(scores: list[float]) -> None:
    likely = episode_probability(scores, RULE, HOP_S)
    assert likely in scores
    for limit in (0.1, 0.5, 0.9):
        marks = [score >= limit for score in scores]
        rule = any(sum(marks[first : first + 3]) >= 2 for first in range(len(marks) - 2))
        assert (likely >= limit) == (rule if len(scores) >= 3 else any(marks))


def test_a_stopped_heart_beside_normal_windows_is_abnormal() -> None:
    outcome = word([0.05] * 24, *found("asystole", "high", (80.0, 120.0)))
    assert outcome.decision == "abnormal"
    assert outcome.reason == "asystole from 1:20, 40 s"
    assert outcome.confidence == pytest.approx(PRECISION["asystole"], abs=1e-4)


def test_the_most_urgent_is_told_first_and_one_kind_once() -> None:
    outcome = word(
        [0.9, 0.9, 0.1, 0.1],
        *found("couplet", "low", (1.0, 1.8), (6.0, 6.5)),
        *found("ventricular_run", "medium", (3.0, 5.4), rate_bpm=140.0),
        *found("abnormal_window", "low", (0.0, 10.0)),
    )
    assert outcome.reason == (
        "ventricular run at 140/min from 0:03, 2.4 s; abnormal ECG from 0:00, 10 s; "
        "couplet 2 times from 0:01, the longest 0.8 s; 2 of 4 windows abnormal"
    )
    assert outcome.confidence == 0.9


def test_a_stray_window_is_told_and_lowers_the_confidence_only_with_a_second() -> None:
    assert word([0.1, 0.1, 0.95, 0.1, 0.1]) == Aggregate(
        decision="normal",
        confidence=0.9,
        abnormal_fraction=0.2,
        reason="1 of 5 windows abnormal by themselves, the first at 0:10",
    )
    assert word([0.1, 0.4, 0.95, 0.1, 0.1]).confidence == 0.6


def test_of_what_is_half_unusable_nothing_is_normal() -> None:
    outcome = word([0.1, 0.1, None, None], *found("poor_signal", "low", (10.0, 20.0)))
    assert (outcome.decision, outcome.confidence) == ("unusable", None)
    assert outcome.reason == "2 of 4 windows could be judged; poor signal from 0:10, 10 s"
    outcome = word([0.1, 0.1, 0.1, None])
    assert outcome.decision == "normal"
    assert outcome.reason == "nothing abnormal in 3 windows; 1 of 4 windows could not be judged"


def test_what_was_found_in_the_part_that_could_be_judged_counts() -> None:
    assert word([0.9, 0.9, 0.9, *[None] * 40]).decision == "abnormal"
    assert word([None] * 40, *found("asystole", "high", (3.0, 9.0))).decision == "abnormal"


def test_why_nothing_could_be_judged_is_said() -> None:
    outcome = aggregate_of(windows(None, None, reasons=("too little of the signal was received",)), [], RULES)
    assert outcome.reason == "none of 2 windows could be judged: too little of the signal was received"


def test_a_noisy_window_is_not_believed() -> None:
    assert aggregate_of(windows(0.9, 0.9, 0.9, flags=("noisy",), reasons=("noisy",)), [], RULES).decision == "unusable"


@pytest.mark.parametrize(("seconds", "text"), [(0.44, "0.4 s"), (40, "40 s"), (250, "4 min 10 s"), (240, "4 min")])
def test_spans_are_told_as_people_do(seconds: float, text: str) -> None:
    assert span(seconds) == text


@pytest.mark.parametrize(("t_s", "text"), [(0.9, "0:00"), (80, "1:20"), (3723.5, "1:02:03")])
def test_places_are_told_as_people_do(t_s: float, text: str) -> None:
    assert place(t_s) == text
