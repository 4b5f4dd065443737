"""Pictures that hold no ECG, of many kinds: all of them have lines, and none is a heart's."""

from collections.abc import Callable, Iterator
from typing import NamedTuple

import cv2
import numpy as np
import numpy.typing as npt

from paper.ink import ByteArray

WIDTH, HEIGHT = 1200, 800
_INK = (20, 20, 40)
_LETTERS = "abcdefghijklmnoprstuvw"

Draw = Callable[[np.random.Generator], ByteArray]


class Picture(NamedTuple):
    """A picture without an ECG.

    ``image`` is (height, width, 3) uint8.
    """

    name: str
    image: ByteArray


def pictures(*, count: int, seed: int) -> Iterator[Picture]:
    """Draw pictures, the kinds in turn.

    Parameters
    ----------
    count : of pictures
    seed : decides what is drawn
    """
    kinds = list(KINDS)
    for number in range(count):
        kind = kinds[number % len(kinds)]
        yield Picture(f"{number}-{kind}", KINDS[kind](np.random.default_rng((seed, number))))


def _sheet(colour: tuple[int, int, int] = (255, 255, 255)) -> ByteArray:
    return np.full((HEIGHT, WIDTH, 3), colour, np.uint8)


def _graph_paper(rng: np.random.Generator) -> ByteArray:
    page, mm_px = _sheet(), int(rng.integers(5, 10))
    minor, major = [((255, 190, 190), (255, 150, 150)), ((200, 225, 200), (150, 200, 150))][int(rng.integers(2))]
    page[::mm_px] = page[:, ::mm_px] = minor
    for wide in range(2):
        page[wide :: 5 * mm_px] = page[:, wide :: 5 * mm_px] = major
    return page


def _line(page: ByteArray, points: npt.ArrayLike, *, wide: int = 3, colour: tuple[int, int, int] = _INK) -> None:
    cv2.polylines(page, [np.asarray(points).astype(np.int32)], isClosed=False, color=colour, thickness=wide)


def _random_text(rng: np.random.Generator, count: int) -> str:
    return " ".join("".join(rng.choice(list(_LETTERS), int(rng.integers(2, 9)))) for _ in range(count))


def _write(page: ByteArray, text: str, at: tuple[int, int], size: float = 0.7) -> None:
    cv2.putText(page, text, at, cv2.FONT_HERSHEY_SIMPLEX, size, (0, 0, 0), 2)


def _text(rng: np.random.Generator) -> ByteArray:
    page = _sheet()
    for y in range(60, HEIGHT - 40, 34):
        _write(page, _random_text(rng, 10), (60, y))
    return page


def _table(rng: np.random.Generator) -> ByteArray:
    page, wide = _sheet(), int(rng.integers(90, 200))
    page[60:740:40] = page[60:740, 20:WIDTH:wide] = 0
    for y in range(60, 700, 40):
        for x in range(20, WIDTH - wide, wide):
            _write(page, f"{rng.uniform(0, 200):.1f}", (x + 8, y + 28))
    return page


def _sine(rng: np.random.Generator) -> ByteArray:
    page, x = _sheet() if rng.random() < 0.5 else _graph_paper(rng), np.arange(WIDTH)
    for row in range(int(rng.integers(1, 4))):
        _line(page, np.stack([x, 150 + 220 * row + 90 * np.sin(x / rng.uniform(15, 90))], axis=1))
    return page


def _curve(rng: np.random.Generator) -> ByteArray:
    page, x = _graph_paper(rng), np.arange(WIDTH)
    _line(page, np.stack([x, HEIGHT - 100 - x * rng.uniform(0.2, 0.5) + rng.normal(0, 4, WIDTH).cumsum()], axis=1))
    return page


def _scribbles(rng: np.random.Generator) -> ByteArray:
    page = _graph_paper(rng)
    for _ in range(60):
        _line(page, rng.uniform(0, 20, (12, 2)).cumsum(axis=0) + rng.uniform(0, 1, 2) * (WIDTH - 200, HEIGHT - 100))
    return page


