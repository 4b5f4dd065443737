"""One row a database: what is found of what experts annotated, beside false alarms and what could not be judged."""

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from rich.table import Table

from ecg.urgency import SOUNDING

Figures = Mapping[str, Any]  # as `ecgstream evaluate --json` writes them
_BEATS = {"S": "sveb", "V": "veb"}


@dataclass(frozen=True, slots=True, kw_only=True)
class DatabaseRow:
    """Figures of one database.

    Attributes
    ----------
    database : its name, and which part of it where that is not all that is there
    patients, hours : judged
    found : by what is annotated, sensitivity ("se") and, where there is one, positive predictivity ("ppv"), and the
        sensitivity's interval over patients ("between")
    false_per_hour : by priority, false alarms about the patient, per patient and hour; None where the reference does
        not tell
    audible_per_hour : alarms of high and medium priority, true or false, technical ones too
    unusable_share : of all windows
    """

    database: str
    patients: int
    hours: float
    found: dict[str, dict[str, Any]]
    false_per_hour: dict[str, float | None]
    audible_per_hour: float | None
    unusable_share: float | None

    @classmethod
    def of(cls, database: str, figures: Figures) -> "DatabaseRow":
        """The row of a database's figures, in whichever form."""
        beats = "beats" in figures
        alarms = figures["alarms"] or {}
        return cls(
            database=database,
            patients=figures["intervals"]["patients"] if beats else figures["patients"],
            hours=round(figures["hours"], 3),
            found=_found(figures),
            false_per_hour={priority: alarms.get(priority, {}).get("false_per_hour") for priority in SOUNDING},
            audible_per_hour=alarms.get("audible_per_hour"),
            unusable_share=(figures["windows"] if beats else figures)["unusable_share"],
        )

    def as_json(self) -> dict[str, Any]:
        """The row as a JSON object."""
        return asdict(self)


def _found(figures: Figures) -> dict[str, dict[str, Any]]:
    spread = figures["intervals"]
    if "beats" in figures:
        return {
            name: _rates(figures["beats"][kind], "se", spread["beats"][kind], ppv="ppv")
            for name, kind in _BEATS.items()
        }
    if "episodes" in figures:
        return {
            f"{kind} episodes": _rates(of, "share", spread["episodes"][kind])
            for kind, of in figures["episodes"].items()
        }
    if "kinds" in figures:
        return {kind: _rates(of, "tpr", spread["kinds"][kind]) for kind, of in figures["kinds"].items()}
    return {
        "AF strips": _rates(figures["af"], "se", spread["af"], ppv="ppv"),
        "noise strips": _rates(figures["noise"], "se", spread["noise"]),
    }


def _rates(of: Figures, sensitivity: str, spread: Figures, *, ppv: str | None = None) -> dict[str, Any]:
    found = {"se": of[sensitivity], "between": spread[sensitivity]}
    return found if ppv is None else found | {"ppv": of[ppv]}


def database_table(rows: Iterable[DatabaseRow]) -> Table:
    """The rows for people, a line for each thing that is annotated."""
    table = Table(title="what is found, and false alarms per patient and hour; a dash: the annotations do not tell")
    table.add_column("database")
    for column in ("patients", "hours", "annotated", "Se", "95 %", "+P", *SOUNDING, "audible/h", "unusable"):
        table.add_column(column, justify="left" if column == "annotated" else "right")
    for row in rows:
        lines = [
            (name, _text(of["se"]), _between(of["between"]), _text(of["ppv"]) if "ppv" in of else "")
            for name, of in row.found.items()
        ]
        table.add_row(
            row.database,
            str(row.patients),
            f"{row.hours:.1f}",
            *("\n".join(line[part] for line in lines) for part in range(4)),
            *(_text(row.false_per_hour[priority], 2) for priority in SOUNDING),
            _text(row.audible_per_hour, 2),
            _text(row.unusable_share),
            end_section=True,
        )
    return table


def _text(value: float | None, digits: int = 3) -> str:
    return "-" if value is None else f"{value:.{digits}f}"


def _between(ends: Any) -> str:
    return "-" if ends is None else f"{ends[0]:.2f} to {ends[1]:.2f}"
