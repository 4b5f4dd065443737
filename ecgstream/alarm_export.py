"""Alarms out of the history, a line each."""

import csv
import io
import json
from collections.abc import Iterator
from typing import Any, Literal

from alerting.history.reading import AlarmHistory, Wanted
from bus.messages import Alert

# Fields of an alert that are no single value stay with NDJSON.
COLUMNS = tuple(name for name in Alert.model_fields if name not in {"schema_version", "mdc", "quality", "models"})
# What a spreadsheet would calculate instead of show.
FORMULA = ("=", "+", "-", "@", "\t", "\r")


def lines(history: AlarmHistory, wanted: Wanted, form: Literal["ndjson", "csv"]) -> Iterator[str]:
    """The export, the newest onset first.

    Parameters
    ----------
    history : where the alarms are
    wanted : which
    form : "ndjson" has each alarm's whole life, "csv" a heading and where each stands

    Raises
    ------
    HistoryError : when the history cannot be read
    """
    if form == "csv":
        yield csv_line(COLUMNS)
    for alert in history.every(wanted):
        if form == "csv":
            told = alert.as_json()
            yield csv_line(tuple(told[name] for name in COLUMNS))
        else:
            yield json.dumps(history.life(alert.id).as_json(), ensure_ascii=False) + "\n"


def csv_line(values: tuple[Any, ...]) -> str:
    """A line of CSV; text that a spreadsheet would take for a formula gets a ' before it, a list is joined."""
    line = io.StringIO()
    csv.writer(line).writerow(map(_cell, values))
    return line.getvalue()


def _cell(value: Any) -> Any:
    text = "; ".join(value) if isinstance(value, list) else value
    return f"'{text}" if isinstance(text, str) and text.startswith(FORMULA) else text
