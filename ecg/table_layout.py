"""Layout of a table in a text: where it begins, what separates its cells, and which lines above it name its columns."""

import csv
import re
from collections import Counter
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
from ecg.table_text import is_missing, is_number, numbers_of
from ecg.table_times import TIME_UNITS_S, Times, is_time, times_of
from ecg.units import millivolts_in

MIXED = "mixed"
_SEPARATORS = (";", "\t", ",", "|", None, MIXED)  # None is white space; what comes first wins where several fit
_ANY_SEPARATOR = re.compile(r"\s*[;,\t|]\s*|\s+")
_SAMPLED = 96  # lines from which separator and kinds of columns are told
_ALIKE = 0.8  # of them must have as many cells
_BEGINNING = 3  # lines of samples in a row are where the table begins
_COMMENTS = ("#", "%", "//")
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
        held = [cell for cell in self._cells[column][:: max(1, self.rows // _SAMPLED)] if not is_missing(cell)]
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
        cut = _separation(lines)
        head = _head(lines, cut)
        if head is None:
            raise EcgStreamError(f"{path.name} has no row of numbers: it needs at least one row of samples")
        body = _body(lines[head.start :], cut)
        numbers = None if cut.mark in {"|", MIXED} or cut.paired else all_numbers(body, cut.mark, cut.width)
        cells = [] if numbers is not None else [row for row in cut.rows(body) if row != head.names]
    except csv.Error as error:
        raise EcgStreamError(f"{path.name} is no table ({error}): save it as CSV with short cells") from error
    columns = _columns(head, cut.width, cut.rows(body[:_SAMPLED]), path)
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
class _Separation:
    """Way to cut a line into cells: by a mark, and by pairs where the decimal mark is a comma as well."""

    mark: str | None
    paired: bool
    width: int
    kinds: str  # of each column: "n" numbers, "t" times, "x" text, "e" empty

    def rows(self, lines: Sequence[str]) -> list[list[str]]:
        rows = _split(lines, self.mark)
        return [_joined(row) for row in rows] if self.paired else rows

    def holds_samples(self, line: str) -> bool:
        """Return a row of the table, not of what stands around it."""
        row = self.rows([line])[0] if line else []
        if not row or abs(len(row) - self.width) > (self.width > 1):
            return False
        held = [(cell, kind) for cell, kind in zip(row, self.kinds, strict=False) if kind in "nt" and cell]
        return bool(held) and all(is_missing(cell) or _fits(cell, kind) for cell, kind in held)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Head:
    names: list[str] | None
    units: list[str]
    above: list[str]
    start: int


def _split(lines: Sequence[str], mark: str | None) -> list[list[str]]:
    if mark is None:
        rows = [line.split() for line in lines]
    elif mark == MIXED:
        rows = [_ANY_SEPARATOR.split(line.strip()) for line in lines]
    else:
        rows = [line.split(mark) if '"' not in line else next(csv.reader([line], delimiter=mark), []) for line in lines]
    return [[cell.strip().strip("'\"").strip() for cell in row] for row in rows]


def _joined(row: list[str]) -> list[str]:
    return [",".join(row[place : place + 2]) for place in range(0, len(row), 2)]


def _sample(lines: Sequence[str]) -> list[str]:
    """Lines from the later three quarters, where no header stands."""
    filled = [line for line in lines if line]
    later = filled[len(filled) // 4 if len(filled) > _SAMPLED else len(filled) // 2 :]
    step = max(1, len(later) // _SAMPLED)
    return [line for line in later[::step] if not _is_comment(line)] or later[-1:]


def _is_comment(line: str) -> bool:
    return line.lstrip().startswith(_COMMENTS) and not is_missing(re.split(r"[;,\t| ]", line.strip())[0])


def _fits(cell: str, kind: str) -> bool:
    return is_number(cell) or (kind == "t" and is_time(cell))


def _separation(lines: Sequence[str]) -> _Separation:
    sample = _sample(lines)
    best, best_share = None, -1.0
    for mark in _SEPARATORS:
        rows = _split(sample, mark)
        width, count = Counter(map(len, rows)).most_common(1)[0]
        if count < _ALIKE * len(rows) or (width < 2 and mark is not None):
            continue
        share = float(np.mean([is_missing(cell) or is_number(cell) or is_time(cell) for row in rows for cell in row]))
        if share > best_share + 0.05:
            best, best_share = (mark, width, rows), share
    if best is None:  # rows of any length: what most of them agree on
        rows = _split(sample, ",")
        best = (",", max(map(len, rows)), rows)
    mark, width, rows = best
    paired = mark == "," and _is_paired(lines, rows, width)
    if paired:
        rows, width = [_joined(row) for row in rows], width // 2
        if width == 1:
            mark, paired = None, False
    return _Separation(mark=mark, paired=paired, width=width, kinds=_kinds(rows, width))


def _is_paired(lines: Sequence[str], rows: list[list[str]], width: int) -> bool:
    """Return whether every second comma is a decimal mark, by the zeros that fractions begin with."""
    rows = [row for row in rows if len(row) == width]
    if width % 2 or not rows:
        return False
    wholes, fractions = ({cell for row in rows for cell in row[first::2]} for first in (0, 1))
    if not all(cell.isdigit() for cell in fractions) or not all(re.fullmatch(r"[+-]?\d+", cell) for cell in wholes):
        return False
    if any(re.match(r"[+-]?0\d", cell) for cell in wholes):  # numbers padded with zeros
        return False
    padded = any(cell.startswith("0") and len(cell) > 1 for cell in fractions)
    first = next(
        (row for row in _split([line for line in lines[:_SAMPLED] if line], ",") if len(row) == width // 2), None
    )
    named = first is not None and not any(map(is_number, first))
    return padded or "-0" in wholes or (named and width > 2)


def _kinds(rows: list[list[str]], width: int) -> str:
    kinds = ""
    for column in range(width):
        held = [row[column] for row in rows if column < len(row) and not is_missing(row[column])]
        numbers, times = sum(map(is_number, held)), sum(map(is_time, held))
        if not held:
            kinds += "e"
        elif numbers + times < 0.5 * len(held):
            kinds += "x"
        else:
            kinds += "t" if times else "n"
    return kinds


def _head(lines: Sequence[str], cut: _Separation) -> _Head | None:
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


def _begin(lines: Sequence[str], filled: Sequence[int], cut: _Separation) -> int | None:
    """Return which of the filled lines is the first row: the first of several in a row, else the first at all."""
    first = None
    run = 0
    for place, number in enumerate(filled):
        if _is_comment(lines[number]) or not cut.holds_samples(lines[number]):
            run = 0
            continue
        first = place if first is None else first
        run += 1
        if run == _BEGINNING:
            return place - _BEGINNING + 1
    return first if run == 0 or first is None else len(filled) - run


def _names_above(
    lines: Sequence[str], filled: Sequence[int], begin: int, cut: _Separation
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


def _head_row(line: str, cut: _Separation) -> list[str] | None:
    """The cells of a line that may name the columns."""
    if _is_comment(line):
        return None
    if cut.width == 1:
        bare = line.strip().strip("'\"").strip()
        pair = re.match(r"^[^=:,;\t]*[=:,;\t]", bare)
        return [bare] if not pair or _knows([bare]) else None
    for mark in dict.fromkeys((cut.mark, "\t", ";", ",", "  ", None)):
        row = re.split(r"\s{2,}|\t", line.strip()) if mark == "  " else _split([line], mark)[0]
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


def _commented_names(above: Sequence[str], cut: _Separation) -> list[str] | None:
    for line in reversed(above[-3:]):
        bare = line.lstrip("#%/ ")
        row = _head_row(bare, cut) if _is_comment(line) else None
        if row and not any(map(is_number, row)) and (cut.width > 1 or _knows(row)):
            return row
    return None


def _numbered_names(lines: Sequence[str], filled: Sequence[int], begin: int, cut: _Separation) -> list[str] | None:
    """The names 0, 1, 2 that a program gives columns without any: no sample is the number of its column."""
    if begin + 1 >= len(filled) or cut.width < 2:
        return None
    first, second = cut.rows([lines[filled[begin]], lines[filled[begin + 1]]])
    plain = [str(number) for number in range(cut.width)]
    if first != plain and first != ["", *plain[:-1]]:
        return None
    return None if all(re.fullmatch(r"[+-]?\d+", cell) for cell in second[1:]) else first


def _body(lines: Sequence[str], cut: _Separation) -> list[str]:
    """The lines of the table: without comments, foot lines, and blank lines that stand between all rows."""
    body = (
        [line for line in lines if not line or not _is_comment(line)] if any(map(_is_comment, lines)) else list(lines)
    )
    for _ in range(_MAX_FOOT):
        last = body[-1]
        cells = cut.rows([last])[0] if last else []
        if len(body) > 1 and (not last or (len(cells) != cut.width and not cut.holds_samples(last))):
            body.pop()
        else:
            break
    blank = [number for number, line in enumerate(body) if not line]
    alone = sum(bool(body[number - 1]) and bool(body[number + 1]) for number in blank)
    between = len(blank) >= 0.4 * len(body) and alone >= _ALIKE * len(blank)
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
