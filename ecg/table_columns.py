"""Roles of a table's columns: a time, a counter, an ECG, or something else; by its name and by what it holds."""

import re
from dataclasses import dataclass
from enum import Enum

import numpy as np
import numpy.typing as npt

from ecg.leads import knows_lead
from ecg.signal_names import is_ecg, other_signals, terms_of
from ecg.table_layout import Table
from ecg.table_times import Times

MIN_ROWS = 50  # fewer may rise by chance


def _terms(text: str) -> frozenset[str]:
    return frozenset(text.split())


_TIME_TERMS = _terms(
    """TIME TIMES TS TIMESTAMP TIMESTAMPS DATETIME DATE CLOCK SECONDS SECOND SECS SEC MS MSEC MILLISECONDS MILLIS
    MICROS MICROSECONDS NANOS NANOSECONDS UNIX EPOCH ELAPSED ZEIT UHRZEIT DATUM ZEITSTEMPEL ZEITPUNKT SEKUNDEN TIEMPO
    HORA FECHA SEGUNDOS TEMPO TEMPS HEURE SECONDES ORA ORARIO TIJD TIJDSTIP TID TIDSPUNKT CZAS ČAS CAS ВРЕМЯ 时间 時間
    時刻 시간 ZAMAN IDŐ AIKA ΧΡΟΝΟΣ ΧΡΌΝΟΣ LSL"""
)
_COUNTER_TERMS = _terms(
    """SAMPLE SAMPLES SAMP INDEX IDX COUNTER COUNT FRAME PACKET PACKAGE SEQ NSEQ SEQUENCE ROW ROWS UNNAMED NR NO NUMBER
    ABTASTWERT MUESTRA AMOSTRA ECHANTILLON ÉCHANTILLON CAMPIONE ПРОБА ОТСЧЕТ NUM ZEILE"""
)
_MOSTLY = 0.95  # of steps that must go as a time or a counter goes; the rest are losses
_MOSTLY_NUMBERS = 0.5  # of the cells that are not missing
_MIN_RISES = 4
_LEAST_SPAN = 8  # steps: a switch goes to and fro between two or three values


class Role(Enum):
    """Role of a column."""

    TIME = "a time"
    COUNTER = "a counter"
    ECG = "an ECG by name"
    UNKNOWN = "a signal of unknown name"
    OTHER = "another signal by name"
    LEVEL = "one value throughout"
    TEXT = "text"
    EMPTY = "empty"


SIGNALS = frozenset({Role.ECG, Role.UNKNOWN})


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """A column and what it is.

    Attributes
    ----------
    column : its number
    name : as messages and results name it; "signal 0" where it has none
    role : what it is
    kind : of another signal, such as "respiration"; else ""
    times : of a time column
    values : of a numeric column, (rows,), NaN where missing; None for text and times of text
    wrong : the first row that holds neither a number nor a sign that there is none
    """

    column: int
    name: str
    role: Role
    kind: str = ""
    times: Times | None = None
    values: npt.NDArray[np.float64] | None = None
    wrong: int | None = None


def know_columns(table: Table) -> list[Known]:
    """Return what each column of a table is."""
    others = other_signals([column.name for column in table.columns])
    known: list[Known] = []
    unnamed = 0
    for number, (column, other) in enumerate(zip(table.columns, others, strict=True)):
        one = _know(table, number, other or "")
        if not column.name:
            name = f"column {number + 1}"
            if not table.named and one.role in {Role.ECG, Role.UNKNOWN, Role.LEVEL, Role.OTHER}:
                name, unnamed = f"signal {unnamed}", unnamed + 1
            one = Known(
                column=number,
                name=name,
                role=one.role,
                kind=one.kind,
                times=one.times,
                values=one.values,
                wrong=one.wrong,
            )
        known.append(one)
    return known


