"""Writing on a sheet: lead names, paper speed and gain, read by a text recogniser that ships with its weights."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from paper.rows import Row
from paper.sheet import PX_PER_MM
from paper.strokes import EDGE

InkArray = npt.NDArray[np.float32]

_HIGH_MM = (1.2, 7.5)  # of letters and lines of text
_LEAST_WIDE_MM = 0.25
_WORD_GAP_MM = 1.1  # letters nearer than this are one word
_MOST_PIECES = 64
_TEXT_HEIGHT_PX = 48  # of what the recogniser looks at
_SURE = 0.5
_ONE_THREAD = {f"EngineConfig.onnxruntime.{kind}_op_num_threads": 1 for kind in ("intra", "inter")}
_PEN_MM = 0.25  # taken off around traces
_SPREAD = 2  # columns beside a stroke that its ink darkens
_ONE = "il|1!\u2160[]/"
_DIGITS = str.maketrans(
    {"i": "1", "l": "1", "|": "1", "!": "1", "s": "5", "b": "6", "z": "2", "g": "6", "a": "4", "t": "1"}
)
_SPEED = re.compile(r"(12[.,]5|25|50|100)\s*mm\s*[/il1|]?\s*s", re.IGNORECASE)
_GAIN = re.compile(r"(?<![\d.,])(2[.,]5|5|10|20)(?:[.,]0)?\s*mm\s*[/il1|]?\s*m\s*v", re.IGNORECASE)
_TITLE = re.compile(r"lead\s+(III|II|I|aV[RLF]|V[1-6])\b", re.IGNORECASE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Word:
    """A piece of writing.

    Attributes
    ----------
    text : as it was read
    score : how sure, 0 to 1
    left_px, middle_px : where it begins, and the height of its middle
    """

    text: str
    score: float
    left_px: float
    middle_px: float

    @property
    def lead(self) -> str | None:
        """The lead that it names."""
        return lead_in(self.text)


def lead_in(text: str) -> str | None:
    """Return the lead that a text names, None where it names none.

    Parameters
    ----------
    text : as a recogniser reads it, which takes I, l and 1 for each other
    """
    bare = re.sub(r"[\s.,:;'`_\u2019]", "", text)
    if not bare or len(bare) > 6:
        return None
    augmented = re.search(r"(-?)a[vy]([rlf1ie])", bare, re.IGNORECASE) or re.fullmatch(r"(.?)[vV]([RLF])", bare)
    if augmented:
        letter = augmented[2].upper().translate({ord("1"): "L", ord("I"): "L", ord("E"): "F"})
        return f"{'-' if augmented[1] == '-' and letter == 'R' else ''}aV{letter}"
    chest = re.fullmatch(r"[|!\[\]I]?[vVyY]([1-6ilI|!sSbBzZgGat])", bare)
    if chest:
        return f"V{chest[1].lower().translate(_DIGITS)}"
    if bare.upper() in {"V", "MLII", "MLI"}:
        return bare.upper()
    return _roman(bare)


def _roman(bare: str) -> str | None:
    """Return the lead I, II or III; a recogniser may take two strokes for one letter."""
    for letter, lead in (("\u2162", "III"), ("\u2161", "II")):
        if letter in bare:
            return lead
    return "I" * len(bare) if len(bare) <= 3 and all(letter.lower() in _ONE for letter in bare) else None


def titled_lead(writing: Iterable[Word]) -> str | None:
    """Return the lead of a page whose heading names one, such as "Lead I"."""
    for word in writing:
        found = _TITLE.search(word.text)
        if found:
            return lead_in(found[1])
    return None


def speed_in(writing: Iterable[Word]) -> float | None:
    """Return the paper speed that is written, mm/s."""
    return _number(_SPEED, writing)


def gain_in(writing: Iterable[Word]) -> float | None:
    """Return the gain that is written, mm/mV."""
    return _number(_GAIN, writing)


def _number(pattern: re.Pattern[str], writing: Iterable[Word]) -> float | None:
    for word in writing:
        found = pattern.search(word.text)
        if found:
            return float(found[1].replace(",", "."))
    return None


def writing_on(ink: InkArray, rows: list[Row]) -> list[Word]:
    """Read what is written beside the traces.

    Parameters
    ----------
    ink : (height, width) float32 of a sheet
    rows : its traces
    """
    left = ink.copy()
    reach = round(_PEN_MM * PX_PER_MM)
    for row in rows:
        _erase(left, row, reach)
    writing = []
    for left_px, top, right, bottom in _boxes(left):
        margin = round(0.8 * PX_PER_MM)
        part = left[max(0, top - margin) : bottom + margin, max(0, left_px - margin) : right + margin]
        scale = _TEXT_HEIGHT_PX / part.shape[0]
        size = (max(16, round(part.shape[1] * scale)), _TEXT_HEIGHT_PX)
        grey = cv2.resize(np.clip(255 * (1 - part), 0, 255).astype(np.uint8), size, interpolation=cv2.INTER_LINEAR)
        text, score = _recognise(np.asarray(cv2.cvtColor(grey, cv2.COLOR_GRAY2BGR), np.uint8))
        if score >= _SURE and text:
            writing.append(Word(text=text, score=score, left_px=float(left_px), middle_px=(top + bottom) / 2))
    return writing


def _erase(ink: InkArray, row: Row, reach: int) -> None:
    """Take a trace off, with what its ink spreads to the sides."""
    seen = np.isfinite(row.top_px)
    top = np.where(seen, row.top_px, np.inf)
    bottom = np.where(seen, row.bottom_px, -np.inf)
    around = np.stack([np.roll(top, step) for step in range(-_SPREAD, _SPREAD + 1)]).min(axis=0)
    below = np.stack([np.roll(bottom, step) for step in range(-_SPREAD, _SPREAD + 1)]).max(axis=0)
    for x in np.nonzero(np.isfinite(around))[0]:
        ink[max(0, int(around[x]) - reach) : int(below[x]) + reach + 1, x] = 0.0


def _boxes(ink: InkArray) -> list[tuple[int, int, int, int]]:
    """Left, top, right and bottom of what may be words."""
    mask = (ink >= EDGE).astype(np.uint8)
    _, labels, stats, _ = cv2.connectedComponentsWithStats(mask, connectivity=8)
    high, wide = stats[:, cv2.CC_STAT_HEIGHT] / PX_PER_MM, stats[:, cv2.CC_STAT_WIDTH] / PX_PER_MM
    letter = (high >= 0.25) & (high <= _HIGH_MM[1]) & (wide <= _HIGH_MM[1]) & (stats[:, cv2.CC_STAT_AREA] >= 8)
    letter[0] = False
    kept = letter[labels].astype(np.uint8)
    gap = round(_WORD_GAP_MM * PX_PER_MM)
    joined = cv2.dilate(kept, np.ones((3, 2 * gap + 1), np.uint8))
    _, _, groups, _ = cv2.connectedComponentsWithStats(joined, connectivity=8)
    boxes = []
    for x, y, w, h, _ in groups[1:]:
        left, right = int(x + gap), int(x + w - gap)
        high_mm, wide_mm = (h - 2) / PX_PER_MM, (right - left) / PX_PER_MM
        if _HIGH_MM[0] <= high_mm <= _HIGH_MM[1] and wide_mm >= _LEAST_WIDE_MM and wide_mm < 40 * high_mm:
            boxes.append((left, int(y + 1), right, int(y + h - 1)))
    # The likeliest first: of a letter's height.
    return sorted(boxes, key=lambda box: abs((box[3] - box[1]) / PX_PER_MM - 2.8))[:_MOST_PIECES]


@lru_cache(maxsize=1)
def _recogniser() -> Any:
    from rapidocr import RapidOCR  # noqa: PLC0415 # it loads a network, which what only draws does without

    return RapidOCR(params={"Global.use_cls": False, "Global.log_level": "error", **_ONE_THREAD})


def _recognise(image: npt.NDArray[np.uint8]) -> tuple[str, float]:
    found = _recogniser()(image, use_det=False, use_cls=False, use_rec=True)
    if not found.txts:
        return "", 0.0
    return str(found.txts[0]), float(found.scores[0])
