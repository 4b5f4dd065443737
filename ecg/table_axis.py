"""Time axis of a table: which of its times, counters and given rates tells where each row lies."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from ecg.errors import EcgStreamError
from ecg.table_columns import SIGNALS, Known, Role
from ecg.table_grid import Grid, NoRateError, grid_of_counter, grid_of_times
from ecg.table_layout import Table
from ecg.table_times import TIME_UNITS_S

Kept = npt.NDArray[np.bool_] | None  # (rows,) which rows count; None where all do


def grid_of(
    table: Table,
    columns: Sequence[Known],
    chosen: Sequence[Known],
    *,
    fs_hz: float | None,
    said_hz: float | None,
    file: str,
) -> tuple[Grid, Kept]:
    """Return the rate and the places of a table's rows, and which rows count.

    Even times come first, then a counter beside the rate that is given or that uneven times tell, then these times by
    themselves, then the rate alone.

    Parameters
    ----------
    columns : of the table
    chosen : those that somebody asks for as leads
    fs_hz, said_hz : sampling rate in Hz that somebody gives, and that stands above the table
    file : its name, for messages

    Raises
    ------
    EcgStreamError : when nothing tells a rate, or the times are in disorder
    """
    held = _holds(columns, table.rows)
    grids, failures = _by_times(table, columns, chosen, held, fs_hz=fs_hz, said_hz=said_hz, file=file)
    even = next((each for each in grids if each[0].even), None)
    if even is not None:
        return even
    rate, remark = (grids[0][0].fs_hz, grids[0][0].remark) if grids else (fs_hz or said_hz, "")
    if rate is None:
        raise next(iter(failures), EcgStreamError(f"{file} has no time column: give the sampling rate in Hz (fs_hz)"))
    for column in columns:
        if column.role is Role.COUNTER and column not in chosen and column.values is not None:
            kept = _kept(column.values, held)
            values = column.values if kept is None else column.values[kept]
            grid = grid_of_counter(values, fs_hz=rate, name=f"{file}, column {column.name!r}")
            return replace(grid, remark=remark), kept
    return grids[0] if grids else (Grid(fs_hz=rate, places=None), None)


def _by_times(
    table: Table,
    columns: Sequence[Known],
    chosen: Sequence[Known],
    held: npt.NDArray[np.bool_],
    *,
    fs_hz: float | None,
    said_hz: float | None,
    file: str,
) -> tuple[list[tuple[Grid, Kept]], list[EcgStreamError]]:
    """Return the grid of each column of times, and why others have none; disorder is told where none has one."""
    grids: list[tuple[Grid, Kept]] = []
    failures: list[EcgStreamError] = []
    for column in columns:
        if column.role is not Role.TIME or column.times is None or column in chosen:
            continue
        kept = _kept(column.times.values, held)
        times = column.times if kept is None else replace(column.times, values=column.times.values[kept])
        unit_s = TIME_UNITS_S.get((table.columns[column.column].unit or "").lower())
        name = f"{file}, column {column.name!r}"
        try:
            grids.append((grid_of_times(times, unit_s=unit_s, fs_hz=fs_hz, said_hz=said_hz, name=name), kept))
        except EcgStreamError as error:
            failures.append(error)
    disorder = next((error for error in failures if not isinstance(error, NoRateError)), None)
    if not grids and disorder is not None:
        raise disorder
    return grids, failures


def _kept(values: npt.NDArray[np.float64], held: npt.NDArray[np.bool_]) -> Kept:
    """Return which rows count: one of nothing at no time is a blank line."""
    known = np.isfinite(values)
    return None if known.all() else known | held


def _holds(columns: Sequence[Known], rows: int) -> npt.NDArray[np.bool_]:
    """(rows,) where any signal has a value."""
    held = np.zeros(rows, np.bool_)
    for column in columns:
        if column.values is not None and column.role in {*SIGNALS, Role.OTHER}:
            held |= np.isfinite(column.values)
    return held