def _handwriting(rng: np.random.Generator) -> ByteArray:
    page, x = _sheet((250, 250, 245)), np.linspace(80, WIDTH - 100, 900)
    for y in range(100, HEIGHT - 60, 45):
        page[y : y + 2] = (150, 180, 230)
        _line(
            page,
            np.stack([x, y - 12 + 9 * np.sin(np.linspace(0, 300, 900) + rng.normal(0, 0.3, 900).cumsum())], axis=1),
        )
    return page


def _bars(rng: np.random.Generator) -> ByteArray:
    page = _sheet()
    page[100:701:100, 100:1101] = (200, 200, 200)
    page[100:701, 98:101] = page[700:703, 100:1101] = 0
    for number, x in enumerate(range(130, 1080, int(rng.integers(50, 110)))):
        page[700 - int(rng.uniform(50, 580)) : 700, x : x + 40] = (31, 119, 180)
        _write(page, str(number), (x, 730))
    return page


def _chart(rng: np.random.Generator) -> ByteArray:
    page, x = _sheet(), np.arange(100, 1101)
    page[100:701:60, 100:1101] = page[100:701, 100:1101:100] = (205, 205, 205)
    for colour in ((31, 119, 180), (20, 20, 20))[: int(rng.integers(1, 3))]:
        walk = rng.normal(0, 6, len(x)).cumsum()
        _line(page, np.stack([x, np.clip(rng.uniform(250, 550) + walk, 100, 700)], axis=1), wide=2, colour=colour)
    _write(page, _random_text(rng, 3), (400, 70))
    return page


def _scatter(rng: np.random.Generator) -> ByteArray:
    page = _sheet()
    page[100:701, 98:101] = page[700:703, 100:1101] = 0
    for x, y in (rng.normal(0, 1, (300, 2)) * (180, 110) + (600, 400)).astype(int).tolist():
        cv2.circle(page, (x, y), 5, (31, 119, 180), -1)
    return page


def _mosaic(rng: np.random.Generator) -> ByteArray:
    shades = rng.uniform(0, 255, (int(rng.integers(12, 40)), int(rng.integers(16, 60)))).astype(np.uint8)
    shades = np.asarray(cv2.resize(shades, (WIDTH, HEIGHT), interpolation=cv2.INTER_NEAREST), np.uint8)
    return np.asarray(cv2.applyColorMap(shades, cv2.COLORMAP_VIRIDIS), np.uint8)


def _music(rng: np.random.Generator) -> ByteArray:
    page = _sheet()
    for top in range(60, HEIGHT - 100, 140):
        for line in range(5):
            page[top + 14 * line : top + 14 * line + 2, 60 : WIDTH - 60] = 0
        for x in range(100, WIDTH - 80, 55):
            y = top + 7 * int(rng.integers(0, 9))
            cv2.ellipse(page, (x, y), (10, 7), -20, 0, 360, (0, 0, 0), -1)
            _line(page, [(x + 9, y), (x + 9, y - 48)])
    return page


def _streets(rng: np.random.Generator) -> ByteArray:
    page = _sheet((240, 235, 220))
    for _ in range(40):
        colour = [(255, 255, 255), (250, 200, 80), (120, 120, 120)][int(rng.integers(3))]
        _line(page, rng.uniform(0, 1, (2, 2)) * (WIDTH, HEIGHT), wide=int(rng.integers(3, 14)), colour=colour)
    return page


def _code(rng: np.random.Generator) -> ByteArray:
    shape = (33, 33) if rng.random() < 0.5 else (1, 120)
    bits = np.asarray(rng.integers(0, 2, shape) * 255, np.uint8)
    page = _sheet()
    page[100:700, 300:900] = np.asarray(cv2.resize(bits, (600, 600), interpolation=cv2.INTER_NEAREST))[..., np.newaxis]
    return page


