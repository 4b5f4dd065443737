"""Layout of a table in a text: where it begins, what separates its cells, and which lines above it name its columns."""

import csv
import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path

import numpy as np
import numpy.typing as npt

from ecg.csv_numbers import all_numbers
from ecg.errors import EcgStreamError
from ecg.leads import knows_lead
from ecg.quantise import ADC_UNIT
from ecg.signal_names import is_ecg
from ecg.table_separation import ALIKE, MIXED, SAMPLED, Separation, is_comment, separation_of, split_lines
from ecg.table_text import is_missing, is_number, numbers_of
from ecg.table_times import TIME_UNITS_S, Times, is_time, times_of
from ecg.units import millivolts_in

_BEGINNING = 3  # lines of samples in a row are where the table begins
_HEAD_LINES = 7  # that name columns, units and ways of reckoning
_MAX_FOOT = 20  # lines below a table that are no samples
# What stands in the place of a unit, or of a way of reckoning, under a column's name.
_FORMATS = frozenset(
    """cal raw uncal local no_units nounits none hh:mm:ss.mmm hh:mm:ss hh:mm:ss.sss mm:ss.mmm (none) sync yyyy-mm-dd
    yyyy/mm/dd bpm % g deg degc °c mmhg m/(s^2) m/s^2 lsb adu nu kohms rpm unix datetime""".split()  # noqa: SIM905 - a list of forty strings is no easier to read
)
_ADC_UNITS = frozenset("adc adu lsb counts digits".split())  # noqa: SIM905 - as above
_IN_BRACKETS = re.compile(r"^(?P<name>.*?)\s*[(\[{](?P<unit>[^)\]}]*)[)\]}]\s*$")
_BEHIND = re.compile(r"^(?P<name>.+?)[\s_/.,:-]+(?P<unit>\S+)$")


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """A column's head.

    Attributes
    ----------
    name : without its unit; "" where it has none
    unit : as it is spelled, of a voltage or a time; None where none is said
    title : the name as it stands
    """

    name: str
    unit: str | None
    title: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """A text that is a table.

    Attributes
    ----------
    above : lines above the table that name no columns
    named : whether a line names the columns
    columns : their heads
    rows : how many there are
    first_line : the line number of the first row, from 1
    """

    above: tuple[str, ...]
    named: bool
    columns: tuple[Column, ...]
    rows: int
    first_line: int
    _numbers: npt.NDArray[np.float64] | None
    _cells: tuple[tuple[str, ...], ...]

    def numbers(self, column: int) -> tuple[npt.NDArray[np.float64], int | None]:
        """Return a column's numbers, (rows,), NaN where missing, and the first row that has none."""
        if self._numbers is not None:
            return self._numbers[:, column], None
        return numbers_of(self._cells[column])

    def times(self, column: int) -> Times | None:
        """Return a column's times; None where it holds something else."""
        if self._numbers is not None:
            return Times(values=self._numbers[:, column], form="number")
        return times_of(self._cells[column])

    def cell(self, row: int, column: int) -> str:
        """Return a cell as it stands."""
        return str(self._numbers[row, column]) if self._numbers is not None else self._cells[column][row]

    def shares(self, column: int) -> tuple[float, float]:
        """Return the shares of a column's cells that are numbers, and that are clocks or dates."""
        if self._numbers is not None:
            return 1.0, 0.0
        held = [cell for cell in self._cells[column][:: max(1, self.rows // SAMPLED)] if not is_missing(cell)]
        if not held:
            return 1.0, 0.0
        return sum(map(is_number, held)) / len(held), sum(map(is_time, held)) / len(held)


def read_table(lines: Sequence[str], path: Path) -> Table:
    """Return the table in a text.

    Parameters
    ----------
    lines : of the text, blank ones among them
    path : for messages

    Raises
    ------
    EcgStreamError : when there is none
    """
    lines = [line if line.strip() else "" for line in lines]
    while lines and not lines[-1]:
        lines.pop()
    if not lines:
        raise EcgStreamError(f"{path.name} is empty: it needs at least one row of samples")
    try:
        cut = separation_of(lines)
        head = _head(lines, cut)
        if head is None:
            raise EcgStreamError(f"{path.name} has no row of numbers: it needs at least one row of samples")
        body = _body(lines[head.start :], cut)
        numbers = None if cut.mark in {"|", MIXED} or cut.paired else all_numbers(body, cut.mark, cut.width)
        cells = [] if numbers is not None else [row for row in cut.rows(body) if row != head.names]
    except csv.Error as error:
        raise EcgStreamError(f"{path.name} is no table ({error}): save it as CSV with short cells") from error
    columns = _columns(head, cut.width, cut.rows(body[:SAMPLED]), path)
    by_column = list(zip_longest(*cells, fillvalue=""))[: cut.width]
    by_column += [("",) * len(cells)] * (cut.width - len(by_column))
    return Table(
        above=tuple(head.above),
        named=head.names is not None,
        columns=columns,
        rows=len(cells) if numbers is None else len(numbers),
        first_line=head.start + 1,
        _numbers=numbers,
        _cells=() if numbers is not None else tuple(by_column),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Head:
    names: list[str] | None
    units: list[str]
    above: list[str]
    start: int


def _head(lines: Sequence[str], cut: Separation) -> _Head | None:
    """Return what stands above the first row; None where there is no row."""
    filled = [number for number, line in enumerate(lines) if line]
    begin = _begin(lines, filled, cut)
    if begin is None:
        return None
    names, units, taken = _names_above(lines, filled, begin, cut)
    above = [line for number, line in enumerate(lines[: filled[begin]]) if number not in taken]
    if names is not None and not _knows(names) and begin >= 2:
        over = _head_row(lines[filled[begin - 2]], cut)
        if over and _knows(over) and not units:  # the row between has a cell that is no number
            return _Head(names=over, units=[], above=list(lines[: filled[begin - 2]]), start=filled[begin - 1])
    if names is None:
        names = _commented_names(above, cut)
    if names is None and (names := _numbered_names(lines, filled, begin, cut)) is not None:
        begin += 1
    return _Head(names=names, units=units, above=above, start=filled[begin])


def _begin(lines: Sequence[str], filled: Sequence[int], cut: Separation) -> int | None:
    """Return which of the filled lines is the first row: the first of several in a row, else the first at all."""
    first = None
    run = 0
    for place, number in enumerate(filled):
        if is_comment(lines[number]) or not cut.holds_samples(lines[number]):
            run = 0
            continue
        first = place if first is None else first
        run += 1
        if run == _BEGINNING:
            return place - _BEGINNING + 1
    return first if run == 0 or first is None else len(filled) - run


def _names_above(
    lines: Sequence[str], filled: Sequence[int], begin: int, cut: Separation
) -> tuple[list[str] | None, list[str], set[int]]:
    """Return the names and units right above the first row, and the lines that they take."""
    names: list[str] | None = None
    units: list[str] = []
    taken: set[int] = set()
    for place in range(begin - 1, max(-1, begin - 1 - _HEAD_LINES), -1):
        row = _head_row(lines[filled[place]], cut)
        if row is None or (names is not None and ("" not in names or len(row) != len(names))):
            break
        if names is not None:
            names = [name or other for name, other in zip(names, row, strict=True)]
        elif _is_format(row):
            units = units if any(map(_is_unit, units)) else row
        else:
            names = row
        taken.add(filled[place])
    return names, units, taken


def _head_row(line: str, cut: Separation) -> list[str] | None:
    """The cells of a line that may name the columns."""
    if is_comment(line):
        return None
    if cut.width == 1:
        bare = line.strip().strip("'\"").strip()
        pair = re.match(r"^[^=:,;\t]*[=:,;\t]", bare)
        return [bare] if not pair or _knows([bare]) else None
    for mark in dict.fromkeys((cut.mark, "\t", ";", ",", "  ", None)):
        row = re.split(r"\s{2,}|\t", line.strip()) if mark == "  " else split_lines([line], mark)[0]
        if len(row) == cut.width or (mark == cut.mark and len(row) > 1 and abs(len(row) - cut.width) == 1):
            return row if not all(is_missing(cell) for cell in row) else None
    return None


def _knows(row: Sequence[str]) -> bool:
    return any(knows_lead(cell) or is_ecg(cell) for cell in row)


def _is_unit(cell: str) -> bool:
    bare = cell.strip("()[]{}* ").lower()
    return millivolts_in(bare) is not None or bare in TIME_UNITS_S or bare in _ADC_UNITS


def _is_format(row: Sequence[str]) -> bool:
    """Return a row of units, or of how values were reckoned, and no names."""
    cells = [cell.strip("*").lower() for cell in row if cell]
    return (
        bool(cells)
        and all(_is_unit(cell) or not {cell, cell.strip("()[] ")}.isdisjoint(_FORMATS) for cell in cells)
        and not _knows([cell for cell in row if not _is_unit(cell)])
    )


def _commented_names(above: Sequence[str], cut: Separation) -> list[str] | None:
    for line in reversed(above[-3:]):
        bare = line.lstrip("#%/ ")
        row = _head_row(bare, cut) if is_comment(line) else None
        if row and not any(map(is_number, row)) and (cut.width > 1 or _knows(row)):
            return row
    return None


def _numbered_names(lines: Sequence[str], filled: Sequence[int], begin: int, cut: Separation) -> list[str] | None:
    """The names 0, 1, 2 that a program gives columns without any: no sample is the number of its column."""
    if begin + 1 >= len(filled) or cut.width < 2:
        return None
    first, second = cut.rows([lines[filled[begin]], lines[filled[begin + 1]]])
    plain = [str(number) for number in range(cut.width)]
    if first != plain and first != ["", *plain[:-1]]:
        return None
    return None if all(re.fullmatch(r"[+-]?\d+", cell) for cell in second[1:]) else first


def _body(lines: Sequence[str], cut: Separation) -> list[str]:
    """The lines of the table: without comments, foot lines, and blank lines that stand between all rows."""
    body = [line for line in lines if not line or not is_comment(line)] if any(map(is_comment, lines)) else list(lines)
    for _ in range(_MAX_FOOT):
        last = body[-1]
        cells = cut.rows([last])[0] if last else []
        if len(body) > 1 and (not last or (len(cells) != cut.width and not cut.holds_samples(last))):
            body.pop()
        else:
            break
    blank = [number for number, line in enumerate(body) if not line]
    alone = sum(bool(body[number - 1]) and bool(body[number + 1]) for number in blank)
    between = len(blank) >= 0.4 * len(body) and alone >= ALIKE * len(blank)
    return [line for line in body if line] if between else body


def _columns(head: _Head, width: int, first: list[list[str]], path: Path) -> tuple[Column, ...]:
    """The heads of the columns; ``first`` are the first rows."""
    names = head.names or []
    if names and len(names) == width - 1:
        begin = [row[0] for row in first]
        if all(len(row) < width or not row[-1] for row in first):
            names = [*names, ""]  # a separator behind each row
        elif begin in ([str(n) for n in range(len(begin))], [str(n + 1) for n in range(len(begin))]) or not all(
            map(is_number, begin)
        ):
            names = ["", *names]  # R and others write row names without a head
        else:
            raise EcgStreamError(
                f"{path.name}: the line of names has {len(names)} cells, the rows have {width}: give each column one "
                "name; if the decimal mark is a comma, save it with semicolons between the cells"
            )
    names = [*names, *[""] * (width - len(names))][:width]
    units = [*head.units, *[""] * (width - len(head.units))][:width]
    return tuple(_column(name, unit) for name, unit in zip(names, units, strict=True))


def _column(title: str, unit_below: str) -> Column:
    name, unit = title, None
    inside, behind = _IN_BRACKETS.match(title), _BEHIND.match(title)
    if inside and inside["name"] and _is_unit(inside["unit"]):
        name, unit = inside["name"], inside["unit"]
    elif behind and _is_unit(behind["unit"]) and not (behind["unit"] in {"V", "v"} and knows_lead(title)):
        name, unit = behind["name"], behind["unit"]
    below = unit_below.strip("()[]{}* ")
    unit = below if _is_unit(below) else unit
    return Column(name=name, unit=ADC_UNIT if unit and unit.lower() in _ADC_UNITS else unit, title=title)
