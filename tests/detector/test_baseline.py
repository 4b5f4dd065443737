"""What is usual for a patient: learned, followed, kept."""

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from detector.baseline import (
    ERROR_WINDOWS,
    INTERVALS,
    QRS_AFTER,
    QRS_BEFORE,
    UNKNOWN_REGULARITY,
    PersonalBaseline,
)

S = 1_000_000_000
TIME = np.arange(-QRS_BEFORE, QRS_AFTER)
NARROW = (4 * np.exp(-((TIME / 2) ** 2))).astype(np.float32)
WIDE = (-4 * np.exp(-((TIME / 6) ** 2))).astype(np.float32)


def with_beat(
    baseline: PersonalBaseline, t_ns: int, rr_s: float | None, *, ventricular: bool, premature: bool
) -> PersonalBaseline:
    intervals = baseline.intervals()
    intervals.add(t_ns, rr_s, ventricular=ventricular, premature=premature)
    return baseline.with_intervals(intervals)


def after(
    intervals_s: list[float], baseline: PersonalBaseline | None = None, *, premature: bool = False
) -> PersonalBaseline:
    baseline = baseline or PersonalBaseline()
    for rr_s in intervals_s:
        t_ns = (baseline.last_beat_ns or 0) + round(rr_s * S)
        rr = None if baseline.last_beat_ns is None else rr_s
        baseline = with_beat(baseline, t_ns, rr, ventricular=False, premature=premature)
    return baseline.with_regularity()


def test_nothing_is_premature_before_anything_is_usual() -> None:
    assert after([0.8] * 4).intervals().prematurity(0.3) == 0
    assert after([0.8] * 4).regularity == UNKNOWN_REGULARITY


def test_a_beat_is_premature_against_the_patients_own_interval() -> None:
    slow, fast = after([1.2] * 20), after([0.6] * 20)
    assert slow.intervals().prematurity(0.6) == pytest.approx(np.log(2), abs=1e-3)
    assert fast.intervals().prematurity(0.6) == pytest.approx(0, abs=1e-3)
    assert slow.intervals().prematurity(1.5) == 0  # late is not early
    assert slow.intervals().prematurity(None) == 0
    assert slow.intervals().prematurity(5.0) == 0  # lost signal is no interval


def test_the_interval_behind_a_ventricular_beat_tells_nothing() -> None:
    usual = after([0.8] * 20)
    assert usual.last_beat_ns is not None
    behind = with_beat(usual, usual.last_beat_ns + S // 2, 0.5, ventricular=True, premature=False)
    assert behind.intervals().prematurity(0.4) == 0
    assert behind.rr == usual.rr


def test_a_run_of_premature_beats_stays_premature_and_a_new_heart_rate_becomes_usual() -> None:
    usual = after([0.8] * 40)
    run = after([0.5] * 60, usual, premature=True)
    assert run.intervals().prematurity(0.5) > 0.4
    faster = after([0.65] * 120, usual)
    assert faster.intervals().prematurity(0.65) < 0.05


def test_regularity_tells_a_metronome_from_fibrillation_and_bears_extrasystoles() -> None:
    random = np.random.default_rng(1)
    fibrillation = after(list(random.uniform(0.4, 1.2, 60)))
    bigeminy = after([0.5, 1.1] * 30)
    assert after([0.8] * 40).regularity == 1
    assert fibrillation.regularity < 0.35
    assert bigeminy.regularity >= 0.5


def test_the_usual_qrs_is_that_of_one_lead_and_a_strange_one_is_unlike_it() -> None:
    usual = PersonalBaseline().with_qrs(np.stack([NARROW] * 5), "MLII")
    unlike, difference = usual.unlikeness(np.stack([NARROW, WIDE]), "MLII")
    assert unlike[0] == pytest.approx(0, abs=1e-3)
    assert difference[0] == pytest.approx(0, abs=1e-3)
    assert unlike[1] > 1
    assert difference[1] > 1
    # Of another lead nothing is known: neither beat is strange, nor at the start.
    for unknown in (usual.unlikeness(np.stack([NARROW, WIDE]), "V1"), PersonalBaseline().unlikeness(WIDE[None], "V1")):
        assert len(set(unknown[0])) == 1
    moved = usual.with_qrs(WIDE[None], "V1")
    assert (moved.lead, moved.qrs_beats) == ("V1", 1)


def test_the_usual_qrs_of_a_lead_that_was_away_for_a_while_is_not_forgotten() -> None:
    usual = PersonalBaseline().with_qrs(np.stack([NARROW] * 5), "MLII")
    away = PersonalBaseline.load(json.loads(json.dumps(usual.with_qrs(np.stack([WIDE] * 3), "V1").dump())))
    back = away.with_qrs(NARROW[None], "MLII")
    for baseline in (away, back):
        assert baseline.usual_qrs("MLII") == pytest.approx(NARROW, abs=1e-3)
        assert baseline.usual_qrs("V1") == pytest.approx(WIDE, abs=1e-3)
    assert (back.lead, back.qrs_beats) == ("MLII", 6)
    assert PersonalBaseline.load(usual.dump()[:10]) == usual, "as records of earlier versions have it"


def test_an_odd_but_steady_ecg_stops_being_odd_and_a_change_in_it_is_odd() -> None:
    prior, odd = -1.0, 0.0
    baseline = PersonalBaseline()
    first = baseline.error_above_usual(odd, prior=prior, share=0.6)
    for _ in range(ERROR_WINDOWS):
        baseline = baseline.with_error(odd)
    later = baseline.error_above_usual(odd, prior=prior, share=0.6)
    assert first == odd
    assert later == pytest.approx(odd - 0.6 * (odd - prior) * 60 / 72)
    # For a patient who is quieter than most, an ordinary error is a change.
    quiet = PersonalBaseline()
    for _ in range(ERROR_WINDOWS):
        quiet = quiet.with_error(-2.0)
    assert quiet.error_above_usual(prior, prior=prior, share=0.6) > prior + 0.4


@given(
    beats=st.lists(st.tuples(st.floats(0.1, 4), st.booleans(), st.booleans()), max_size=80),
    errors=st.lists(st.floats(-5, 3), max_size=80),
    shapes=st.lists(st.floats(-8, 8, width=32), max_size=8),
)
def test_what_is_dumped_comes_back_exactly_and_stays_small(
    beats: list[tuple[float, bool, bool]], errors: list[float], shapes: list[float]
) -> None:
    baseline = PersonalBaseline()
    for rr_s, ventricular, premature in beats:
        t_ns = (baseline.last_beat_ns or 0) + round(rr_s * S)
        baseline = with_beat(baseline, t_ns, rr_s, ventricular=ventricular, premature=premature)
    for error in errors:
        baseline = baseline.with_error(error)
    for shape in shapes:
        baseline = baseline.with_qrs((shape * NARROW)[None], "MLII")
    baseline = baseline.with_regularity()
    text = json.dumps(baseline.dump())
    assert PersonalBaseline.load(json.loads(text)) == baseline
    assert len(text) < 1000
    assert len(baseline.rr) <= INTERVALS
    assert 0 < baseline.regularity <= 1
