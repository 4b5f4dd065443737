"""Pages that were drawn come back: samples, names, places and scale."""

from typing import Any

import numpy as np
import pytest

from ecgstream.bench.paper_score import score_page
from paper.ageing import age, upside_down
from paper.layouts import CABRERA
from paper.overlay import draw_overlay
from paper.reading import Hints, NoEcgError, read_page
from tests.paper.drawn import drawn_page

# Floors lie below what was measured when they were set, by two decibels and more.
PAGES: list[tuple[dict[str, Any], float]] = [
    ({"layout": "3x4+1", "px_per_mm": 6.0}, 17.0),
    ({"layout": "6x2", "px_per_mm": 6.0, "minor": (225, 225, 225), "major": (190, 190, 190)}, 17.0),
    ({"layout": "3x4", "px_per_mm": 7.0, "mm_per_mv": 5.0, "order": CABRERA}, 15.0),
]


@pytest.mark.parametrize(("style", "floor_db"), PAGES)
def test_a_clean_page_comes_back(style: dict[str, Any], floor_db: float) -> None:
    drawn = drawn_page(**style)
    reading = read_page(drawn.image)
    scores = score_page(reading, drawn)
    assert reading.layout == style["layout"]
    assert reading.mm_per_mv == drawn.style.mm_per_mv
    assert [lead.cell.lead for lead in reading.leads] == [trace.lead for trace in drawn.traces]
    assert np.median([score.decibel for score in scores]) >= floor_db


def test_a_strip_at_50_mm_s_says_its_speed() -> None:
    drawn = drawn_page(layout="1x1", mm_per_s=50.0, seconds=5.0, px_per_mm=6.0)
    reading = read_page(drawn.image)
    assert (reading.mm_per_s, reading.sources["speed"]) == (50.0, "written")
    assert reading.record.seconds == pytest.approx(5.0, rel=0.02)


def test_a_photo_of_a_page_comes_back() -> None:
    drawn = drawn_page(layout="3x4+1", px_per_mm=7.0)
    reading = read_page(age(drawn.image, "crumpled", np.random.default_rng(3)))
    scores = score_page(reading, drawn)
    assert all(score.named for score in scores)
    assert np.median([score.decibel for score in scores]) >= 8.0


def test_the_end_of_a_line_is_no_part_of_its_lead() -> None:
    drawn = drawn_page(layout="3x4+1", px_per_mm=7.0, pen_mm=0.5)
    reading = read_page(drawn.image)
    # Half a pen of 0.5 mm is 10 ms at each end.
    assert max(abs(score.shift_s) for score in score_page(reading, drawn)) <= 0.006


def test_a_page_upside_down_is_turned() -> None:
    drawn = drawn_page(layout="3x4+1", px_per_mm=6.0)
    reading = read_page(upside_down(drawn.image, np.random.default_rng(0)))
    assert reading.turned == 2
    assert np.median([score.decibel for score in score_page(reading, drawn)]) >= 15.0


def test_given_facts_come_before_what_is_read() -> None:
    drawn = drawn_page(layout="1x1", seconds=6.0, px_per_mm=6.0)
    reading = read_page(drawn.image, hints=Hints(leads=("V5",), mm_per_s=12.5, mm_per_mv=20.0))
    assert [lead.cell.lead for lead in reading.leads] == ["V5"]
    assert (reading.mm_per_s, reading.mm_per_mv) == (12.5, 20.0)
    assert reading.record.seconds == pytest.approx(12.0, rel=0.03)


def test_what_is_not_seen_is_missing_and_said() -> None:
    drawn = drawn_page(layout="1x1", seconds=10.0, px_per_mm=6.0)
    torn = drawn.image.copy()
    trace = drawn.traces[0]
    left, right = int(trace.x_px[2000]), int(trace.x_px[3000])
    torn[:, left:right] = 255
    reading = read_page(torn)
    lead = reading.leads[0]
    assert np.isnan(lead.samples_mv[2100:2900]).mean() > 0.95
    assert max(lead.confidence[4:6]) < 0.5
    assert min(lead.confidence[:3]) > 0.9
    assert (reading.record.samples[2100:2900] == -32768).mean() > 0.95


def test_the_overlay_is_the_picture_with_coloured_lines() -> None:
    drawn = drawn_page(layout="1x1", seconds=6.0, px_per_mm=6.0)
    overlay = draw_overlay(drawn.image, read_page(drawn.image))
    assert overlay.shape == drawn.image.shape
    trace = drawn.traces[0]
    place = overlay[round(trace.y_px[1500]), round(trace.x_px[1500])].astype(int)
    assert place.max() - place.min() > 60  # coloured, where the ink was grey


@pytest.mark.parametrize(
    ("image", "writing"),
    [
        (np.full((900, 1200, 3), 250, np.uint8), "no trace"),
        (np.full((90, 1200, 3), 250, np.uint8), "fewer than 200"),
        (drawn_page(layout="1x1", px_per_mm=6.0).image[:100], "fewer than 200"),
    ],
)
def test_what_is_no_ecg_is_refused_with_a_remedy(image: np.ndarray, writing: str) -> None:
    with pytest.raises(NoEcgError, match=writing):
        read_page(image)


def test_lines_without_number_are_no_ecg() -> None:
    image = np.full((1300, 1500, 3), 255, np.uint8)
    x = np.arange(40, 1460)
    for level in range(60, 1260, 60):
        y = level + 8 * np.sin(x / 17.0 + level)
        for step in range(3):
            image[np.rint(y).astype(int) + step, x] = 0
    with pytest.raises(NoEcgError):
        read_page(image)


def test_paper_without_a_trace_is_refused() -> None:
    page = drawn_page(layout="1x1", px_per_mm=6.0, row_mm=200.0, labels=False, pulse=False)
    blank = np.ascontiguousarray(page.image[: round(80 * 6.0)])
    with pytest.raises(NoEcgError, match=r"no trace|neither"):
        read_page(blank)
