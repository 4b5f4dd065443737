"""Alarms out of the history, a line each."""

import csv
import io
import json
from collections.abc import Iterator
from typing import Any, Literal

from alerting.history.reading import AlarmHistory, Wanted
from alerting.strips.alarm_strip import AlarmStrip
from bus.messages import Alert
from ecg.records import MISSING

# Fields of an alert that are no single value stay with NDJSON.
COLUMNS = tuple(name for name in Alert.model_fields if name not in {"schema_version", "mdc", "quality", "models"})
# What a spreadsheet would calculate instead of show.
FORMULA = ("=", "+", "-", "@", "\t", "\r")


def lines(history: AlarmHistory, wanted: Wanted, form: Literal["ndjson", "csv", "fhir"]) -> Iterator[str]:
    """The export, the newest onset first.

    Parameters
    ----------
    history : where the alarms are
    wanted : which
    form : "ndjson" has each alarm's whole life and its strip, "csv" a heading and where each stands,
        "fhir" where each stands as an Observation

    Raises
    ------
    HistoryError : when the history cannot be read
    """
    if form == "csv":
        yield csv_line(COLUMNS)
    for alert in history.every(wanted):
        if form == "csv":
            fields = alert.as_json()
            yield csv_line(tuple(fields[name] for name in COLUMNS))
        elif form == "fhir":
            from alerting.fhir import observation_of

            yield observation_of(alert, history.strip(alert.id)).model_dump_json() + "\n"
        else:
            whole = history.life(alert.id).as_json() | {"strip": strip_json(history.strip(alert.id))}
            yield json.dumps(whole, ensure_ascii=False) + "\n"


def strip_json(kept: AlarmStrip | None) -> dict[str, Any] | None:
    """A strip as JSON: each lead's samples in ADC units, null where none came."""
    if kept is None:
        return None
    return {
        "start_ns": kept.start_ns,
        "fs_hz": kept.fs_hz,
        "leads": list(kept.leads),
        "gain": list(kept.gain),
        "baseline": list(kept.baseline),
        "samples": [[None if value == MISSING else value for value in lead] for lead in kept.samples.T.tolist()],
    }


def csv_line(values: tuple[Any, ...]) -> str:
    """A line of CSV; text that a spreadsheet would take for a formula gets a ' before it, a list is joined."""
    line = io.StringIO()
    csv.writer(line).writerow(map(_cell, values))
    return line.getvalue()


def _cell(value: Any) -> Any:
    text = "; ".join(value) if isinstance(value, list) else value
    return f"'{text}" if isinstance(text, str) and text.startswith(FORMULA) else text
