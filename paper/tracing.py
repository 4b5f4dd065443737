"""Traces followed from stroke to stroke along their rows, and the line that a pen of known width must have drawn."""

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import numpy.typing as npt
from scipy.ndimage import gaussian_filter1d, maximum_filter1d, median_filter, minimum_filter1d

from paper.sheet import PX_PER_MM
from paper.strokes import Strokes

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]

_BRIDGED = 10  # columns over which a break is bridged stroke by stroke
_MISSED = 1.5  # cost of a column without a stroke
_JUMP = 0.35  # of each pixel between strokes that do not touch
_LEAP = 12.0  # of a break that is longer than the look back
_TURN = 0.004  # of each pixel by which a stroke's middle moves
_AWAY = 0.012  # of each pixel away from the row's level, in a column
_FAR_MM = 8.0  # beyond it being away costs no more
_FLAT_MM = 2.0  # strokes up to this height show where a trace dwells
_SLOPE_PX = 3  # columns on both sides by which a trace's slope is told
_PEN_SHARE = 0.12  # quantile of the widths that is the pen's: what turns is wider
_SIDE = 1.0  # of the pen's radius, taken off sideways
_ROW_BLUR_MM = 1.3
_LEAST_APART_MM = 7.0
_LEAST_COVER = 0.22  # of the columns, in which a row has strokes near its level
_LEAST_QUARTER = 0.4  # and of those of a quarter
_QUARTERS = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Path:
    """A trace as it was followed: for each column the stroke, -1 where there is none.

    Attributes
    ----------
    level_px : (width,) float64, at which it dwells
    stroke : (width,) int64
    """

    level_px: FloatArray
    stroke: IntArray


def row_levels(strokes: Strokes, height: int) -> FloatArray:
    """Return the levels at which traces dwell.

    Leads of one row may lie at different heights, so levels are looked for in each quarter of the width, too; where
    all quarters have as many, the rows are theirs.

    Parameters
    ----------
    strokes : in the sheet
    height : of the sheet, pixels

    Returns
    -------
    (rows, width) float64, pixels downwards, from the top
    """
    width = len(strokes.first) - 1
    edges = np.linspace(0, width, _QUARTERS + 1).astype(int)
    whole = _levels(strokes, height, 0, width, _LEAST_COVER)
    quarters = [_levels(strokes, height, begin, end, _LEAST_QUARTER) for begin, end in pairwise(edges)]
    counts = {len(each) for each in quarters}
    if len(counts) == 1 and 0 < counts.pop() < len(whole):
        return np.repeat(np.array(quarters).T, np.diff(edges), axis=1)
    return np.repeat(np.array(whole, np.float64).reshape(-1, 1), width, axis=1)


def _levels(strokes: Strokes, height: int, begin: int, end: int, least_cover: float) -> list[float]:
    """Levels between two columns."""
    high = strokes.bottom_px - strokes.top_px
    inside = (strokes.column >= begin) & (strokes.column < end)
    flat = inside & (high <= _FLAT_MM * PX_PER_MM)
    middle = (strokes.top_px + strokes.bottom_px) / 2
    crowd, _ = np.histogram(middle[flat], bins=np.arange(height + 1))
    density = gaussian_filter1d(crowd.astype(np.float64), _ROW_BLUR_MM * PX_PER_MM)
    around = 2 * round(_LEAST_APART_MM * PX_PER_MM / 2) + 1
    tops = np.nonzero((density == maximum_filter1d(density, around)) & (density > 0))[0]
    reach = 2.0 * _ROW_BLUR_MM * PX_PER_MM
    levels = []
    for top in tops:
        near = flat & (np.abs(middle - top) <= reach)
        if len(np.unique(strokes.column[near])) >= least_cover * (end - begin):
            levels.append(float(np.median(middle[near])))
    return levels


