"""ECGs in text: tables of devices and programs, one row an instant, whatever stands above, beside and between."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from ecg.ecg_shape import has_ecg_shape
from ecg.errors import EcgStreamError
from ecg.leads import find_lead
from ecg.quantise import ADC_GAIN, ADC_UNIT, MAX_SPAN_MV, record_of
from ecg.records import MAX_LEADS, Record, check_fs
from ecg.signal_names import terms_of
from ecg.table_axis import grid_of
from ecg.table_columns import SIGNALS, Known, Role, column_number, know_columns
from ecg.table_grid import Grid
from ecg.table_layout import Column, Table, read_table
from ecg.table_preamble import Preamble, read_preamble
from ecg.table_text import MAX_QUOTED, read_lines
from ecg.units import millivolts_in
from ecg.windows import WINDOW_S

_MAX_SPREAD = 50_000_000  # samples of a text with gaps: a day of two leads at 250 Hz
_MAX_NAMED = 12  # columns that a message names
# An ECG swings by 0.3 to 10 mV: what looks like one and swings by less than 0.02 is in volts.
_VOLTS_SPAN = 0.02
_LEAST_SPAN_MV = 0.1
_PIECES = 12

_Floats = npt.NDArray[np.float64]


def read_csv(
    path: Path, *, fs_hz: float | None = None, leads: tuple[str, ...] | None = None, unit: str | None = None
) -> Record:
    """An ECG in text, one row an instant.

    What stands above the table, its separator, its names and units, its times and counters are found; columns of other
    signals and of text are left out. Rows that times or a counter show to be missing become missing samples, and so do
    cells that say so.

    Parameters
    ----------
    path : the file
    fs_hz : sampling rate in Hz; needed where neither times nor the lines above the table tell it
    leads : names of the columns to read, or "column 3"; without a header, the names of all columns
    unit : "mV", "uV", "V" or "adc" for all columns; by default what the file says, else mV or, by their size, V

    Raises
    ------
    EcgStreamError : when the text is no table of an ECG, or does not tell which column, rate or unit
    """
    if fs_hz is not None:
        check_fs(fs_hz)
    table = read_table(read_lines(path), path)
    said = read_preamble(table.above)
    if said.columns and not table.named:
        table = _titled(table, said.columns)
    columns = know_columns(table)
    if _lists_annotations(table):
        raise EcgStreamError(
            f"{path.name} lists annotations, a beat a row, and no samples: give the file that holds the samples"
        )
    if leads is not None:
        chosen = _wanted(columns, leads, table, path)
    else:
        _check_count(columns, table, fs_hz or said.fs_hz, path)
        chosen = []
    grid, kept = grid_of(table, columns, chosen, fs_hz=fs_hz, said_hz=said.fs_hz, file=path.name)
    check_fs(grid.fs_hz)
    remarks = [grid.remark] if grid.remark else []
    if leads is None:
        chosen, left_out = _by_shape(columns, grid.fs_hz, path)
        remarks += left_out
    values = np.stack([_values(column, table, path) for column in chosen], axis=1)
    values = _spread(values if kept is None else values[kept], grid, path)
    units, remark = _units(chosen, table, values, grid.fs_hz, said=said, unit=unit, columns=columns)
    return record_of(
        values,
        name=path.stem,
        fs_hz=grid.fs_hz,
        leads=_names(chosen, said),
        units=units,
        remarks=(*remarks, *([remark] if remark else [])),
    )


def _lists_annotations(table: Table) -> bool:
    """Return a list of beats with their kinds, as rdann prints it."""
    return {"TYPE", "SUB", "CHAN", "NUM"} <= {term for column in table.columns for term in terms_of(column.title)}


def _titled(table: Table, names: Sequence[str]) -> Table:
    """The table with names that stand above it in another form."""
    columns = [
        Column(name=names[number], unit=column.unit, title=names[number]) if number < len(names) else column
        for number, column in enumerate(table.columns)
    ]
    return replace(table, columns=tuple(columns), named=True)


def _names(chosen: Sequence[Known], said: Preamble) -> list[str]:
    if len(chosen) == 1 and said.lead and chosen[0].name.startswith(("signal ", "column ")):
        return [said.lead]
    return [column.name for column in chosen]


def _described(columns: Sequence[Known]) -> str:
    """The columns with what each is, for messages."""
    shown = [f"{column.name!r} ({column.kind or column.role.value})" for column in columns[:_MAX_NAMED]]
    return ", ".join(shown) + (", ..." if len(columns) > _MAX_NAMED else "")


def _wanted(columns: list[Known], leads: Sequence[str], table: Table, path: Path) -> list[Known]:
    """The columns that somebody names."""
    signals = [column for column in columns if column.role in SIGNALS]
    known = {column.name.lower() for column in columns}
    if (
        not table.named
        and len(leads) == len(signals)
        and not any(lead.lower() in known or column_number(lead) is not None for lead in leads)
    ):
        return [replace(column, name=lead) for column, lead in zip(signals, leads, strict=True)]
    return [_named(lead, columns, table, path) for lead in leads]


def _named(lead: str, columns: list[Known], table: Table, path: Path) -> Known:
    titles = [column.title for column in table.columns]
    same = [
        column
        for column, title in zip(columns, titles, strict=True)
        if lead.strip().lower() in {column.name.lower(), title.lower()}
    ]
    if len(same) > 1:
        places = " or ".join(f"'column {column.column + 1}'" for column in same)
        raise EcgStreamError(
            f"{path.name} has {len(same)} columns of the name {lead!r}: name one by its place, {places}"
        )
    number = column_number(lead)
    if not same and number is not None and 0 <= number < len(columns):
        same = [columns[number]]
    if not same:
        able = [column for column in columns if column.role in {*SIGNALS, Role.OTHER, Role.LEVEL}]
        found = find_lead(lead, [column.name for column in able])
        if found is None:
            raise EcgStreamError(
                f"{path.name} has no lead {lead!r}: name one of {', '.join(column.name for column in able)}"
            )
        same = [able[found]]
    (column,) = same
    if column.role in {Role.TIME, Role.COUNTER, Role.TEXT, Role.EMPTY}:
        others = [one.name for one in columns if one.role in {*SIGNALS, Role.OTHER}]
        raise EcgStreamError(
            f"{path.name}: {column.name!r} is {column.role.value}, no ECG: name another column (leads)"
            + (f", such as {others[0]!r}" if others else "")
        )
    return column


def _check_count(columns: list[Known], table: Table, fs_hz: float | None, path: Path) -> None:
    """Refuse a table whose columns are no leads: too many, or none."""
    signals = [column for column in columns if column.role in {*SIGNALS, Role.LEVEL}]
    by_name = [column for column in columns if column.role is Role.ECG]
    if len(signals) > MAX_LEADS and not 1 <= len(by_name) <= MAX_LEADS:
        start = f"{path.name}: {len(signals)} columns are no leads, {MAX_LEADS} are read at most: "
        if table.rows <= MAX_LEADS:
            raise EcgStreamError(start + "its rows are leads: transpose the table, so that each lead is a column")
        seconds = "" if fs_hz is None else f" ({len(signals) / fs_hz:.3g} s)"
        if fs_hz is not None and len(signals) >= WINDOW_S * fs_hz:
            raise EcgStreamError(
                start + f"its rows are stretches{seconds} of their own: save them as a .npy file of shape (rows, "
                "samples, 1), or name the columns that are leads (leads)"
            )
        raise EcgStreamError(
            start + f"its rows are single beats or short stretches{seconds}, a window needs {WINDOW_S} s: give the "
            "recording that they were cut from, or name the columns that are leads (leads)"
        )
    if not signals:
        held = [column for column in columns if column.role is not Role.EMPTY]
        if any(column.role is Role.OTHER for column in columns):
            raise EcgStreamError(
                f"{path.name} has no column that is an ECG: {_described(held)}; if one is, name it (leads)"
            )
        raise EcgStreamError(
            f"{path.name} has no column of an ECG: {_described(held)}: it needs at least one lead, a column of numbers"
        )


def _by_shape(columns: list[Known], fs_hz: float, path: Path) -> tuple[list[Known], list[str]]:
    """The columns that are an ECG by name or, where that does not tell, by shape; and what is left out."""
    by_name = [column for column in columns if column.role is Role.ECG]
    unknown = [column for column in columns if column.role is Role.UNKNOWN]
    others = [column for column in columns if column.role is Role.OTHER]
    level = [column for column in columns if column.role is Role.LEVEL]
    if not by_name and not others and len(unknown) + len(level) == 1:
        return unknown or level, []
    alike = [column for column in unknown if column.values is not None and has_ecg_shape(column.values, fs_hz)]
    if not by_name and not alike:
        asked = [*unknown, *level, *others]
        raise EcgStreamError(
            f"{path.name}: none of its columns is an ECG by name or shape: {_described(asked)}; name the one that is "
            f"(leads), such as {asked[0].name!r}"
        )
    chosen = [column for column in columns if column in by_name or column in alike]
    left_out = [
        f"{column.name} ({column.kind or 'no ECG by its shape'})" for column in unknown + others if column not in chosen
    ]
    remarks = [f"left out: {', '.join(left_out[:_MAX_NAMED])}; name one to read it (leads)"] if left_out else []
    return chosen[:MAX_LEADS], remarks


def _values(column: Known, table: Table, path: Path) -> _Floats:
    values, row = column.values, column.wrong
    if values is None:  # asked for, and mostly text
        values, row = table.numbers(column.column)
    if row is not None:
        raise EcgStreamError(
            f"{path.name}, row {row + 1}, column {column.column + 1}: "
            f"{table.cell(row, column.column)[:MAX_QUOTED]!r} is no number: mend or empty it"
        )
    return values


def _spread(values: _Floats, grid: Grid, path: Path) -> _Floats:
    """The values in their places, NaN where rows are missing."""
    if grid.places is None:
        return values
    count = int(grid.places[-1]) + 1
    if count * values.shape[1] > _MAX_SPREAD:
        raise EcgStreamError(
            f"{path.name}: its times span {count} samples of {values.shape[1]} leads, {_MAX_SPREAD} are read in "
            "all: split it at its gaps"
        )
    spread = np.full((count, values.shape[1]), np.nan)
    spread[grid.places] = values
    return spread


@dataclass(frozen=True, slots=True, kw_only=True)
class _Sizes:
    """Swing of columns without a unit, and whether they are integers and look like an ECG."""

    span: float
    integers: bool
    alike: bool


def _units(
    chosen: list[Known],
    table: Table,
    values: _Floats,
    fs_hz: float,
    *,
    said: Preamble,
    unit: str | None,
    columns: list[Known],
) -> tuple[list[str | None], str]:
    """Return the unit of each column; a column whose ADC counts are known in mV is turned into mV in place."""
    if unit is not None:
        return [unit] * len(chosen), ""
    units: list[str | None] = []
    for place, column in enumerate(chosen):
        own = table.columns[column.column].unit
        if own is not None and (own == ADC_UNIT or millivolts_in(own) is not None):
            units.append(own)
        elif column.name in said.per_count_mv:
            values[:, place] *= said.per_count_mv[column.name]
            units.append("mV")
        else:
            units.append(said.unit or ("uV" if said.device == "OpenBCI" else None))
    bare = [place for place, one in enumerate(units) if one is None]
    if not bare:
        return units, ""
    sizes = _sizes(values[:, bare], fs_hz)
    remark = ""
    if sizes.alike and 0 < sizes.span < _VOLTS_SPAN:
        units = [one or "V" for one in units]
        remark = (
            f"no unit is said, and an ECG swings by more than {sizes.span:.2g} mV: read in V; give the unit if it is "
            "another"
        )
    elif (
        sizes.integers
        and any(column.role is Role.COUNTER for column in columns)
        and (_LEAST_SPAN_MV <= sizes.span / ADC_GAIN <= MAX_SPAN_MV)
    ):
        units = [one or ADC_UNIT for one in units]  # a raw export
    return units, remark


def _sizes(values: _Floats, fs_hz: float) -> _Sizes:
    finite = np.isfinite(values)
    length = max(1, len(values) // _PIECES)
    spans = []
    for start in range(0, len(values), length):
        for column in range(values.shape[1]):
            piece = values[start : start + length, column]
            piece = piece[np.isfinite(piece)]
            if len(piece) > 1:
                spans.append(float(np.subtract(*np.percentile(piece, (99.5, 0.5)))))
    return _Sizes(
        span=float(np.median(spans)) if spans else 0.0,
        integers=bool(np.all(values[finite] % 1 == 0)),
        alike=any(has_ecg_shape(values[:, column], fs_hz) for column in range(values.shape[1])),
    )
