"""Text of a table in any encoding, and its numbers: decimal marks, thousands, and the many ways to write "missing"."""

import codecs
import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from ecg.errors import EcgStreamError

MAX_QUOTED = 40  # characters of a cell that a message quotes
_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_LINE_ENDS = re.compile(r"\r+\n|\r|\n")  # "\r\r\n" is one that was translated twice
_MISSING = frozenset(
    """- -- --- . ? * nan -nan +nan na n/a n.a. n.a null none nil missing invalid inf -inf +inf infinity -infinity nv
    n.v. k.a. nan(ind) -nan(ind) 1.#qnan -1.#qnan 1.#ind -1.#ind 1.#inf -1.#inf <na> nat undefined""".split()  # noqa: SIM905 - a list of forty strings is no easier to read
) | {""}
# What Excel writes where a formula failed, in any language: #N/A, #NV, #DIV/0!, #¡VALOR!
_FAILED = re.compile(r"^#[\w/¡¿]+[!?]?$")
# No digit can be taken by two of its parts: a line of digits without end costs what it is long, not its square.
_NUMBER = re.compile(r"^[+-]?(?:\d+(?:[.,]\d*)?|[.,]\d+)(?:[eE][+-]?\d+)?$")
_GROUPED = re.compile(
    r"^[+-]?\d{1,3}(?:(?P<mark>[.,'\u2019 \u00a0\u202f])\d{3})(?:(?P=mark)\d{3})*(?P<decimals>[.,]\d+)?$"
)

_THOUSANDS = re.compile(r"^[+-]?[1-9]\d{0,2}(?:,\d{3})+$")


def read_lines(path: Path) -> list[str]:
    """Return the lines of a text in UTF-8, UTF-16, UTF-32 or a Western eight-bit encoding, blank ones kept.

    Raises
    ------
    EcgStreamError : when it is no text
    """
    raw = path.read_bytes()
    encoding = next((name for mark, name in _MARKS if raw.startswith(mark)), None)
    if encoding is None and b"\0" in raw[:4096]:  # UTF-16 without its mark: each second byte of digits is 0
        encoding = "utf-16-le" if raw[1:2] == b"\0" else "utf-16-be"
    try:
        text = raw.decode(encoding or "utf-8")
    except UnicodeDecodeError as error:
        if encoding is not None:
            raise EcgStreamError(f"{path.name} is damaged {encoding} text ({error.reason}): save it as UTF-8") from None
        text = raw.decode("cp1252", errors="replace")
    if "\0" in text:
        raise EcgStreamError(f"{path.name} holds zero bytes, which no table has: save it as CSV in UTF-8")
    return _LINE_ENDS.split(text)


def is_missing(cell: str) -> bool:
    """Return whether a cell says that nothing was measured."""
    return cell.lower() in _MISSING or _FAILED.match(cell) is not None


def is_number(cell: str) -> bool:
    """Return whether a cell is a number, by whatever decimal mark."""
    return _NUMBER.match(cell) is not None or _GROUPED.match(cell) is not None or _signed(cell) != cell


def _signed(cell: str) -> str:
    """The cell with a plain minus in place of a typographic one, where a number follows it."""
    plain = cell.replace("\u2212", "-", 1)
    return plain if plain != cell and _NUMBER.match(plain) else cell


def number_of(cell: str) -> float | None:
    """Return a cell's number, NaN where it says that there is none, None where it is neither."""
    if is_missing(cell):
        return float("nan")
    cell = _signed(cell)
    grouped = _GROUPED.match(cell)
    if grouped and grouped["decimals"] and grouped["mark"] != grouped["decimals"][0]:  # 1.234,5 or 1,234.5
        whole = cell[: -len(grouped["decimals"])].replace(grouped["mark"], "")
        return float(f"{whole}.{grouped['decimals'][1:]}")
    if _NUMBER.match(cell):
        return float(cell.replace(",", "."))
    return None


def _commas_group(cells: Sequence[str]) -> bool:
    """Return commas that part thousands: then three digits follow each, and numbers below 1000 have none."""
    with_comma = [cell for cell in cells if "," in cell]
    plain = any(cell.isdigit() and len(cell) <= 3 for cell in cells)
    return plain and bool(with_comma) and all(_THOUSANDS.match(cell) for cell in with_comma)


def numbers_of(cells: Sequence[str]) -> tuple[npt.NDArray[np.float64], int | None]:
    """Return the numbers of a column, NaN where missing, and its first row that is neither; None where all are.

    Parameters
    ----------
    cells : of the column, without spaces around them
    """
    try:
        return np.array(cells, np.float64), None
    except ValueError:
        pass
    if _commas_group(cells):
        cells = [cell.replace(",", "") for cell in cells]
    values = np.full(len(cells), np.nan)
    wrong = None
    for row, cell in enumerate(cells):
        try:
            values[row] = float(cell)
        except ValueError:
            number = number_of(cell)
            if number is None:
                wrong = row if wrong is None else wrong
            else:
                values[row] = number
    return values, wrong
