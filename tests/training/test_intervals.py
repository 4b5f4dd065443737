from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ecg.errors import EcgStreamError
from training.intervals import by_patient, patient_interval


def _mean(values: Sequence[float]) -> float:
    return float(np.mean(values))


def test_the_interval_of_a_mean_is_the_one_of_theory() -> None:
    values = np.random.default_rng(1).normal(10.0, 2.0, 400).tolist()
    lower, upper = patient_interval(_mean, values, draws=4000)
    margin = 1.96 * np.std(values) / np.sqrt(len(values))
    assert lower == pytest.approx(np.mean(values) - margin, abs=0.02)
    assert upper == pytest.approx(np.mean(values) + margin, abs=0.02)


def test_a_patient_is_drawn_whole() -> None:
    # A thousand windows of two patients are two patients: their means 0 and 1 can both be all there is.
    patients = [np.zeros(500), np.ones(500)]
    assert patient_interval(lambda drawn: float(np.concatenate(drawn).mean()), patients) == (0.0, 1.0)


@given(st.lists(st.floats(-10, 10), min_size=1, max_size=8), st.integers(0, 3))
def test_it_is_ordered_within_the_values_and_repeats(values: list[float], seed: int) -> None:
    interval = patient_interval(max, values, draws=50, seed=seed)
    assert min(values) <= interval[0] <= interval[1] <= max(values)
    assert interval == patient_interval(max, values, draws=50, seed=seed)


def test_a_larger_share_is_wider() -> None:
    values = [float(value) for value in range(20)]
    narrow, wide = (patient_interval(_mean, values, share=share) for share in (0.5, 0.95))
    assert wide[0] < narrow[0] < narrow[1] < wide[1]


def test_draws_without_a_value_do_not_count() -> None:
    def share(drawn: Sequence[str]) -> float | None:
        return 1.0 if "ill" in drawn else None

    assert patient_interval(share, ["well", "well", "ill"]) == (1.0, 1.0)
    with pytest.raises(EcgStreamError, match="undefined in all 1000 draws of 2 patients"):
        patient_interval(share, ["well", "well"])


@pytest.mark.parametrize(
    ("patients", "draws", "share"), [([], 10, 0.95), ([1.0], 0, 0.95), ([1.0], 10, 1.0), ([1.0], 10, 0.0)]
)
def test_what_gives_no_interval_is_refused(patients: list[float], draws: int, share: float) -> None:
    with pytest.raises(EcgStreamError, match="give a patient or more"):
        patient_interval(_mean, patients, draws=draws, share=share)


def test_two_recordings_of_one_person_are_one_patient() -> None:
    assert by_patient(["200", "202", "100", "201"]) == (("200",), ("202", "201"), ("100",))
    assert by_patient(["202", "203"]) == (("202",), ("203",))
