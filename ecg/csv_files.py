"""ECGs in text: columns with or without a header, a time column, units; the exports of MIT-BIH among them."""

import csv
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import numpy.typing as npt

from ecg.csv_numbers import all_numbers
from ecg.errors import EcgStreamError
from ecg.leads import find_lead
from ecg.quantise import ADC_UNIT, UNITS_MV, record_of
from ecg.records import MAX_FS_HZ, MAX_LEADS, MIN_FS_HZ, Record

_TIME_NAMES = re.compile(r"^(elapsed )?(time|t|timestamp|date ?time|seconds|ms|milliseconds)\b", re.IGNORECASE)
_INDEX_NAMES = re.compile(r"^(samples?|index|sample (#|no\.?|number|index))$", re.IGNORECASE)
_UNIT = re.compile(r"^(?P<name>.*?)\s*[(\[](?P<unit>[^)\]]*)[)\]]\s*$")
_TIME_UNITS_S = {"s": 1.0, "sec": 1.0, "second": 1.0, "seconds": 1.0, "ms": 1e-3, "us": 1e-6, "ns": 1e-9}
_KNOWN_UNITS = UNITS_MV.keys() | _TIME_UNITS_S.keys() | {ADC_UNIT}
_MISSING_CELLS = {"", "-", "nan", "na", "n/a", "null", "none"}
_CLOCK = re.compile(r"^\[?(?:(?P<h>\d+):)?(?P<m>\d+):(?P<s>\d+(?:\.\d+)?)\]?$")
_MIN_ROWS = 50  # fewer may rise by chance
_MAX_GAP_S = 3600.0  # a longer pause is another recording
_MAX_SPREAD = 50_000_000  # samples of a text with gaps: a day of two leads at 250 Hz
_MAX_QUOTED = 40  # characters of a cell that a message quotes
_DEFAULT_STEPS_S = ((1 / MAX_FS_HZ, 1 / MIN_FS_HZ, 1.0), (1e3 / MAX_FS_HZ, 1e3 / MIN_FS_HZ, 1e-3))


Body = npt.NDArray[np.float64] | list[list[str]]  # numbers where there is nothing else, else cells


@dataclass(frozen=True, slots=True, kw_only=True)
class _Column:
    name: str
    unit: str | None


def read_csv(
    path: Path, *, fs_hz: float | None = None, leads: tuple[str, ...] | None = None, unit: str | None = None
) -> Record:
    """An ECG in text, one row an instant.

    The separator, a header line, a line of units and a time or sample-number column are found. Rows that a time or
    sample-number column shows to be missing become missing samples, and so do empty and NaN cells.

    Parameters
    ----------
    path : the file
    fs_hz : sampling rate in Hz; needed without a time column
    leads : names of the columns to read; without a header, the names of all columns
    unit : "mV", "uV", "V" or "adc" for all columns; by default what the header says, else mV

    Raises
    ------
    EcgStreamError : when the rate is not known, a cell is no number, or the times do not fit a rate
    """
    lines, separator = _lines(path)
    columns, head, body = _header(lines, separator, path)
    columns = _named_columns(columns, head, leads, body)
    times, index_column = _split_time(columns, body, path)
    signals = [column for number, column in enumerate(columns) if number != index_column]
    if leads is None and len(signals) > MAX_LEADS:
        raise EcgStreamError(
            f"{path.name}: {len(signals)} columns are no leads, {MAX_LEADS} are read at most: transpose the table if "
            "its rows are leads, or name the columns that are leads (leads); windows of their own, one a row, go into "
            "a .npy file of shape (rows, samples, 1)"
        )
    values = _numbers(body, [number for number, _ in enumerate(columns) if number != index_column], path)
    numbered = index_column is not None and bool(_INDEX_NAMES.match(columns[index_column].name))
    if leads is not None:
        wanted = [_named(lead, signals, path) for lead in leads]
        values, signals = values[:, wanted], [signals[number] for number in wanted]
    if not signals:
        raise EcgStreamError(f"{path.name} has a time column alone: it needs at least one lead")
    rate, places = _grid(times, numbered=numbered, fs_hz=fs_hz, path=path)
    if places is not None:
        count = int(places[-1]) + 1
        if count * values.shape[1] > _MAX_SPREAD:
            raise EcgStreamError(
                f"{path.name}: its times span {count} samples of {values.shape[1]} leads, {_MAX_SPREAD} are read in "
                "all: split it at its gaps"
            )
        spread = np.full((count, values.shape[1]), np.nan)
        spread[places] = values
        values = spread
    integers = bool(np.all(values[np.isfinite(values)] % 1 == 0))
    # A sample-number column and integers: a raw export, in ADC units.
    fallback = ADC_UNIT if numbered and integers else None
    return record_of(
        values,
        name=path.stem,
        fs_hz=rate,
        leads=[column.name for column in signals],
        units=[unit or column.unit or fallback for column in signals],
    )


