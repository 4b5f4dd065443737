"""Strokes of ink, column by column: what a trace is followed through."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

InkArray = npt.NDArray[np.float32]
FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]

EDGE = 0.5  # of a trace's darkness: where its edge lies
FAINT = 0.3  # down to which a stroke goes on
_MOST = 40  # strokes in a column: more are noise


@dataclass(frozen=True, slots=True, kw_only=True)
class Strokes:
    """Runs of ink in the columns of a sheet, ordered by column.

    Attributes
    ----------
    column : (n,) int64
    top_px, bottom_px : (n,) float64, the edges where the ink is half as dark as a trace, in fractions of a pixel
    first : (width + 1,) int64, the number of the first stroke of each column
    """

    column: IntArray
    top_px: FloatArray
    bottom_px: FloatArray
    first: IntArray


def strokes_in(ink: InkArray) -> Strokes:
    """Return the runs of ink in each column.

    Parameters
    ----------
    ink : (height, width) float32, 1 where traces are darkest
    """
    height, width = ink.shape
    upright = np.ascontiguousarray(ink.T)
    on = np.zeros((width, height + 2), np.int8)
    on[:, 1:-1] = upright >= FAINT
    step = np.diff(on, axis=1)
    column, begin = np.nonzero(step == 1)
    end = np.nonzero(step == -1)[1]  # one past the last
    dark = np.maximum.reduceat(
        upright.ravel(), np.stack([column * height + begin, column * height + end - 1], 1).ravel()
    )
    # reduceat's even places hold the maximum over [begin, end - 1): the last pixel is added.
    peak = np.maximum(dark[::2], upright[column, end - 1])
    keep = peak >= EDGE
    column, begin, end, peak = column[keep], begin[keep], end[keep], peak[keep]
    level = np.minimum(peak, 1.0).astype(np.float64) * EDGE
    top = _edge(upright, column, begin, level, step=1)
    bottom = _edge(upright, column, end - 1, level, step=-1) + 1.0
    counts = np.bincount(column, minlength=width)
    crowded = counts > _MOST
    if crowded.any():
        clean = ~crowded[column]
        column, top, bottom = column[clean], top[clean], bottom[clean]
        counts = np.bincount(column, minlength=width)
    first = np.concatenate([[0], np.cumsum(counts)])
    return Strokes(column=column, top_px=top, bottom_px=bottom, first=first)


def _edge(upright: InkArray, column: IntArray, start: IntArray, level: FloatArray, *, step: int) -> FloatArray:
    """The place at which the ink first reaches a level, from a stroke's end inwards, by the share of its pixel.

    Between a pixel below the level and one above it the edge is put where a straight line crosses the level; places
    count from a pixel's upper side for the top, and so that adding 1 gives the lower side for the bottom.
    """
    height = upright.shape[1]
    at = start.copy()
    for _ in range(12):
        low = upright[column, at] < level
        if not low.any():
            break
        at = np.where(low, np.clip(at + step, 0, height - 1), at)
    before = np.clip(at - step, 0, height - 1)
    inside, outside = upright[column, at].astype(np.float64), upright[column, before].astype(np.float64)
    span = inside - outside
    share = np.where(span > 1e-6, np.clip((level - outside) / np.where(span > 1e-6, span, 1.0), 0.0, 1.0), 1.0)
    # The line crosses the level ``share`` of the way from the middle of ``before`` to the middle of ``at``.
    return np.asarray(at - step * (1.0 - share) + 0.5 * step, np.float64)
