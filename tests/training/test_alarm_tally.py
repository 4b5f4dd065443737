"""What is counted of alarms."""

from collections import Counter

import numpy as np
import pytest

from tests.alerting.alerts import alert
from tests.training.judged import ANNOTATIONS, FS_HZ, START_NS, VERDICTS, annotations
from training.alarm_tally import soundings, tally_alarms, ventricular_runs

S = 1_000_000_000
ABNORMAL = np.array([False, True, False, False, True])


def at(seconds: float) -> int:
    return START_NS + round(seconds * S)


def test_an_alarm_that_stays_and_comes_back_counts_anew() -> None:
    life = [
        alert(sequence=0, onset_ns=at(6), last_ns=at(8)),
        alert(sequence=1, onset_ns=at(6), last_ns=at(9), state="latched"),
        alert(sequence=2, onset_ns=at(6), last_ns=at(17), returned_ns=at(16)),
        alert(sequence=3, onset_ns=at(6), last_ns=at(19), returned_ns=at(16), phase="end"),
    ]
    assert [(one.onset_ns, one.last_ns) for one in soundings(reversed(life))] == [(at(6), at(9)), (at(16), at(19))]
    tally = tally_alarms(life, VERDICTS, ABNORMAL, ANNOTATIONS)
    assert tally.counts["low"] == (2, 1), "it was right the first time, and false the second"


def test_the_highest_priority_that_it_had_counts_and_what_is_audible_is_high_or_medium() -> None:
    raised = [
        alert(id="a", sequence=0, priority="low", kind="technical"),
        alert(id="a", sequence=1, priority="medium", kind="technical", phase="escalate"),
        alert(id="b", priority="high", onset_ns=at(6), last_ns=at(8)),
        alert(id="c", priority="information", onset_ns=at(6), last_ns=at(8)),
    ]
    tally = tally_alarms(raised, VERDICTS, ABNORMAL, ANNOTATIONS)
    assert tally.audible == 2
    assert {kind: count.raised for kind, count in tally.counts.items()} == {
        "high": 1,
        "medium": 0,
        "low": 0,
        "information": 1,
        "technical": 1,
    }
    both = tally.plus(tally)
    assert (both.audible, both.counts["high"].raised) == (4, 2)


@pytest.mark.parametrize(
    ("priority", "last_s", "found"), [("high", 7.0, True), ("medium", 7.0, False), ("high", 5.8, False)]
)
def test_a_ventricular_run_is_found_by_a_high_alarm_that_meets_it(priority: str, last_s: float, found: bool) -> None:
    fast = [(6 + 0.5 * n, "V") for n in range(5)]
    slow = [(12 + 1.0 * n, "E") for n in range(6)]
    short = [(20 + 0.5 * n, "V") for n in range(4)]
    reference = annotations((1, "N"), *fast, (9, "N"), *slow, (19, "N"), *short)
    runs = ventricular_runs(reference, FS_HZ, START_NS)
    assert [round(run.bpm) for run in runs] == [120, 60]
    raised = [alert(priority=priority, onset_ns=at(5), last_ns=at(last_s))]
    tally = tally_alarms(raised, VERDICTS, ABNORMAL, reference)
    assert tally.runs == Counter({found: 1}) + Counter({False: 1})
    assert tally.fast_runs == Counter({found: 1})


def test_an_alarm_about_the_rate_is_right_where_annotated_beats_show_that_rate() -> None:
    fast = annotations(*((1 + 0.4 * n, "N") for n in range(50)))
    usual = annotations(*((1 + 0.8 * n, "N") for n in range(25)))
    nothing = np.zeros(len(VERDICTS), np.bool_)
    raised = [
        alert(id="a", condition="tachycardia", priority="medium", onset_ns=at(3), last_ns=at(18)),
        alert(id="b", condition="bradycardia", priority="medium", onset_ns=at(3), last_ns=at(18)),
        alert(id="c", condition="ventricular_run", priority="medium", onset_ns=at(3), last_ns=at(18)),
    ]
    assert tally_alarms(raised, VERDICTS, nothing, fast).counts["medium"] == (3, 2)
    assert tally_alarms(raised, VERDICTS, nothing, usual).counts["medium"] == (3, 3)
    # One ectopic beat in the window makes no rate of 80/min a tachycardia.
    assert tally_alarms(raised, VERDICTS, ~nothing, usual).counts["medium"] == (3, 2)


def test_where_no_beats_are_annotated_an_alarm_about_the_rate_is_held_against_the_rhythm() -> None:
    raised = [alert(condition="extreme_tachycardia", priority="medium", onset_ns=at(6), last_ns=at(8))]
    assert tally_alarms(raised, VERDICTS, ABNORMAL, annotations()).counts["medium"] == (1, 0)
