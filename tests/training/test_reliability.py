import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from training.reliability import BINS, reliability


def test_a_score_that_is_right_three_times_of_four() -> None:
    scores = np.array([0.75, 0.75, 0.75, 0.75, 0.05, 0.05])
    labels = np.array([True, True, True, False, False, False])
    of = reliability(labels, scores)
    filled = {number: place for number, place in enumerate(of.curve) if place.n}
    assert set(filled) == {0, 7}
    assert (filled[7].n, filled[7].mean_score, filled[7].abnormal_fraction) == (4, 0.75, 0.75)
    assert (of.curve[3].mean_score, of.curve[3].abnormal_fraction) == (None, None)
    # Two of six windows are 0.05 off.
    assert of.expected_calibration_error == pytest.approx(0.1 / 6, abs=1e-6)


def test_the_highest_score_lies_in_the_last_bin() -> None:
    of = reliability(np.array([True]), np.array([1.0]))
    assert of.curve[-1].n == 1
    assert of.expected_calibration_error == 0


def test_of_nothing_nothing_is_said() -> None:
    of = reliability(np.zeros(0, np.bool_), np.zeros(0))
    assert of.expected_calibration_error is None
    assert [place.n for place in of.curve] == [0] * BINS


@given(st.lists(st.tuples(st.booleans(), st.floats(0, 1)), min_size=1))
def test_the_error_lies_between_that_of_the_mean_and_that_of_each(case: list[tuple[bool, float]]) -> None:
    labels, scores = np.array([label for label, _ in case]), np.array([score for _, score in case])
    error = reliability(labels, scores).expected_calibration_error
    assert error is not None
    assert abs(labels.mean() - scores.mean()) - 1e-6 <= error <= np.abs(labels - scores).mean() + 1e-6
