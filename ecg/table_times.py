"""Times in the cells of a table: seconds in any unit, clocks, dates in the order of several countries."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Literal

import numpy as np
import numpy.typing as npt

from ecg.table_text import is_missing, number_of, numbers_of

TIME_UNITS_S = {
    **dict.fromkeys(("s", "sec", "secs", "second", "seconds", "sek", "sekunden", "segundos", "secondes"), 1.0),
    **dict.fromkeys(("ms", "msec", "msecs", "millis", "millisecond", "milliseconds", "millisekunden"), 1e-3),
    **dict.fromkeys(("us", "usec", "µs", "μs", "micros", "microsecond", "microseconds"), 1e-6),
    **dict.fromkeys(("ns", "nsec", "nanos", "nanosecond", "nanoseconds"), 1e-9),
    **dict.fromkeys(("min", "mins", "minute", "minutes"), 60.0),
    **dict.fromkeys(("h", "hour", "hours"), 3600.0),
    **dict.fromkeys(("d", "day", "days"), 86_400.0),
}
_CLOCK = (
    r"(?:(?P<h>\d{1,3})[:h])?(?P<m>\d{1,3}):(?P<s>\d{1,2})(?:[.,:](?P<f>\d+))?"
    r"(?:\s*(?P<half>[ap])\.?\s?m\.?)?\s*(?P<zone>z|utc|gmt|[+-]\d\d:?\d\d)?"
)
_DAY = (
    r"(?:(?P<y>\d{4})[-/.](?P<mo>\d{1,2})[-/.](?P<d>\d{1,2})"
    r"|(?P<a>\d{1,2})[-/.](?P<b>\d{1,2})[-/.](?P<ay>\d{4}|\d{2})"
    r"|(?P<wd>\d{1,2})[-. ]+(?P<wm>[a-zäéûç]{3,10})[-., ]+(?P<wy>\d{4})"
    r"|(?P<xm>[a-zäéûç]{3,10})\.? (?P<xd>\d{1,2}),? (?P<xy>\d{4})"
    r"|(?P<compact>\d{8}))"
)
_MOMENT = re.compile(rf"^\[?\s*(?:{_DAY}(?:\s*[t,]\s*|\s+|$))?(?:{_CLOCK})?\s*\]?$", re.IGNORECASE)
_CLOCK_FIRST = re.compile(rf"^\[?\s*{_CLOCK}\s+{_DAY}\s*\]?$", re.IGNORECASE)  # rdsamp -p: [10:11:12.345 01/03/2025]
_PLAIN_CLOCK = re.compile(
    r"^(?P<before>(?:.*[^\d:.,])?)(?P<h>\d{1,2}):(?P<m>\d\d):(?P<s>\d\d)(?:[.,:](?P<f>\d+))?(?P<behind>.*)$"
)
_MAX_LENGTH = 48  # characters of the longest of these
# By their first three letters, in English, German, French, Spanish, Italian, Portuguese and Dutch.
_MONTHS = {
    letters: number
    for number, names in enumerate(
        (
            "jan ene gen",
            "feb fév fev",
            "mar mär mrz maa",
            "apr avr abr",
            "may mai mag mei",
            "jun giu jui",
            "jul lug",
            "aug aoû ago aou",
            "sep set",
            "oct okt ott out",
            "nov",
            "dec dez déc dic",
        ),
        start=1,
    )
    for letters in names.split()
} | {"juil": 7}


@dataclass(frozen=True, slots=True, kw_only=True)
class Times:
    """A column of times.

    Attributes
    ----------
    values : (rows,) float64; seconds of a clock or calendar from its first day on, plain numbers as they stand, NaN
        where a cell has none
    form : "number", "clock" without a date, or "date"
    zoned : whether the offset from UTC stands with them, so that no summer time tears them
    """

    values: npt.NDArray[np.float64]
    form: Literal["number", "clock", "date"]
    zoned: bool = False


def is_time(cell: str) -> bool:
    """Return whether a cell is a clock or a date, and no plain number."""
    return len(cell) <= _MAX_LENGTH and number_of(cell) is None and _match(cell) is not None


def _match(cell: str) -> re.Match[str] | None:
    match = _MOMENT.match(cell) or _CLOCK_FIRST.match(cell)
    return match if match and match.lastgroup is not None else None


def times_of(cells: Sequence[str]) -> Times | None:
    """Return the times of a column; None where a cell is neither a time nor missing.

    Of dates with two small numbers, such as 01/02/2025, the order is that in which the column spans less time.

    Parameters
    ----------
    cells : of the column, without spaces around them
    """
    first = next((cell for cell in cells if not is_missing(cell)), "")
    if number_of(first) is not None:
        numbers, wrong = numbers_of(cells)
        return Times(values=numbers, form="number") if wrong is None else None
    frames: dict[tuple[str, str], _Frame | None] = {}
    seconds = np.full(len(cells), np.nan)
    ordinals = np.zeros((len(cells), 2))
    dated = zoned = False
    for row, cell in enumerate(cells):
        if is_missing(cell):
            continue
        clock = _PLAIN_CLOCK.match(cell) if len(cell) <= _MAX_LENGTH else None
        around = (clock["before"], clock["behind"]) if clock else (cell, "")
        if around not in frames:
            frames[around] = _frame(f"{around[0]}0:00:00{around[1]}" if clock else cell)
        frame = frames[around]
        if frame is None:
            return None
        seconds[row] = frame.seconds
        if clock:
            hour = int(clock["h"]) if frame.half is None else int(clock["h"]) % 12 + (12 if frame.half == "p" else 0)
            seconds[row] += hour * 3600 + int(clock["m"]) * 60 + float(f"{clock['s']}.{clock['f'] or 0}")
        if frame.ordinals is not None:
            ordinals[row] = frame.ordinals
            dated = True
        zoned = zoned or frame.zoned
    if not np.isfinite(seconds).any():
        return None
    if not dated:
        return Times(values=seconds, form="clock")
    days = _days(ordinals, np.isfinite(seconds))
    return None if days is None else Times(values=days * 86_400 + seconds, form="date", zoned=zoned)


def _days(ordinals: npt.NDArray[np.float64], known: npt.NDArray[np.bool_]) -> npt.NDArray[np.float64] | None:
    """(rows,) days from the first one on, in the order of month and day that spans less; None where neither can be."""
    possible = [order for order in (0, 1) if (ordinals[known, order] > 0).all()]  # an impossible day is 0
    if not possible:
        return None
    spans = [float(np.ptp(ordinals[known, order])) for order in possible]
    day = ordinals[:, possible[int(np.argmin(spans))]]
    return np.asarray(day - day[known].min(), np.float64)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Frame:
    """Parts of a cell beside a plain h:m:s: its day, its half of the day, its zone, and a clock of another form."""

    ordinals: tuple[int, int] | None
    seconds: float
    half: str | None
    zoned: bool


def _frame(cell: str) -> _Frame | None:
    match = _match(cell) if len(cell) <= _MAX_LENGTH else None
    if match is None:
        return None
    day = match.group("y", "a", "wm", "xm", "compact")
    ordinals = _ordinals(match) if any(day) else None
    if any(day) and ordinals is None:
        return None
    seconds = 0.0
    if match["m"] is not None:
        fraction = float(f"0.{match['f']}") if match["f"] else 0.0
        seconds = int(match["h"] or 0) * 3600 + int(match["m"]) * 60 + int(match["s"]) + fraction
    zone = match["zone"]
    return _Frame(
        ordinals=ordinals,
        seconds=seconds - (_offset_s(zone) if zone else 0.0),
        half=match["half"].lower() if match["half"] else None,
        zoned=zone is not None,
    )


def _offset_s(zone: str) -> float:
    if zone[0] not in "+-":
        return 0.0
    digits = zone[1:].replace(":", "")
    return (int(digits[:2]) * 3600 + int(digits[2:]) * 60) * (-1 if zone[0] == "-" else 1)


def _ordinals(match: re.Match[str]) -> tuple[int, int] | None:
    """A day as a number, with the month first and with the day first where that is open; 0 where it cannot be."""
    if match["compact"]:
        text = match["compact"]
        orders = [(int(text[:4]), int(text[4:6]), int(text[6:]))] * 2
    elif match["y"]:
        orders = [(int(match["y"]), int(match["mo"]), int(match["d"]))] * 2
    elif match["a"]:
        year = int(match["ay"]) + (2000 if len(match["ay"]) == 2 else 0)
        first, second = int(match["a"]), int(match["b"])
        orders = [(year, first, second), (year, second, first)]
    else:
        letters, day, in_year = match["wm"] or match["xm"], match["wd"] or match["xd"], match["wy"] or match["xy"]
        month = _MONTHS.get(letters.lower()[:4]) or _MONTHS.get(letters.lower()[:3])
        if month is None:
            return None
        orders = [(int(in_year), month, int(day))] * 2
    month_first, day_first = (_ordinal(order) for order in orders)
    return (month_first, day_first) if month_first or day_first else None


def _ordinal(order: tuple[int, int, int]) -> int:
    try:
        return date(*order).toordinal()
    except ValueError:
        return 0
