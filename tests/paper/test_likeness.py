"""Pictures that have lines to follow and hold no ECG: each is refused, and says so."""

from collections.abc import Callable

import cv2
import numpy as np
import pytest

from paper.ink import ByteArray
from paper.reading import Hints, NoEcgError, read_page

WIDTH, HEIGHT = 1200, 800
DARK = (20, 20, 60)


def graph_paper(mm_px: int = 6) -> ByteArray:
    page = np.full((HEIGHT, WIDTH, 3), 255, np.uint8)
    page[::mm_px] = page[:, ::mm_px] = (255, 190, 190)
    page[:: 5 * mm_px] = page[1 :: 5 * mm_px] = page[:, :: 5 * mm_px] = page[:, 1 :: 5 * mm_px] = (255, 150, 150)
    return page


def scribbles(rng: np.random.Generator) -> ByteArray:
    page = graph_paper()
    for _ in range(60):
        points = rng.uniform(0, 20, (12, 2)).cumsum(axis=0) + rng.uniform(0, 1, 2) * (WIDTH - 200, HEIGHT - 100)
        cv2.polylines(page, [points.astype(np.int32)], isClosed=False, color=DARK, thickness=3)
    return page


def sine(_: np.random.Generator) -> ByteArray:
    page = graph_paper()
    x = np.arange(WIDTH)
    points = np.stack([x, HEIGHT / 2 + 150 * np.sin(x / 70)], axis=1)
    cv2.polylines(page, [points.astype(np.int32)], isClosed=False, color=DARK, thickness=3)
    return page


def streets(rng: np.random.Generator) -> ByteArray:
    page = np.full((HEIGHT, WIDTH, 3), (240, 235, 220), np.uint8)
    for _ in range(40):
        begin, end = (rng.uniform(0, 1, (2, 2)) * (WIDTH, HEIGHT)).astype(int).tolist()
        colour = [(255, 255, 255), (250, 200, 80), (120, 120, 120)][int(rng.integers(3))]
        cv2.line(page, begin, end, colour, int(rng.integers(3, 14)))
    return page


def numbers(rng: np.random.Generator) -> ByteArray:
    page = np.full((HEIGHT, WIDTH, 3), 255, np.uint8)
    page[60:740:40] = page[60:740, 20:WIDTH:145] = 0
    for y in range(60, 700, 40):
        for x in range(20, WIDTH - 145, 145):
            text = f"{rng.uniform(0, 200):.1f}"
            cv2.putText(page, text, (x + 12, y + 28), cv2.FONT_HERSHEY_SIMPLEX, 0.7, (0, 0, 0), 2)
    return page


def squares(rng: np.random.Generator) -> ByteArray:
    shades = cv2.resize(
        rng.uniform(0, 255, (20, 30)).astype(np.uint8), (WIDTH, HEIGHT), interpolation=cv2.INTER_NEAREST
    )
    return np.asarray(cv2.applyColorMap(shades, cv2.COLORMAP_VIRIDIS), np.uint8)


@pytest.mark.parametrize("draw", [scribbles, sine, streets, numbers, squares])
def test_lines_that_are_no_ecg_are_refused(draw: Callable[[np.random.Generator], ByteArray]) -> None:
    with pytest.raises(NoEcgError):
        read_page(draw(np.random.default_rng(7)))


def test_who_sees_an_ecg_may_say_so() -> None:
    page = scribbles(np.random.default_rng(7))
    with pytest.raises(NoEcgError, match="do not look like an ECG"):
        read_page(page)
    assert read_page(page, hints=Hints(leads=("II",))).leads
