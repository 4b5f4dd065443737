"""Rows of a sheet: each trace as a line of heights, with holes where it is broken or hidden by another."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from paper.sheet import PX_PER_MM
from paper.strokes import EDGE, Strokes
from paper.tracing import Path, line_of

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]
InkArray = npt.NDArray[np.float32]
BoolArray = npt.NDArray[np.bool_]

_BRIDGED_MM = 0.8  # breaks up to this length are the printer's or a grid line's: 32 ms at 25 mm/s
_TOUCHING_MM = 1.0  # strokes of neighbouring columns so near each other are one line
_STRAY_MM = 6.0  # pieces shorter than this at the ends, or wholly so far from the row's level, are no trace
_LEAST_MM = 30.0  # of a trace
_LEAST_COVER = 0.5  # of the columns between a row's ends
_LEAST_PIECE_MM = 5.0  # of the pieces of a trace, half its length in longer ones: writing has short ones
_AS_LONG = 0.6  # as the longest row: lines of text are shorter
_SHARED = 0.3  # of a row's strokes that are another's, too: more, and it is that one
_BESIDE_MM = 1.0  # ink looked at on both sides of strokes that two rows share
_LEAST_WAY_MM = 4.0  # between two rows
_CROSSED_MM = 1.6  # where lines of two rows cross without a waist: 64 ms at 25 mm/s
_NARROW = 0.85  # a waist, of the usual width of such ink
_FRAME_MM = 0.12  # a line that strays no more from a straight one is a frame


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """A row's trace on a sheet.

    Attributes
    ----------
    level_px : (width,) float64, at which it dwells
    y_px : (width,) float64, downwards; NaN where no line is seen
    top_px, bottom_px : (width,) float64, edges of its ink; NaN where there is none
    hidden : (width,) bool, where it shares its ink with another row's
    pen_px : width of the pen that drew it
    """

    level_px: FloatArray
    y_px: FloatArray
    top_px: FloatArray
    bottom_px: FloatArray
    hidden: BoolArray
    pen_px: float

    @property
    def ends(self) -> tuple[int, int]:
        """The first column with a line, and one past the last."""
        seen = np.nonzero(np.isfinite(self.y_px))[0]
        return (int(seen[0]), int(seen[-1]) + 1) if len(seen) else (0, 0)

    @property
    def up_mm(self) -> FloatArray:
        """Heights over the row's level in millimetres."""
        return (self.level_px - self.y_px) / PX_PER_MM


def rows_of(strokes: Strokes, paths: list[Path], pen: float, ink: InkArray) -> list[Row]:
    """Return the rows that hold traces.

    Parameters
    ----------
    strokes : in the sheet
    paths : one for each row
    pen : width of the pen, pixels
    ink : (height, width) float32 of the sheet
    """
    kept = _each_once([(path, _without_strays(strokes, path)) for path in paths])
    none = np.zeros(len(strokes.column), bool)
    edges = [_Edges(strokes.top_px.copy(), strokes.bottom_px.copy(), none.copy(), none.copy()) for _ in kept]
    for upper in range(len(kept)):
        for lower in range(upper + 1, len(kept)):
            _part(kept[upper], kept[lower], edges[upper], edges[lower], ink)
    rows = [_row(path.level_px, stroke, own, pen) for (path, stroke), own in zip(kept, edges, strict=True)]
    traces = [row for row in rows if _is_trace(row)]
    longest = max((row.ends[1] - row.ends[0] for row in traces), default=0)
    return [row for row in traces if row.ends[1] - row.ends[0] >= _AS_LONG * longest]


@dataclass(frozen=True, slots=True)
class _Edges:
    """A row's own edges of all strokes, which of them it shares, and which only cross it."""

    top_px: FloatArray
    bottom_px: FloatArray
    shared: BoolArray
    crossed: BoolArray


def _part(
    first: tuple[Path, IntArray],
    second: tuple[Path, IntArray],
    upper: _Edges,
    lower: _Edges,
    ink: InkArray,
) -> None:
    """Part the strokes that two rows share where the ink between their levels is narrowest.

    Where a wave of one row touches a wave of the other, tip meets tip. Where no waist is seen the strokes belong to
    neither: they are taken out of both. Of a few columns, through which one line crosses the other, each row is seen on
    both sides: it goes straight on.
    """
    columns = np.nonzero((first[1] >= 0) & (first[1] == second[1]))[0]
    if not len(columns):
        return
    for piece in np.split(columns, np.nonzero(np.diff(columns) > 2)[0] + 1):
        shared = first[1][piece]
        level = float(first[0].level_px[piece[0]]), float(second[0].level_px[piece[0]])
        waist = _waist(ink, piece, level)
        upper.shared[shared] = lower.shared[shared] = True
        if waist is None:
            short = len(piece) <= _CROSSED_MM * PX_PER_MM
            upper.crossed[shared] = lower.crossed[shared] = short
            upper.top_px[shared] = lower.top_px[shared] = np.nan
            continue
        upper.bottom_px[shared] = np.minimum(upper.bottom_px[shared], waist)
        lower.top_px[shared] = np.maximum(lower.top_px[shared], waist)
        upper.top_px[shared[upper.top_px[shared] > waist]] = np.nan
        lower.top_px[shared[lower.bottom_px[shared] < waist]] = np.nan


