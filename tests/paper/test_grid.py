"""A screen's pattern beside the grid's lines: the second search finds the lines."""

import numpy as np
import pytest

from paper.grid import lines_in


def test_a_stronger_pattern_is_left_out_of_the_second_search() -> None:
    y, x = np.mgrid[0:500, 0:700]
    grid = 0.05 * (1 + np.sin(2 * np.pi * x / 6.5)) + 0.08 * (1 + np.sin(2 * np.pi * (0.117 * x + 0.03 * y)))
    ink = (grid + np.random.default_rng(0).normal(0, 0.01, grid.shape)).astype(np.float32)
    pattern = lines_in(ink, upright=True)
    assert pattern is not None
    assert pattern.slope_at(350.0, 250.0) == pytest.approx([0.117, 0.03], abs=0.003)
    lines = lines_in(ink, upright=True, other_than=pattern)
    assert lines is not None
    assert lines.slope_at(350.0, 250.0) == pytest.approx([1 / 6.5, 0.0], abs=0.003)
