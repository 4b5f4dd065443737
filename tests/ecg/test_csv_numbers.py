import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ecg.csv_numbers import all_numbers

CELLS = st.floats(width=32).map(repr) | st.integers(-(10**6), 10**6).map(str) | st.decimals(-9, 9, places=3).map(str)


@given(
    st.lists(st.lists(CELLS, min_size=3, max_size=3), min_size=1, max_size=20), st.sampled_from([",", "\t", ";", None])
)
def test_all_at_once_is_what_each_cell_says(rows: list[list[str]], separator: str | None) -> None:
    found = all_numbers([(separator or "  ").join(row) for row in rows], separator, 3)
    if any("inf" in cell or "Inf" in cell for row in rows for cell in row):
        assert found is None
        return
    assert found is not None
    for row, cells in zip(found, rows, strict=True):
        for value, cell in zip(row, cells, strict=True):
            assert value == float(cell) or (math.isnan(value) and math.isnan(float(cell)))


@pytest.mark.parametrize(
    ("lines", "separator"),
    [
        (["1,2", "3"], ","),
        (["1,2,3", "4"], ","),  # as many cells in all, in other places
        (["1,,2", "3,4"], ","),
        (["1,2", "=1+2,4"], ","),
        (["1,2", "3,4-5"], ","),
        (["1,2", "3,4 5"], ","),
        (["1,2", "3,nan0"], ","),
        (['1,"2"', "3,4"], ","),
        (["1\t\t2", "3\t4\t5"], "\t"),
        (["1 2 3", "4"], None),
        (["1,2", "3,½"], ","),
        (["1,2", "3,0x1"], ","),
        (["1,2", "3,1_0"], ","),
    ],
)
def test_what_is_more_than_numbers_is_left_to_the_careful_way(lines: list[str], separator: str | None) -> None:
    assert all_numbers(lines, separator, 2) is None


def test_decimal_commas_between_semicolons() -> None:
    np.testing.assert_array_equal(all_numbers(["1,5;2", "-3;4e1"], ";", 2), [[1.5, 2], [-3, 40]])
