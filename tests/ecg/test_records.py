from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ecg.errors import EcgStreamError
from ecg.records import MISSING, Record, check_fs, exact_rate, from_millivolts, to_millivolts


def record(**changes: Any) -> Record:
    fields: dict[str, Any] = {
        "name": "r",
        "fs_hz": 360.0,
        "leads": ("MLII", "V5"),
        "samples": np.zeros((720, 2), np.int16),
        "gain": (200.0, 100.0),
        "baseline": (1024, 0),
    }
    return Record(**(fields | changes))


def test_a_record_knows_its_length() -> None:
    assert record().seconds == 2.0


@pytest.mark.parametrize(
    ("changes", "match"),
    [
        ({"fs_hz": 99.9}, "fs_hz=99.9 is below 100 Hz: resample"),
        ({"fs_hz": 1000.5}, "fs_hz=1000.5 is not at most 1000 Hz"),
        ({"fs_hz": float("nan")}, "fs_hz=nan"),
        ({"leads": ()}, "at least one lead"),
        ({"leads": ("MLII",)}, "do not fit 1 leads"),
        ({"samples": np.zeros(720, np.int16)}, "do not fit 2 leads"),
        ({"gain": (200.0,)}, "gain and baseline for each of its 2 leads"),
        ({"baseline": (0, 0, 0)}, "gain and baseline for each of its 2 leads"),
        ({"gain": (200.0, 0.0)}, "lead V5: gain=0 ADC units per mV is not in 0.001"),
        ({"gain": (float("inf"), 200.0)}, "lead MLII: gain=inf"),
    ],
)
def test_a_record_that_contradicts_itself_is_refused(changes: dict[str, Any], match: str) -> None:
    with pytest.raises(EcgStreamError, match=match):
        record(**changes)


@pytest.mark.parametrize("fs_hz", [100.0, 360.0, 1000.0])
def test_the_limits_of_the_rate_belong_to_it(fs_hz: float) -> None:
    check_fs(fs_hz)
    assert record(fs_hz=fs_hz).fs_hz == fs_hz


def test_rates_are_exact_where_floats_are_not() -> None:
    assert exact_rate(333.3) == Fraction(3333, 10)
    assert exact_rate(128.5) == Fraction(257, 2)


@given(st.lists(st.integers(MISSING, 32767), min_size=1, max_size=50), st.sampled_from([50.0, 200.0, 1000.0]))
def test_millivolts_and_back_keep_every_sample(units: list[int], gain: float) -> None:
    samples = np.array(units, np.int16)[:, np.newaxis]
    back = from_millivolts(to_millivolts(samples, (gain,), (0,)).astype(np.float64), gain)
    np.testing.assert_array_equal(back, samples)


def test_missing_samples_are_nan_and_what_is_not_finite_is_missing() -> None:
    samples = np.array([[1224, 100], [MISSING, 0]], np.int16)
    millivolts = to_millivolts(samples, (200.0, 100.0), (1024, 0))
    np.testing.assert_array_equal(millivolts, np.array([[1.0, 1.0], [np.nan, 0.0]], np.float32))
    row = np.array([[np.nan, np.inf, -np.inf, 1e9, -1e9]])
    assert from_millivolts(row, 200.0).tolist() == [[MISSING, MISSING, MISSING, 32767, MISSING + 1]]