def follow(strokes: Strokes, levels: FloatArray) -> list[Path]:
    """Follow the trace of each row through the strokes, as the cheapest way from left to right.

    Parameters
    ----------
    strokes : in the sheet
    levels : (rows, width) float64, at which each dwells, pixels
    """
    width = len(strokes.first) - 1
    rows = len(levels)
    n = len(strokes.column)
    cost = np.full((rows, n), np.inf)
    came = np.full((rows, n), -1, np.int64)
    # The cheapest way that ended longer ago than the look back, as if each column since had been missed.
    old_cost, old_stroke = np.zeros(rows), np.full(rows, -1, np.int64)
    top, bottom = strokes.top_px, strokes.bottom_px
    for x in range(width):
        old_cost += _MISSED
        leaving = x - _BRIDGED - 1
        if leaving >= 0:
            begin, end = strokes.first[leaving], strokes.first[leaving + 1]
            if end > begin:
                best = begin + np.argmin(cost[:, begin:end], axis=1)
                value = cost[np.arange(rows), best] + _LEAP + _MISSED * _BRIDGED
                better = value < old_cost
                old_cost, old_stroke = np.where(better, value, old_cost), np.where(better, best, old_stroke)
        begin, end = strokes.first[x], strokes.first[x + 1]
        if begin == end:
            continue
        here_top, here_bottom = top[begin:end], bottom[begin:end]
        level = levels[:, x, None]
        away = np.maximum(np.maximum(here_top - level, level - here_bottom), 0.0)
        own = _AWAY * np.minimum(away, _FAR_MM * PX_PER_MM)
        best_cost = np.repeat((old_cost - _MISSED)[:, None], end - begin, axis=1)
        best_from = np.repeat(old_stroke[:, None], end - begin, axis=1)
        since = strokes.first[max(0, x - _BRIDGED)]
        if begin > since:
            before_top, before_bottom = top[since:begin, None], bottom[since:begin, None]
            apart = np.maximum(np.maximum(here_top - before_bottom, before_top - here_bottom), 0.0)
            turn = np.abs(here_top + here_bottom - before_top - before_bottom) / 2
            missed = (x - 1 - strokes.column[since:begin])[:, None]
            step = _JUMP * apart + _TURN * turn + _MISSED * missed
            whole = cost[:, since:begin, None] + step
            arg = np.argmin(whole, axis=1)
            value = np.take_along_axis(whole, arg[:, None, :], axis=1)[:, 0]
            better = value < best_cost
            best_cost, best_from = np.where(better, value, best_cost), np.where(better, since + arg, best_from)
        cost[:, begin:end] = best_cost + own
        came[:, begin:end] = best_from
    return [_path(strokes, cost[row], came[row], levels[row], width) for row in range(rows)]


def _path(strokes: Strokes, cost: FloatArray, came: IntArray, level: FloatArray, width: int) -> Path:
    stroke = np.full(width, -1, np.int64)
    if len(cost):
        here = int(np.argmin(cost + _MISSED * (width - 1 - strokes.column)))
        while here >= 0:
            stroke[strokes.column[here]] = here
            here = int(came[here])
    return Path(level_px=level, stroke=stroke)


def pen_px(strokes: Strokes, paths: list[Path]) -> float:
    """Return the width of the pen in pixels: the height of strokes, across the way that the trace goes there."""
    widths = []
    for path in paths:
        columns = np.nonzero(path.stroke >= 0)[0]
        used = path.stroke[columns]
        high = strokes.bottom_px[used] - strokes.top_px[used]
        middle = (strokes.bottom_px[used] + strokes.top_px[used]) / 2
        if len(columns) <= 2 * _SLOPE_PX:
            continue
        # Where the trace turns within the reach its slope says nothing.
        run = columns[2 * _SLOPE_PX :] - columns[: -2 * _SLOPE_PX]
        slope = (middle[2 * _SLOPE_PX :] - middle[: -2 * _SLOPE_PX]) / run
        near = (run == 2 * _SLOPE_PX) & (np.abs(slope) < 1.0)
        widths.append((high[_SLOPE_PX:-_SLOPE_PX] / np.hypot(1.0, slope))[near])
    every = np.concatenate(widths) if widths else np.zeros(0)
    return float(np.quantile(every, _PEN_SHARE)) if len(every) else 1.0


def line_of(top_px: FloatArray, bottom_px: FloatArray, pen: float) -> FloatArray:
    """Return the line along which a round pen must have gone to leave strokes of these edges.

    The upper edge of what a pen draws is the line widened by the pen, the lower edge likewise. Taking the pen off the
    upper edge gives the line with its narrow valleys filled, off the lower edge the line with its narrow peaks cut;
    so the first is right at peaks, the second in valleys, and both between.

    Parameters
    ----------
    top_px, bottom_px : (n,) float64, edges in each column, counted downwards; without holes
    pen : its width in pixels

    Returns
    -------
    (n,) float64, pixels downwards
    """
    radius = pen / 2
    # Steep strokes are moved sideways by the whole radius: fractions of a column count.
    side = _SIDE * radius
    offset = np.linspace(-side, side, 2 * int(np.ceil(2 * side)) + 1)
    disc = np.sqrt(np.maximum(radius**2 - offset**2, 0.0))
    column = np.arange(len(top_px), dtype=np.float64)
    # Downwards is positive: the pen's upper side lies at line - disc.
    from_top = np.max([np.interp(column + d, column, top_px) + h for d, h in zip(offset, disc, strict=True)], axis=0)
    from_bottom = np.min(
        [np.interp(column + d, column, bottom_px) - h for d, h in zip(offset, disc, strict=True)], axis=0
    )
    middle = (from_top + from_bottom) / 2
    apart = from_bottom - from_top  # how far valleys are filled and peaks cut
    usual = median_filter(middle, 2 * max(2, round(1.2 * PX_PER_MM)) + 1, mode="nearest")
    peak = middle < usual
    unsure = apart > 0.5
    line = np.where(unsure, np.where(peak, from_top, from_bottom), middle)
    # A tip that came out narrower than the pen is not cut: its end is the pen's.
    around = 2 * int(np.ceil(radius)) + 1
    tip = unsure & peak & (top_px == minimum_filter1d(top_px, around, mode="nearest"))
    low = unsure & ~peak & (bottom_px == maximum_filter1d(bottom_px, around, mode="nearest"))
    return np.where(tip, top_px + radius, np.where(low, bottom_px - radius, line))
