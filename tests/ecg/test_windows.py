from fractions import Fraction

from hypothesis import given
from hypothesis import strategies as st

from ecg.windows import HOP_S, Grid

RATES = st.fractions(min_value=100, max_value=1000, max_denominator=1000)


@given(rate=RATES, window=st.integers(0, 10**9))
def test_windows_tile_the_stream(rate: Fraction, window: int) -> None:
    grid = Grid(rate)
    start, end = grid.start(window), grid.end(window)
    assert grid.start(window + 1) == end
    assert grid.window_of(start) == window
    assert grid.window_of(end - 1) == window
    assert grid.window_of(end) == window + 1
    # The first sample is the first one whose time is not before the window's start.
    assert Fraction(start) / rate >= window * HOP_S > Fraction(start - 1) / rate


@given(rate=RATES, index=st.integers(0, 10**12))
def test_times_are_exact_to_the_nanosecond(rate: Fraction, index: int) -> None:
    exact = Fraction(index * 10**9) / rate
    assert abs(Grid(rate).offset_ns(index) - exact) <= Fraction(1, 2)
