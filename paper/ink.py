"""Ink on paper: darkness of each pixel against the paper around it, whatever the light."""

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

ByteArray = npt.NDArray[np.uint8]
InkArray = npt.NDArray[np.float32]

_PAPER_SHARE = 1 / 90  # of the picture's width: wider than any stroke, narrower than a shadow
_DARK_SCREEN = 90  # median brightness below which light lines lie on a dark ground
_BLACK = 0.3  # of the darkest thousandth: below it the ink is coloured


@dataclass(frozen=True, slots=True, kw_only=True)
class Ink:
    """Darkness of each pixel, 0 paper and 1 black.

    Attributes
    ----------
    trace : (height, width) float32, in which a coloured grid is weakest
    grid : (height, width) float32, in which colour counts as darkness
    """

    trace: InkArray
    grid: InkArray


def ink_of(image: ByteArray) -> Ink:
    """Return the ink in a picture.

    Parameters
    ----------
    image : (height, width, 3) uint8, blue, green, red
    """
    if is_dark(image):
        image = 255 - image
    wide = max(9, round(image.shape[1] * _PAPER_SHARE)) | 1
    kernel = cv2.getStructuringElement(cv2.MORPH_RECT, (wide, wide))
    paper = cv2.blur(cv2.morphologyEx(image, cv2.MORPH_CLOSE, kernel), (wide, wide)).astype(np.float32)
    left = np.minimum(image.astype(np.float32) / np.maximum(paper, 1.0), 1.0)
    black, coloured = 1.0 - left.max(axis=2), 1.0 - left.min(axis=2)
    strong = float(np.percentile(black[::2, ::2], 99.7))
    trace = black if strong >= _BLACK else coloured
    return Ink(trace=trace, grid=coloured)


def is_dark(image: ByteArray) -> bool:
    """Return whether a picture shows light lines on a dark ground, as screens do."""
    brightness = image[::4, ::4].max(axis=2)
    return bool(np.median(brightness) < _DARK_SCREEN and np.percentile(brightness, 75) < _DARK_SCREEN)