def _lines(path: Path) -> tuple[list[str], str | None]:
    """The lines that say something, and what separates their cells; None for white space."""
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise EcgStreamError(f"{path.name} is no UTF-8 text ({error}): save it as CSV in UTF-8") from error
    lines = [line for line in text.splitlines() if line.strip() and not line.lstrip().startswith("#")]
    if not lines:
        raise EcgStreamError(f"{path.name} is empty: it needs at least one row of samples")
    middle = lines[len(lines) // 2]
    return lines, next((mark for mark in (";", "\t", ",") if mark in middle), None)


def _cells(lines: Sequence[str], separator: str | None, path: Path) -> list[list[str]]:
    if separator is None:
        split = [line.split() for line in lines]
    else:
        try:
            split = list(csv.reader(lines, delimiter=separator))
        except csv.Error as error:
            raise EcgStreamError(f"{path.name} is no table ({error}): save it as CSV with short cells") from error
    if separator == ";":  # where ";" separates, "," is the decimal mark
        split = [[cell.replace(",", ".") for cell in row] for row in split]
    return [[cell.strip().strip("'\"").strip() for cell in row] for row in split]


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return cell.lower() in _MISSING_CELLS
    return True


def _header(lines: list[str], separator: str | None, path: Path) -> tuple[list[_Column], int, Body]:
    """Return what the head of the text says of the columns, how many lines it takes, and what stands below it."""
    rows = _cells(lines[:3], separator, path)
    head = 0 if all(_is_number(cell) or _seconds(cell) is not None for cell in rows[0]) else 1
    if head and len(rows) > 1 and any(cell.strip("()[] ").lower() in _KNOWN_UNITS for cell in rows[1]):
        head = 2
    if head == len(lines):
        raise EcgStreamError(f"{path.name} has no row of numbers: it needs at least one row of samples")
    columns = []
    for number in range(len(rows[head])):
        cell = rows[0][number] if head and number < len(rows[0]) else ""
        match = _UNIT.match(cell)
        known = match is not None and match["unit"].lower() in _KNOWN_UNITS
        name, unit = (match["name"], match["unit"]) if match is not None and known else (cell, None)
        if head == 2 and number < len(rows[1]) and rows[1][number].strip("()[] ").lower() in _KNOWN_UNITS:
            unit = rows[1][number].strip("()[] ")
        columns.append(_Column(name=name, unit=unit))
    numbers = all_numbers(lines[head:], separator, len(columns))
    return columns, head, _cells(lines[head:], separator, path) if numbers is None else numbers


def _named_columns(columns: list[_Column], head: int, leads: tuple[str, ...] | None, body: Body) -> list[_Column]:
    """The columns with the names that the text does not give."""
    if head:
        if columns[0].name == "" and _clock_name(body) == "sample":  # pandas writes its index so
            columns[0] = _Column(name="index", unit=None)
        return columns
    clock = [name] if len(columns) > 1 and (name := _clock_name(body)) else []
    others = len(columns) - len(clock)
    named = leads if leads is not None and len(leads) == others else [f"signal {n}" for n in range(others)]
    return [_Column(name=name, unit=None) for name in (*clock, *named)]


def _clock_name(body: Body) -> str:
    """Return what the first column of a headerless file is: "sample", "time", or "" for a lead (no ECG only rises)."""
    if len(body) < _MIN_ROWS:
        return ""
    steps = np.diff(_times(body))
    if np.isnan(steps).any() or steps.min() <= 0:
        return ""
    return "sample" if np.sort(steps)[len(steps) // 2] == 1 else "time"


def _times(body: Body) -> npt.NDArray[np.float64]:
    """(rows,) the first column as a number or a time; NaN where it is neither."""
    if isinstance(body, np.ndarray):
        return body[:, 0]
    times = [_seconds(row[0]) if row else None for row in body]
    return np.array([np.nan if seconds is None else seconds for seconds in times])


def _named(lead: str, signals: list[_Column], path: Path) -> int:
    names = [column.name for column in signals]
    found = find_lead(lead, names)
    if found is None:
        raise EcgStreamError(f"{path.name} has no lead {lead!r}: it has {', '.join(names)}")
    return found


def _split_time(columns: list[_Column], body: Body, path: Path) -> tuple[npt.NDArray[np.float64] | None, int | None]:
    """The first column in seconds (or sample numbers) if it is one, and its number."""
    column = columns[0]
    if not (_TIME_NAMES.match(column.name) or _INDEX_NAMES.match(column.name)) or len(columns) < 2:
        return None, None
    times = _times(body)
    unknown = np.flatnonzero(np.isnan(times))
    if len(unknown):
        cell = str(next(iter(body[unknown[0]]), ""))[:_MAX_QUOTED]
        raise EcgStreamError(f"{path.name}, row {unknown[0] + 1}: {cell!r} is no time: mend the row")
    return times * _TIME_UNITS_S.get((column.unit or "s").lower(), 1.0) if column.unit else times, 0


def _seconds(cell: str) -> float | None:
    """A time cell as a number: plain, h:mm:ss.fff, or a date and time."""
    if len(cell) > _MAX_QUOTED:
        return None
    try:
        return float(cell)
    except ValueError:
        pass
    clock = _CLOCK.match(cell)
    if clock:
        return int(clock["h"] or 0) * 3600 + int(clock["m"]) * 60 + float(clock["s"])
    try:
        moment = datetime.fromisoformat(cell)
    except ValueError:
        return None
    # Only differences count; a local summer time would tear a gap into the night it ends.
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()


def _numbers(body: Body, columns: list[int], path: Path) -> npt.NDArray[np.float64]:
    if isinstance(body, np.ndarray):
        return body[:, columns]
    values = np.empty((len(body), len(columns)))
    last = max(columns, default=0)
    for number, row in enumerate(body):
        if len(row) <= last:
            row = row + [""] * (last + 1 - len(row))  # noqa: PLW2901 - a short row lacks its last cells
        for place, column in enumerate(columns):
            cell = row[column]
            try:
                values[number, place] = float(cell)
            except ValueError:
                if cell.lower() not in _MISSING_CELLS:
                    raise EcgStreamError(
                        f"{path.name}, row {number + 1}, column {column + 1}: {cell[:_MAX_QUOTED]!r} is no number: "
                        "mend or empty it"
                    ) from None
                values[number, place] = np.nan
    return values


def _grid(
    times: npt.NDArray[np.float64] | None, *, numbered: bool, fs_hz: float | None, path: Path
) -> tuple[float, npt.NDArray[np.int64] | None]:
    """The sampling rate, and each row's place where rows are missing (None where none is)."""
    if times is None or numbered or len(times) < 2:
        if fs_hz is None:
            raise EcgStreamError(f"{path.name} has no time column: give the sampling rate in Hz")
        if times is None or len(times) < 2:
            return fs_hz, None
        return fs_hz, _places(times - times[0], path, fs_hz)
    steps = np.diff(times)
    step = float(np.median(steps))
    scale = next((scale for low, high, scale in _DEFAULT_STEPS_S if low * 0.99 <= step <= high * 1.01), None)
    if fs_hz is None and scale is None:
        raise EcgStreamError(
            f"{path.name}: the time column moves by {step:g} a row, which is no rate from {MIN_FS_HZ:g} to "
            f"{MAX_FS_HZ:g} Hz in seconds or milliseconds: give the sampling rate in Hz"
        )
    if scale is None:
        scale = 1.0 / (step * fs_hz) if fs_hz and step > 0 else 1.0
    seconds = (times - times[0]) * scale
    rate = _rate(seconds, steps * scale)
    if fs_hz is not None:
        if abs(rate / fs_hz - 1) > 0.02:
            raise EcgStreamError(
                f"{path.name}: the time column says {rate:g} Hz, the argument fs_hz={fs_hz:g}: give one of them"
            )
        rate = fs_hz
    return rate, _places(seconds * rate, path, rate)


def _rate(seconds: npt.NDArray[np.float64], steps: npt.NDArray[np.float64]) -> float:
    """The rate from the longest stretch without a missing row, so that rounded times average out."""
    breaks = np.flatnonzero(steps > 1.5 * np.median(steps))
    edges = np.concatenate(([0], breaks + 1, [len(seconds)]))
    longest = int(np.argmax(np.diff(edges)))
    first, last = int(edges[longest]), int(edges[longest + 1]) - 1
    if last <= first or seconds[last] <= seconds[first]:
        return 0.0
    rate = float((last - first) / (seconds[last] - seconds[first]))
    # Times rounded to a unit u are off by at most u over the stretch; a whole rate within that is meant.
    unit = float(np.ptp(steps[first:last])) if last - first > 1 else 0.0
    slack = max(unit / (seconds[last] - seconds[first]), 1e-6)
    return float(round(rate)) if abs(rate - round(rate)) <= rate * slack else rate


def _places(positions: npt.NDArray[np.float64], path: Path, fs_hz: float) -> npt.NDArray[np.int64] | None:
    """Each row's place on the grid of samples; None where the rows follow one another."""
    steps = np.diff(positions)
    if np.any(steps <= 0):
        row = int(np.argmax(steps <= 0)) + 2
        raise EcgStreamError(f"{path.name}, row {row}: the time does not go on: sort the rows and drop repeated ones")
    if np.any(steps > _MAX_GAP_S * fs_hz):
        raise EcgStreamError(f"{path.name} pauses for more than {_MAX_GAP_S:g} s: split it into two files")
    if not np.any(steps > 1.5 * max(1.0, float(np.median(steps)))):
        return None
    places = np.round(positions).astype(np.int64)
    if np.any(np.diff(places) <= 0):
        raise EcgStreamError(
            f"{path.name}: the times are too coarse for {fs_hz:g} Hz: give the rate and no time column"
        )
    return places
