"""The line that a pen drew, from the edges of what it left."""

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from paper.lettering import lead_in
from paper.strokes import strokes_in
from paper.tracing import line_of

_FINER = 8


def edges_of(y_px: np.ndarray, pen_px: float) -> tuple[np.ndarray, np.ndarray]:
    height = 260
    mask = np.zeros((height * _FINER, len(y_px) * _FINER), np.uint8)
    points = np.stack([(np.arange(len(y_px)) + 0.5) * _FINER - 0.5, y_px * _FINER - 0.5], axis=1)
    cv2.polylines(mask, [np.rint(points * 16).astype(np.int32)], False, 255, round(pen_px * _FINER), shift=4)
    small = cv2.resize(mask, (len(y_px), height), interpolation=cv2.INTER_AREA)
    ink = (np.asarray(small, np.float32) / 255).astype(np.float32)
    strokes = strokes_in(ink)
    assert (np.diff(strokes.first) == 1).all()  # one in each column
    return strokes.top_px, strokes.bottom_px


@settings(max_examples=25, deadline=None)
@given(
    high=st.floats(20, 180),
    wide=st.floats(3.0, 12.0),
    pen=st.floats(2.0, 4.0),
    upward=st.booleans(),
    slope=st.floats(-0.1, 0.1),
)
def test_a_spike_keeps_its_height_and_its_place(
    high: float, wide: float, pen: float, upward: bool, slope: float
) -> None:
    x = np.arange(120)
    wave = high * np.maximum(0, 1 - np.abs(x - 60) / wide)
    y = (200 if upward else 60) + slope * (x - 60) + (-wave if upward else wave)
    top, bottom = edges_of(y, pen)
    line = line_of(top, bottom, pen)
    tip = line.min() if upward else line.max()
    assert abs(tip - (y.min() if upward else y.max())) <= 0.06 * high + 1.5
    assert abs(int(np.argmin(line) if upward else np.argmax(line)) - 60) <= 1
    level = np.r_[line[15:40], line[80:105]] - np.r_[y[15:40], y[80:105]]
    assert np.abs(level).max() < 0.6


@pytest.mark.parametrize(
    ("text", "lead"),
    [
        ("aVR", "aVR"),
        ("avL", "aVL"),
        ("I aVR", "aVR"),
        ("-aVR", "-aVR"),
        ("v1", "V1"),
        ("VI", "V1"),
        ("vs", "V5"),
        ("1", "I"),
        ("II", "II"),
        ("\u2162", "III"),
        ("25 mm/s", None),
        ("HR", None),
        ("", None),
    ],
)
def test_a_lead_is_known_however_it_was_read(text: str, lead: str | None) -> None:
    assert lead_in(text) == lead