def _waist(ink: InkArray, piece: IntArray, level: tuple[float, float]) -> float | None:
    """The height between two levels at which the ink around some columns is narrowest; None where it is not."""
    beside = round(_BESIDE_MM * PX_PER_MM)
    top, bottom = round(level[0]), round(level[1])
    part = ink[max(0, top) : bottom, max(0, piece[0] - beside) : piece[-1] + beside + 1] >= EDGE
    if len(part) < _LEAST_WAY_MM * PX_PER_MM:
        return None
    wide = np.where(part.any(axis=1), part.shape[1] - np.argmax(part, axis=1) - np.argmax(part[:, ::-1], axis=1), 0)
    away = np.abs(np.arange(len(wide)) - len(wide) / 2) / len(wide)
    best = int(np.argmin(wide + away))
    usual = float(np.median(wide))
    return top + best + 0.5 if wide[best] < _NARROW * max(usual, 1.0) or wide[best] <= 3 else None


def _each_once(kept: list[tuple[Path, IntArray]]) -> list[tuple[Path, IntArray]]:
    """Leave out what mostly follows the strokes of another row, which goes on for longer."""
    order = sorted(range(len(kept)), key=lambda number: -int((kept[number][1] >= 0).sum()))
    chosen: list[int] = []
    for number in order:
        own = kept[number][1]
        seen = int((own >= 0).sum())
        shared = max((int(((own >= 0) & (own == kept[other][1])).sum()) for other in chosen), default=0)
        if seen and shared <= _SHARED * seen:
            chosen.append(number)
    return [kept[number] for number in sorted(chosen)]


def _row(level_px: FloatArray, stroke: IntArray, edges: _Edges, pen: float) -> Row:
    width = len(stroke)
    y, tops, bottoms = np.full((3, width), np.nan)
    hidden = np.zeros(width, bool)
    columns = np.nonzero(stroke >= 0)[0]
    hidden[columns[edges.shared[stroke[columns]]]] = True
    crossed = np.zeros(width + 1, np.int64)
    crossed[1 + columns[edges.crossed[stroke[columns]]]] = 1
    crossed = np.cumsum(crossed)
    columns = columns[np.isfinite(edges.top_px[stroke[columns]])]
    if len(columns):
        open_columns = np.diff(columns) - np.diff(crossed[columns])
        breaks = np.nonzero(open_columns > _BRIDGED_MM * PX_PER_MM)[0] + 1
        for piece in np.split(columns, breaks):
            whole = np.arange(piece[0], piece[-1] + 1)
            top = np.interp(whole, piece, edges.top_px[stroke[piece]])
            bottom = np.interp(whole, piece, edges.bottom_px[stroke[piece]])
            y[whole], tops[whole], bottoms[whole] = line_of(top, bottom, pen), top, bottom
    return Row(level_px=level_px, y_px=y, top_px=tops, bottom_px=bottoms, hidden=hidden, pen_px=pen)


def _without_strays(strokes: Strokes, path: Path) -> IntArray:
    """The strokes of a path without pieces that are no part of its trace."""
    stroke = path.stroke.copy()
    columns = np.nonzero(stroke >= 0)[0]
    if not len(columns):
        return stroke
    top, bottom = strokes.top_px[stroke[columns]], strokes.bottom_px[stroke[columns]]
    apart = np.maximum(top[1:] - bottom[:-1], top[:-1] - bottom[1:])
    cut = (np.diff(columns) > 2 * PX_PER_MM) | (apart > _TOUCHING_MM * PX_PER_MM)
    pieces = np.split(np.arange(len(columns)), np.nonzero(cut)[0] + 1)
    short = [columns[piece[-1]] - columns[piece[0]] < _STRAY_MM * PX_PER_MM for piece in pieces]
    long = [number for number, is_short in enumerate(short) if not is_short]
    for number, piece in enumerate(pieces):
        level = path.level_px[columns[piece]]
        away = np.maximum(np.maximum(top[piece] - level, level - bottom[piece]), 0.0)
        far = bool(away.min() > _STRAY_MM * PX_PER_MM)
        outside = not long or number < long[0] or number > long[-1]
        if (short[number] and (far or outside)) or (far and number in (0, len(pieces) - 1)):
            stroke[columns[piece]] = -1
    return stroke


def _is_trace(row: Row) -> bool:
    first, last = row.ends
    seen = np.isfinite(row.y_px[first:last])
    if last - first < _LEAST_MM * PX_PER_MM or seen.mean() < _LEAST_COVER:
        return False
    edges = np.nonzero(np.diff(np.concatenate([[0], seen.astype(np.int8), [0]])))[0]
    lengths = edges[1::2] - edges[::2]
    if lengths[lengths >= _LEAST_PIECE_MM * PX_PER_MM].sum() < 0.5 * seen.sum():
        return False
    x = np.arange(first, last)[seen]
    y = row.y_px[first:last][seen]
    slope = np.polyfit(x, y, 1)
    return float(np.quantile(np.abs(y - np.polyval(slope, x)), 0.98)) > _FRAME_MM * PX_PER_MM
