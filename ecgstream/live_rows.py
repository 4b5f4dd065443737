"""Rows of samples out of text lines or bytes that are still being written. Pure: pieces in, rows out."""

import json
import math
from collections.abc import Sequence
from typing import Protocol

import numpy as np
import numpy.typing as npt

from ecg.errors import EcgStreamError
from ecg.leads import find_lead, knows_lead
from ecg.signal_names import is_ecg
from ecg.table_text import number_of

MAX_LINE = 65_536  # bytes; a line that is longer is no row of an ECG
BYTE_ORDER_MARK = "\N{ZERO WIDTH NO-BREAK SPACE}"

Rows = npt.NDArray[np.float64 | np.int16]


class RowReader(Protocol):
    """Turns what has come into rows."""

    @property
    def leads(self) -> tuple[str, ...] | None:
        """Names of the columns; None while they are not known."""

    @property
    def unread(self) -> int:
        """Lines so far that were no row; each is sent as missing."""

    def feed(self, piece: bytes) -> Rows:
        """Take in what has come; the rows that are whole, (n, leads), NaN where a cell has no number.

        Raises
        ------
        EcgStreamError : when it cannot be an ECG
        """

    def end(self) -> Rows:
        """Return what is left when nothing more comes."""


class LineReader:
    """Rows in text, a line an instant: CSV by any separator, or JSON.

    A line of JSON is a number, a list with a number for each lead, or an object by lead names. A CSV may begin with a
    line of names; columns of other things, such as times, are left out by their names.

    Parameters
    ----------
    leads : the columns to read, by name; without a line of names, the names of all columns
    """

    def __init__(self, leads: Sequence[str] = ()) -> None:
        self._wanted = tuple(leads)
        self._leads: tuple[str, ...] | None = None
        self._columns: tuple[int, ...] = ()
        self._width = 0
        self._separator: str | None = None
        self._tail = b""
        self.unread = 0

    @property
    def leads(self) -> tuple[str, ...] | None:
        """Names of the columns that are read; None before the first line."""
        return self._leads

    def feed(self, piece: bytes) -> npt.NDArray[np.float64]:
        """Take in what has come; see ``RowReader``."""
        *lines, self._tail = (self._tail + piece).split(b"\n")
        if len(self._tail) > MAX_LINE:
            raise EcgStreamError(
                f"a line is longer than {MAX_LINE} bytes: give a line for each instant, or say --format"
            )
        rows = [row for line in lines if (row := self._row(line)) is not None]
        return np.array(rows, np.float64).reshape(len(rows), len(self._leads or ()))

    def end(self) -> npt.NDArray[np.float64]:
        """Return the last row where no line end follows it."""
        return self.feed(b"\n")

    def _row(self, line: bytes) -> list[float] | None:
        text = line.decode("utf-8", errors="replace").strip().lstrip(BYTE_ORDER_MARK)
        if not text:
            return None
        if text[0] in "[{":
            return self._json_row(text)
        if self._leads is None:
            return self._first_line(text)
        values = [number_of(cell) for cell in self._cells(text)]
        return self._chosen(values)

    def _json_row(self, text: str) -> list[float]:
        try:
            held = json.loads(text)
        except (ValueError, RecursionError):
            held = None
        if isinstance(held, dict):
            if self._leads is None:
                named = [name for name, value in held.items() if isinstance(value, int | float) or value is None]
                self._choose(named)
            values = [_number(held.get(name)) for name in self._leads or ()]
            self.unread += not any(value is not None for value in values)
            return [math.nan if value is None else value for value in values]
        cells = held if isinstance(held, list) else [held]
        if self._leads is None:
            self._name_columns(len(cells))
        return self._chosen([_number(cell) for cell in cells])

    def _first_line(self, text: str) -> list[float] | None:
        self._separator = next((each for each in (";", "\t", ",") if each in text), None)
        cells = self._cells(text)
        values = [number_of(cell) for cell in cells]
        if any(value is None for value in values):
            self._choose(cells)
            self._columns = tuple(cells.index(name) for name in self._leads or ())
            self._width = len(cells)
            return None
        self._name_columns(len(cells))
        return self._chosen(values)

    def _name_columns(self, count: int) -> None:
        """Name the columns of a text without names."""
        names = self._wanted or (("II",) if count == 1 else ())
        if len(names) != count:
            raise EcgStreamError(
                f"{count} columns without names, and {len(names)} names: name all with --leads, separated by commas"
            )
        self._leads, self._columns, self._width = names, tuple(range(count)), count

    def _choose(self, names: Sequence[str]) -> None:
        """Choose among named columns."""
        if self._wanted:
            found = [find_lead(wanted, names) for wanted in self._wanted]
            if None in found:
                lacking = self._wanted[found.index(None)]
                raise EcgStreamError(f"no column {lacking!r} among {', '.join(names[:12])}: correct --leads")
            self._leads = tuple(names[column] for column in found if column is not None)
            return
        self._leads = tuple(name for name in names if knows_lead(name) or is_ecg(name))
        if not self._leads:
            raise EcgStreamError(
                f"none of the columns {', '.join(names[:12])} is an ECG by name: name some with --leads"
            )

    def _cells(self, text: str) -> list[str]:
        cells = text.split(self._separator) if self._separator else text.split()
        return [cell.strip().strip('"') for cell in cells]

    def _chosen(self, values: Sequence[float | None]) -> list[float]:
        count = len(self._columns) or len(self._leads or ())
        if len(values) != self._width:
            self.unread += 1
            return [math.nan] * count
        chosen = [values[column] for column in self._columns]
        self.unread += None in chosen
        return [math.nan if value is None else value for value in chosen]


class Int16Reader:
    """Rows of little-endian int16, the leads of an instant side by side.

    Parameters
    ----------
    leads : names of the columns
    """

    unread = 0

    def __init__(self, leads: Sequence[str] = ()) -> None:
        self._leads = tuple(leads) or ("II",)
        self._tail = b""

    @property
    def leads(self) -> tuple[str, ...]:
        """Names of the columns."""
        return self._leads

    def feed(self, piece: bytes) -> npt.NDArray[np.int16]:
        """Take in what has come; see ``RowReader``."""
        held = self._tail + piece
        row = 2 * len(self._leads)
        whole = len(held) - len(held) % row
        self._tail = held[whole:]
        return np.frombuffer(held[:whole], "<i2").reshape(-1, len(self._leads)).astype(np.int16)

    def end(self) -> npt.NDArray[np.int16]:
        """Return no row: what is left is no whole one."""
        return self.feed(b"")


def _number(value: object) -> float | None:
    if value is None:
        return math.nan
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None
