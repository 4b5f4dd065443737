"""Separation of a text's lines into cells: by which mark, into how many columns, of which kinds."""

import csv
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ecg.table_text import is_missing, is_number
from ecg.table_times import is_time

MIXED = "mixed"
_SEPARATORS = (";", "\t", ",", "|", None, MIXED)  # None is white space; what comes first wins where several fit
_ANY_SEPARATOR = re.compile(r"\s*[;,\t|]\s*|\s+")
SAMPLED = 96  # lines from which separator and kinds of columns are told
ALIKE = 0.8  # of them must have as many cells
_COMMENTS = ("#", "%", "//")


@dataclass(frozen=True, slots=True, kw_only=True)
class Separation:
    """Way to cut a line into cells.

    Attributes
    ----------
    mark : that separates them; None for white space, ``MIXED`` for any
    paired : whether two cells make one, since the decimal mark is a comma as well
    width : columns
    kinds : of each column: "n" numbers, "t" times, "x" text, "e" empty
    """

    mark: str | None
    paired: bool
    width: int
    kinds: str

    def rows(self, lines: Sequence[str]) -> list[list[str]]:
        """Return the cells of lines."""
        rows = split_lines(lines, self.mark)
        return [_joined(row) for row in rows] if self.paired else rows

    def holds_samples(self, line: str) -> bool:
        """Return a row of the table, not of what stands around it."""
        row = self.rows([line])[0] if line else []
        if not row or abs(len(row) - self.width) > (self.width > 1):
            return False
        held = [(cell, kind) for cell, kind in zip(row, self.kinds, strict=False) if kind in "nt" and cell]
        return bool(held) and all(is_missing(cell) or _fits(cell, kind) for cell, kind in held)


def split_lines(lines: Sequence[str], mark: str | None) -> list[list[str]]:
    """Return the cells of lines that a mark separates, without quotes and space around them."""
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
    later = filled[len(filled) // 4 if len(filled) > SAMPLED else len(filled) // 2 :]
    step = max(1, len(later) // SAMPLED)
    return [line for line in later[::step] if not is_comment(line)] or later[-1:]


def is_comment(line: str) -> bool:
    """Return whether a line is marked as a comment."""
    return line.lstrip().startswith(_COMMENTS) and not is_missing(re.split(r"[;,\t| ]", line.strip())[0])


def _fits(cell: str, kind: str) -> bool:
    return is_number(cell) or (kind == "t" and is_time(cell))


def separation_of(lines: Sequence[str]) -> Separation:
    """Return the way in which most lines fall into as many cells, most of them numbers."""
    sample = _sample(lines)
    best, best_share = None, -1.0
    for mark in _SEPARATORS:
        rows = split_lines(sample, mark)
        width, count = Counter(map(len, rows)).most_common(1)[0]
        if count < ALIKE * len(rows) or (width < 2 and mark is not None):
            continue
        share = float(np.mean([is_missing(cell) or is_number(cell) or is_time(cell) for row in rows for cell in row]))
        if share > best_share + 0.05:
            best, best_share = (mark, width, rows), share
    if best is None:  # rows of any length: what most of them agree on
        rows = split_lines(sample, ",")
        best = (",", max(map(len, rows)), rows)
    mark, width, rows = best
    paired = mark == "," and _is_paired(lines, rows, width)
    if paired:
        rows, width = [_joined(row) for row in rows], width // 2
        if width == 1:
            mark, paired = None, False
    return Separation(mark=mark, paired=paired, width=width, kinds=_kinds(rows, width))


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
        (row for row in split_lines([line for line in lines[:SAMPLED] if line], ",") if len(row) == width // 2), None
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
