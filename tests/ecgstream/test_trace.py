"""The trace in braille."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from ecgstream.trace import draw

BLANK = "⠀"


def dots(lines: list[str]) -> np.ndarray:
    """The drawn dots, (rows, columns) bool."""
    bits = (
        (0, 0, 0x01),
        (1, 0, 0x02),
        (2, 0, 0x04),
        (3, 0, 0x40),
        (0, 1, 0x08),
        (1, 1, 0x10),
        (2, 1, 0x20),
        (3, 1, 0x80),
    )
    drawn = np.zeros((4 * len(lines), 2 * len(lines[0])), bool)
    for y, line in enumerate(lines):
        for x, character in enumerate(line):
            for row, column, bit in bits:
                drawn[4 * y + row, 2 * x + column] = bool((ord(character) - 0x2800) & bit)
    return drawn


def test_a_spike_reaches_the_top_and_the_rest_stays_at_the_bottom() -> None:
    samples = np.zeros(400)
    samples[200] = 1.0
    drawn = dots(draw(samples, width=20, height=2))
    assert drawn[0].any()
    assert drawn[:4, :18].sum() == 0
    assert drawn[-1, :18].all()


def test_missing_samples_leave_a_gap() -> None:
    samples = np.sin(np.linspace(0, 20, 400))
    samples[100:200] = np.nan
    drawn = dots(draw(samples, width=20, height=3))
    assert not drawn[:, 10:20].any()
    assert drawn[:, :10].any(axis=0).all()


def test_noise_of_microvolts_is_drawn_flat() -> None:
    drawn = dots(draw(np.random.default_rng(0).normal(0, 0.002, 400), width=20, height=3))
    assert drawn.any(axis=1).sum() <= 2


def test_nothing_to_draw() -> None:
    assert draw(np.empty(0), width=3, height=2) == [BLANK * 3] * 2
    assert draw(np.full(10, np.nan), width=3, height=1) == [BLANK * 3]


@given(
    arrays.arrays(np.float64, st.integers(0, 300), elements=st.floats(-1e4, 1e4) | st.just(np.nan)),
    st.integers(1, 80),
    st.integers(1, 6),
)
def test_any_signal_fits_its_frame(samples: np.ndarray, width: int, height: int) -> None:
    lines = draw(samples, width=width, height=height)
    assert [len(line) for line in lines] == [width] * height
    assert all(0x2800 <= ord(character) <= 0x28FF for line in lines for character in line)
