"""Holes: which signals lack so little that they can be judged, and how short holes are bridged."""

import numpy as np
import pytest

from ecg.holes import MAX_BITS, fill, harmless, hiding, longest_harmless, spans_of
from ecg.records import MISSING, Int16Array


def test_spans_are_the_stretches_that_are_true() -> None:
    assert spans_of(np.array([True, False, True, True, False])).tolist() == [[0, 1], [2, 4]]
    assert spans_of(np.array([False, True])).tolist() == [[1, 2]]
    assert spans_of(np.zeros(3, np.bool_)).tolist() == []


def test_a_hole_becomes_a_straight_line_and_the_ends_stay_level() -> None:
    row = np.array([np.nan, 1, np.nan, np.nan, 4, np.nan], np.float32)
    fill(row, np.isnan(row))
    assert row.tolist() == [1, 1, 2, 3, 4, 4]
    nothing = np.full(3, np.nan, np.float32)
    fill(nothing, np.isnan(nothing))
    assert nothing.tolist() == [0, 0, 0]


@pytest.mark.parametrize(("fs_hz", "longest"), [(100.0, 2), (128.0, 2), (360.0, 7), (1000.0, 20)])
def test_a_hole_in_which_a_beat_may_hide_is_not_harmless(fs_hz: float, longest: int) -> None:
    assert longest_harmless(fs_hz) == longest
    raw: Int16Array = np.ones((3, round(4 * fs_hz)), np.int16)
    raw[1, 50 : 50 + longest] = MISSING
    raw[2, 50 : 51 + longest] = MISSING
    assert harmless(raw, fs_hz).tolist() == [True, True, False]


def test_many_harmless_holes_are_not_harmless() -> None:
    raw: Int16Array = np.ones((2, 1000), np.int16)
    some = round(1 / MAX_BITS)
    raw[0, ::some] = MISSING
    raw[1, :: some - 1] = MISSING
    assert harmless(raw, 250.0).tolist() == [True, False]


def test_a_hole_reaches_from_its_first_missing_sample_to_its_last() -> None:
    missing = np.zeros(1000, np.bool_)
    missing[100:120] = missing[300:306] = True
    missing[500:510:2] = True  # bits that leave half of a short stretch
    missing[990:] = True
    assert hiding(missing, 200.0).tolist() == [[100, 120], [300, 306], [500, 509], [990, 1000]]
    missing[:] = False
    missing[300:304] = missing[350:354] = True
    assert hiding(missing, 200.0).tolist() == []
    assert hiding(np.ones(5, np.bool_), 1000.0).tolist() == []
