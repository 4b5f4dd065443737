"""A sheet at one scale: flat, with the grid's lines taken off, so that what is left is traces and writing."""

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt
from scipy.ndimage import percentile_filter

from paper.straightening import Flat

InkArray = npt.NDArray[np.float32]

PX_PER_MM = 8.0  # of every sheet: 5 ms a pixel at 25 mm/s, and finer than most pictures are
GUESSED_WIDTH_MM = 280.0  # of a picture without a grid, until a calibration pulse tells its scale
_BAND_MM = 70.0  # height and
_REACH_MM = 110.0  # width over which a grid line looks the same, while a trace does not
_LINE_SHARE = 0.25  # quantile of the ink along a line that is taken for the line itself: a QRS is far shorter
_LEAST_OVER = 0.35  # of the darkness over a line: where less could be seen, noise would grow
_LEAST_INK = 0.03  # darkness of a trace: below it there is none
_ALIKE_MM = 30.0  # over which traces are as dark as each other
_UNLIKE = 1.8  # and by how much they may differ over the sheet


@dataclass(frozen=True, slots=True, kw_only=True)
class Sheet:
    """A flat sheet, 8 pixels a millimetre.

    Attributes
    ----------
    ink : (height, width) float32, 1 where the traces are darkest, 0 on paper and on the grid
    to_picture : (height, width, 2) float32, where each pixel lies in the picture
    measured : whether a grid has described the scale
    """

    ink: InkArray
    to_picture: InkArray
    measured: bool


def sheet_of(flat: Flat, *, mm_px: tuple[float, float] | None = None) -> Sheet | None:
    """Bring flat paper to one scale and take off its grid; None where nothing is written on it.

    Parameters
    ----------
    flat : the paper
    mm_px : pixels of a millimetre across and upwards, before what its grid says
    """
    known = mm_px or flat.mm_px
    height, width = flat.ink.shape
    guessed = width / GUESSED_WIDTH_MM
    across, upwards = known or (guessed, guessed)
    size = (max(2, round(width / across * PX_PER_MM)), max(2, round(height / upwards * PX_PER_MM)))
    how = cv2.INTER_AREA if size[0] < width else cv2.INTER_CUBIC
    ink = np.clip(np.asarray(cv2.resize(flat.ink, size, interpolation=how), np.float32), 0.0, 1.0)
    ink = without_lines(ink)
    inside = np.asarray(cv2.resize(flat.to_picture, size, interpolation=cv2.INTER_LINEAR), np.float32)
    darkest = ink.max(axis=0)
    strength = float(np.median(darkest))
    if strength < _LEAST_INK:
        return None
    around = 2 * round(_ALIKE_MM * PX_PER_MM / 2) + 1
    local = percentile_filter(darkest, 40, around, mode="nearest")
    local = np.clip(local, strength / _UNLIKE, strength * _UNLIKE).astype(np.float32)
    return Sheet(ink=np.minimum(ink / local, 1.5), to_picture=inside, measured=known is not None)


def without_lines(ink: InkArray) -> InkArray:
    """Return the ink without what goes on along columns or rows.

    Parameters
    ----------
    ink : (height, width) float32
    """
    left = _over(ink, _lines(ink, round(_BAND_MM * PX_PER_MM)))
    return _over(left, _lines(np.ascontiguousarray(left.T), round(_REACH_MM * PX_PER_MM)).T)


def _over(ink: InkArray, lines: InkArray) -> InkArray:
    """Ink over that of lines, in proportion to what more there could be: a trace that crosses a line goes on."""
    over: InkArray = np.maximum(ink - lines, 0.0) / np.maximum(1.0 - lines, _LEAST_OVER)
    return over


def _lines(ink: InkArray, reach: int) -> InkArray:
    """The quantile of the ink along each column, in bands that are blended into each other."""
    height, width = ink.shape
    reach = min(reach, height)
    tops = np.linspace(0, height - reach, max(1, round(2 * (height - reach) / reach) + 1)).astype(int)
    bands = np.stack([np.quantile(ink[top : top + reach : 2], _LINE_SHARE, axis=0) for top in tops]).astype(np.float32)
    if len(bands) == 1:
        return np.repeat(bands, height, axis=0)
    middles = tops + reach / 2
    place = np.interp(np.arange(height), middles, np.arange(len(tops))).astype(np.float32)
    map_y = np.repeat(place[:, None], width, axis=1)
    map_x = np.repeat(np.arange(width, dtype=np.float32)[None], height, axis=0)
    return np.asarray(cv2.remap(bands, map_x, map_y, cv2.INTER_LINEAR), np.float32)