def _skyline(rng: np.random.Generator) -> ByteArray:
    page = _sheet((140, 180, 230))
    heights = 450 + rng.normal(0, 4, WIDTH).cumsum()
    page[np.arange(HEIGHT)[:, np.newaxis] > heights] = (60, 80, 50)
    return page


def _clouds(rng: np.random.Generator) -> ByteArray:
    layers = []
    for octave in range(1, 8):
        small = rng.uniform(0, 1, (2**octave, 2**octave)).astype(np.float32)
        layers.append(np.asarray(cv2.resize(small, (WIDTH, HEIGHT), interpolation=cv2.INTER_CUBIC)) / 2**octave)
    shades = cv2.normalize(np.sum(layers, axis=0), np.zeros((HEIGHT, WIDTH)), 0, 255, cv2.NORM_MINMAX)
    level = np.asarray(shades).astype(np.uint8)
    return np.stack([level, np.roll(level, 50, axis=1), 255 - level], axis=2)


def _face(rng: np.random.Generator) -> ByteArray:
    page = _clouds(rng) // 3 + 120
    cv2.ellipse(page, (600, 400), (220, 300), 0, 0, 360, (205, 165, 140), -1)
    for x in (510, 690):
        cv2.ellipse(page, (x, 330), (45, 22), 0, 0, 360, (40, 30, 30), -1)
    cv2.ellipse(page, (600, 540), (90, 35), 0, 0, 180, (150, 60, 60), 8)
    return np.asarray(cv2.GaussianBlur(page, (0, 0), 4), np.uint8)


def _ultrasound(rng: np.random.Generator) -> ByteArray:
    y, x = np.mgrid[0:HEIGHT, 0:WIDTH]
    away, angle = np.hypot(x - 600, y - 40), np.arctan2(x - 600, y - 40)
    speckle = np.asarray(cv2.GaussianBlur(rng.exponential(60, (HEIGHT, WIDTH)), (0, 0), 2))
    shown = (np.abs(angle) < 0.7) & (away < 720) & (np.abs(away - 380) > 90 * rng.uniform(0.5, 1.5))
    level = np.clip(np.where(shown, 2 * speckle, 0), 0, 255).astype(np.uint8)
    return np.repeat(level[..., np.newaxis], 3, axis=2)


def _brain(rng: np.random.Generator) -> ByteArray:
    page, x = _sheet(), np.arange(WIDTH)
    for channel in range(int(rng.integers(8, 20))):
        wave = np.convolve(rng.normal(0, 9, WIDTH), np.ones(6) / 3, "same")
        _line(page, np.stack([x, 40 + channel * 38 + wave], axis=1), wide=1)
    return page


def _quake(rng: np.random.Generator) -> ByteArray:
    page, x = _sheet() if rng.random() < 0.5 else _graph_paper(rng), np.arange(WIDTH)
    for row in range(3):
        shake = np.exp(-np.maximum(0, x - 300) / 200) * (x > 300) * rng.normal(0, 60, WIDTH) + rng.normal(0, 2, WIDTH)
        _line(page, np.stack([x, 150 + 250 * row + shake], axis=1), wide=2)
    return page


def _empty(rng: np.random.Generator) -> ByteArray:
    return _graph_paper(rng) if rng.random() < 0.7 else _sheet()


KINDS: dict[str, Draw] = {
    "text": _text,
    "table": _table,
    "sine": _sine,
    "curve": _curve,
    "scribbles": _scribbles,
    "handwriting": _handwriting,
    "bars": _bars,
    "chart": _chart,
    "scatter": _scatter,
    "mosaic": _mosaic,
    "music": _music,
    "streets": _streets,
    "code": _code,
    "skyline": _skyline,
    "clouds": _clouds,
    "face": _face,
    "ultrasound": _ultrasound,
    "brain waves": _brain,
    "earthquake": _quake,
    "empty": _empty,
}
