"""An ECG told from other lines of a picture: most of the ink lies in its traces, and its beats are alike.

Charts, tables, maps and handwriting have lines that can be followed too.
"""

from collections.abc import Iterable, Sequence

import numpy as np
import numpy.typing as npt
from numpy.lib.stride_tricks import sliding_window_view

from ecg.beats import find_beats
from paper.rows import FloatArray, InkArray, Row
from paper.sheet import PX_PER_MM

FS_HZ = 250.0  # at which rows are judged
# Of pages, scans and photos 0.9 to 1.0, but for one of 0.70; of charts, tables, maps and photos 0.4 to 0.9.
MIN_ALIKE = 0.88
# Share of the dark ink that lies in the traces: of pages with writing or shadow 0.55 to 1.0, of scribbles below 0.45.
MIN_IN_TRACES = 0.5
# Hardly anything but traces: beats need not be alike, since fibrillation has none, and a close photo bends each.
NEARLY_ALL = 0.85
# Of such lines: a heart is still, or steep in some columns: on pages in 0.02 to 0.09, on curves and waves below 0.01.
MIN_STEEP = 0.015
STILL_MM = 3.0
MAX_BROKEN = 0.12  # of pages 0 to 0.09, of scribbles and mosaics from 0.14 on
_AROUND_S = 0.08
_SHIFT_S = 0.05
_MOST_BEATS = 30
_DARK = 0.5  # of the darkest ink
_EDGE_PX = 3


def is_ecg(rows: Sequence[Row], ink: InkArray, *, px_per_s: float) -> bool:
    """Return whether rows of traces look like an ECG's.

    Where hardly anything but traces is on the paper, beats are not asked for: a heart need not beat.

    Parameters
    ----------
    rows : of a sheet
    ink : (height, width), the sheet's
    px_per_s : columns of a second
    """
    rows = [row for row in rows if np.isfinite(row.y_px).any()]
    share = _in_traces(rows, ink)
    if share < MIN_IN_TRACES:
        return False
    if share >= NEARLY_ALL:
        return _median(_steep(row) for row in rows) >= MIN_STEEP or _median(_spread(row) for row in rows) <= STILL_MM
    alike = [value for row in rows if (value := _alike(_signal(row, px_per_s))) is not None]
    return _median(alike) >= MIN_ALIKE and _median(_broken(row) for row in rows) <= MAX_BROKEN


def _median(values: Iterable[float]) -> float:
    """Return the median; NaN, which is neither below nor above anything, of none."""
    found = list(values)
    return float(np.median(found)) if found else float("nan")


def _steep(row: Row) -> float:
    """Return the share of a row's columns in which it rises or falls by more than two pens."""
    return float(np.mean(np.abs(np.diff(row.y_px)) > 2 * row.pen_px))


def _spread(row: Row) -> float:
    """Return how far a row's middle half spreads, mm."""
    low, high = np.nanpercentile(row.y_px, [25, 75])
    return float(high - low) / PX_PER_MM


def _broken(row: Row) -> float:
    """Return the share of the columns between a row's ends in which no line is seen."""
    seen = np.flatnonzero(np.isfinite(row.y_px))
    return float(1.0 - len(seen) / (seen[-1] - seen[0] + 1))


def _signal(row: Row, px_per_s: float) -> FloatArray:
    """Return a row's height at ``FS_HZ``, upwards, lines drawn over what is not seen."""
    seen = np.flatnonzero(np.isfinite(row.y_px))
    places = np.arange(seen[0], seen[-1] + 1, px_per_s / FS_HZ)
    return np.asarray(np.interp(places, seen, -row.y_px[seen]), np.float64)


def _alike(signal: FloatArray) -> float | None:
    """Return how much a beat is like the one that it is most like: median correlation; None below two beats."""
    centred = signal - np.median(signal)
    swing = float(centred.std())
    if swing == 0:
        return None
    around, shift = int(_AROUND_S * FS_HZ), int(_SHIFT_S * FS_HZ)
    reach = around + shift
    beats = [
        int(beat)
        for beat in find_beats((centred / swing).astype(np.float32), FS_HZ)
        if reach <= beat < len(signal) - reach
    ][:_MOST_BEATS]
    if len(beats) < 2:
        return None
    shapes = _normalised(np.stack([centred[beat - around : beat + around] for beat in beats]))
    best = np.full((len(beats), len(beats)), -1.0)
    for other, beat in enumerate(beats):
        shifted = _normalised(sliding_window_view(centred[beat - reach : beat + reach], 2 * around))
        best[:, other] = (shapes @ shifted.T).max(axis=1)
    np.fill_diagonal(best, -1.0)
    return float(np.median(best.max(axis=1)))


def _normalised(shapes: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    centred = shapes - shapes.mean(axis=1, keepdims=True)
    return np.asarray(centred / np.maximum(np.linalg.norm(centred, axis=1, keepdims=True), 1e-9), np.float64)


def _in_traces(rows: Sequence[Row], ink: InkArray) -> float:
    """Return the share of a sheet's dark ink that lies in its rows' traces."""
    dark = ink > _DARK * float(np.nanmax(ink))
    heights = np.arange(ink.shape[0])[:, np.newaxis]
    covered = np.zeros(ink.shape, np.bool_)
    for row in rows:
        covered |= (heights >= row.top_px - _EDGE_PX) & (heights <= row.bottom_px + _EDGE_PX)
    return float((dark & covered).sum() / max(1, dark.sum()))