def _know(table: Table, number: int, other: str) -> Known:
    column = table.columns[number]
    name = column.name
    named = named_role(column.title)
    numeric, timed = table.shares(number)
    if timed > numeric and (times := table.times(number)) is not None:
        return Known(column=number, name=name, role=Role.TIME, times=times)
    if numeric < _MOSTLY_NUMBERS and named is not Role.ECG:
        return Known(column=number, name=name, role=Role.TEXT, kind=other)
    values, wrong = table.numbers(number)
    role = _numeric_role(values[np.isfinite(values)], named, other=bool(other), alone=len(table.columns) == 1)
    times = Times(values=values, form="number") if role is Role.TIME else None
    return Known(column=number, name=name, role=role, kind=other, times=times, values=values, wrong=wrong)


def _numeric_role(finite: npt.NDArray[np.float64], named: Role | None, *, other: bool, alone: bool) -> Role:
    """The role of a column of numbers, by its name and by those that are not missing."""
    few = len(finite) < MIN_ROWS
    if not len(finite):
        return Role.ECG if named is Role.ECG else Role.EMPTY
    if named is Role.TIME and not alone and (few or goes_on(finite) or _mostly_rises(finite)):
        return Role.TIME
    if other and named is not Role.TIME:
        return Role.OTHER
    if counts(finite) or (named is Role.COUNTER and few and not alone):
        return Role.COUNTER
    if goes_on(finite) or named is Role.ECG:
        return Role.TIME if goes_on(finite) else Role.ECG
    return Role.LEVEL if not few and np.ptp(finite) == 0 else Role.UNKNOWN


def named_role(title: str) -> Role | None:
    """Return what a column is by its name: a time, a counter or an ECG; None where that does not tell."""
    terms = terms_of(title)
    if any(term in _TIME_TERMS for term in terms) or (len(terms) == 1 and terms[0] == "T"):
        return Role.TIME
    if knows_lead(title) or is_ecg(title):
        return Role.ECG
    if any(term in _COUNTER_TERMS for term in terms) or (len(terms) == 1 and terms[0] == "N") or title.strip() == "#":
        return Role.COUNTER
    return None


def goes_on(values: npt.NDArray[np.float64]) -> bool:
    """Return whether values only rise, as times do and no ECG: without end, or begun anew a few times.

    Parameters
    ----------
    values : (n,), none missing
    """
    if len(values) < MIN_ROWS:
        return False
    steps = np.diff(values)
    rises, falls = int(np.sum(steps > 0)), int(np.sum(steps < 0))
    if rises < _MIN_RISES or falls > (1 - _MOSTLY) * rises:
        return False
    # From one fall to the next it goes as far as it falls: a sawtooth. A single rise is a step, not a time.
    span = float(np.ptp(values))
    return float(steps.max()) < 0.5 * span and (falls == 0 or float(-steps[steps < 0].max()) > 0.5 * span)


def _mostly_rises(values: npt.NDArray[np.float64]) -> bool:
    """Return times with rows out of order."""
    steps = np.diff(values)
    return bool(np.mean(steps > 0) > 0.5)


def counts(values: npt.NDArray[np.float64]) -> bool:
    """Return whether values count: integers one step apart, begun anew wherever a number of bits ends.

    Parameters
    ----------
    values : (n,), none missing
    """
    if len(values) < MIN_ROWS or np.any(values % 1):
        return False
    steps = np.diff(values)
    moved = steps[steps != 0]
    if len(moved) < _MIN_RISES:
        return False
    step, times = _commonest(moved)
    if step <= 0 or step > 1000:
        return False
    span = float(np.ptp(values)) + step
    if span < _LEAST_SPAN * step:
        return False
    again = np.isclose((moved - step) % span, 0)
    return bool(times >= 0.5 * len(moved) and np.mean(again | (moved > 0)) >= _MOSTLY and np.mean(again) >= 0.5)


def _commonest(steps: npt.NDArray[np.float64]) -> tuple[float, int]:
    found, count = np.unique(steps, return_counts=True)
    at = int(np.argmax(count))
    return float(found[at]), int(count[at])


_COLUMN = re.compile(r"^(?:column|col|spalte|colonne|columna|kolom)\s*(?P<number>\d+)$", re.IGNORECASE)


def column_number(wanted: str) -> int | None:
    """Return the number that "column 3" means, counted from 0; None for other names."""
    match = _COLUMN.match(wanted.strip())
    return int(match["number"]) - 1 if match else None
