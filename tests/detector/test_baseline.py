"""What is usual for a patient: learned, followed, kept."""

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from detector.baseline import ERROR_WINDOWS, MAX_LEADS, QRS_AFTER, QRS_BEATS, QRS_BEFORE, PersonalBaseline
from detector.beat_history import BeatHistory

S = 1_000_000_000
TIME = np.arange(-QRS_BEFORE, QRS_AFTER)
NARROW = (4 * np.exp(-((TIME / 2) ** 2))).astype(np.float32)
WIDE = (-4 * np.exp(-((TIME / 6) ** 2))).astype(np.float32)


def test_the_usual_qrs_is_that_of_its_lead_once_some_beats_have_shaped_it() -> None:
    once, usual = (
        PersonalBaseline().with_qrs("MLII", np.array([NARROW])),
        PersonalBaseline().with_qrs("MLII", np.array([NARROW] * 5)),
    )
    assert once.usual_qrs("MLII") is None
    assert usual.usual_qrs("MLII") == pytest.approx(NARROW, abs=1e-3)
    assert usual.usual_qrs("V1") is None
    assert usual.usual_qrs(None) is None


def test_a_qrs_that_has_changed_becomes_usual_after_some_beats() -> None:
    changed = (
        PersonalBaseline()
        .with_qrs("MLII", np.array([NARROW] * QRS_BEATS))
        .with_qrs("MLII", np.array([WIDE] * (5 * QRS_BEATS)))
    )
    assert changed.usual_qrs("MLII") == pytest.approx(WIDE, abs=0.1)


def test_the_usual_qrs_of_a_lead_that_was_away_for_a_while_is_not_forgotten() -> None:
    usual = PersonalBaseline().with_qrs("MLII", np.array([NARROW] * 5))
    away = PersonalBaseline.load(json.loads(json.dumps(usual.with_qrs("V1", np.array([WIDE] * 3)).dump())))
    back = away.with_qrs("MLII", np.array([NARROW]))
    for baseline in (away, back):
        assert baseline.usual_qrs("MLII") == pytest.approx(NARROW, abs=1e-3)
        assert baseline.usual_qrs("V1") == pytest.approx(WIDE, abs=1e-3)
    for number in range(MAX_LEADS):
        back = back.with_qrs(f"lead {number}", np.array([NARROW] * 3))
    assert len(back.usual) == MAX_LEADS
    assert back.usual_qrs("MLII") is None


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


def test_a_beat_is_where_it_was_when_the_clock_has_jumped() -> None:
    baseline = PersonalBaseline(history=BeatHistory(last_ns=10 * S))
    assert baseline.shifted(-3 * S).last_beat_ns == 7 * S
    assert PersonalBaseline().shifted(S) == PersonalBaseline()


@given(
    errors=st.lists(st.floats(-5, 3), max_size=80),
    shapes=st.lists(st.tuples(st.sampled_from(["I", "II", "V1", "V5"]), st.floats(-8, 8, width=32)), max_size=12),
)
def test_what_is_dumped_comes_back_exactly_and_stays_small(
    errors: list[float], shapes: list[tuple[str, float]]
) -> None:
    baseline = PersonalBaseline()
    for error in errors:
        baseline = baseline.with_error(error)
    for lead, shape in shapes:
        baseline = baseline.with_qrs(lead, np.array([shape * NARROW]))
    text = json.dumps(baseline.dump())
    assert PersonalBaseline.load(json.loads(text)) == baseline
    assert len(text) < 1000
