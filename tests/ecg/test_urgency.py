"""One order of urgency: every priority and every state has its place in it."""

from itertools import product
from typing import get_args

import pytest

from alerting.commanding import urgency_of
from ecg.findings import PRIORITIES as FINDINGS
from ecg.urgency import (
    PATIENT_STATES,
    PRIORITIES,
    PRIORITY_RANK,
    PROMPT,
    SOUNDING,
    AlarmPriority,
    AlarmState,
    alarm_rank,
    patient_rank,
    waits,
)
from ecgstream.wording import PRIORITY_STYLES
from reports.overview import PRIORITY_INK
from tests.alerting.alerts import alert
from web.live.summary import AlarmBrief, PatientSummary, RankedAlert, rank_of, state_of


def test_priorities_as_the_standard_ranks_them() -> None:
    assert PRIORITIES == ("high", "medium", "low", "information")
    assert [PRIORITY_RANK[each] for each in PRIORITIES] == [0, 1, 2, 3]
    assert PRIORITIES[:3] == SOUNDING
    assert frozenset(PRIORITIES[:2]) == PROMPT
    assert set(FINDINGS.values()) <= set(SOUNDING), "a finding is never mere information"


def test_every_patient_state_has_its_place() -> None:
    ranked = sorted(product(PATIENT_STATES, (False, True)), key=lambda one: patient_rank(one[0], acknowledged=one[1]))
    assert [state for state, acknowledged in ranked if not acknowledged] == [
        "high",
        "medium",
        "low",
        "silent",
        "unusable",
        "information",
        "normal",
    ]
    assert [acknowledged for _, acknowledged in ranked] == [False, True] * len(PATIENT_STATES)
    found = {state_of(alarm, "normal", silent=False) for alarm in (alert(priority=each) for each in PRIORITIES)}
    found |= {state_of(None, decision, silent=False) for decision in ("normal", "abnormal", "unusable")}
    assert found | {state_of(None, "normal", silent=True)} == set(PATIENT_STATES)


def test_every_alarm_has_its_rank() -> None:
    ranks = {each: alarm_rank(*each) for each in product(PRIORITIES, get_args(AlarmState))}
    assert len(set(ranks.values())) == len(ranks) == 20
    ordered: list[tuple[AlarmPriority, AlarmState]] = sorted(ranks, key=ranks.__getitem__)
    assert ordered[:6] == [(one, state) for one in ("high", "medium") for state in ("active", "latched", "silenced")]
    assert [waits(*each) for each in ordered] == [True] * 6 + [False] * 14
    there = ordered[6:16]
    assert [one for one, _ in there] == ["high", "medium"] + ["low"] * 4 + ["information"] * 4
    assert [state for _, state in ordered[16:]] == ["inactive"] * 4


def test_low_priority_asks_for_no_answer() -> None:
    asking = {priority for priority, state in product(PRIORITIES, get_args(AlarmState)) if waits(priority, state)}
    assert asking == PROMPT == {"high", "medium"}
    for one in PROMPT:
        assert not waits(one, "acknowledged")
        assert not waits(one, "inactive")
    assert alarm_rank("high", "acknowledged") < alarm_rank("low", "active"), "what is still there, by its priority"
    ranks = {rank_of("low", alert(priority="low", state=state)) for state in ("active", "silenced", "acknowledged")}
    assert ranks == {patient_rank("low", acknowledged=False)}
    assert rank_of("medium", alert(priority="medium", state="acknowledged")) > rank_of("medium", None)


def test_of_alarms_alike_the_newest_comes_first() -> None:
    alarms = [alert(id=f"p1/1/{name}", onset_ns=onset) for name, onset in (("b", 5), ("a", 5), ("c", 7))]
    assert [one.id[-1] for one in sorted(alarms, key=urgency_of)] == ["c", "a", "b"]


@pytest.mark.parametrize("table", [PRIORITY_STYLES, PRIORITY_RANK])
def test_every_priority_is_in_each_table(table: dict[AlarmPriority, object]) -> None:
    assert tuple(table) == PRIORITIES


def test_the_report_draws_every_priority_that_a_finding_may_have() -> None:
    assert tuple(PRIORITY_INK) == SOUNDING


def test_the_contracts_take_what_the_table_holds() -> None:
    named = (
        get_args(PatientSummary.model_fields["state"].annotation),
        get_args(AlarmBrief.model_fields["priority"].annotation),
    )
    assert named == (PATIENT_STATES, PRIORITIES)
    assert RankedAlert.of(alert(priority="medium")).rank == alarm_rank("medium", "active")
