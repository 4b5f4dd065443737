"""PhysioNet/CinC Challenge 2015: the five minutes before a bedside monitor's alarm, and whether it was true."""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

from ecg.errors import EcgStreamError
from training.databases.database import Database
from training.databases.names import names_in

AlarmName = Literal["Asystole", "Bradycardia", "Tachycardia", "Ventricular_Flutter_Fib", "Ventricular_Tachycardia"]
ALARM_AT_S = 300.0  # of a record; half of those that are published go on for 30 s more
_VERDICTS = {"True alarm": True, "False alarm": False}


@dataclass(frozen=True, slots=True, kw_only=True)
class MonitorAlarm:
    """The alarm at the end of a record."""

    record: str
    kind: str
    true: bool


def read_alarms(folder: Path) -> tuple[MonitorAlarm, ...]:
    """The alarms of all records, as the comments of each header tell.

    Raises
    ------
    EcgStreamError : when a header tells of none
    """
    return tuple(_alarm(header) for header in sorted(folder.glob("*.hea")))


def _alarm(header: Path) -> MonitorAlarm:
    lines = header.read_text(encoding="utf-8", errors="replace").splitlines()
    comments = [line.lstrip("# ").strip() for line in lines if line.startswith("#")]
    kind = next((comment for comment in comments if comment in get_args(AlarmName)), None)
    verdict = next((comment for comment in comments if comment in _VERDICTS), None)
    if kind is None or verdict is None:
        raise EcgStreamError(f"{header} does not tell of an alarm, true or false: lay the database out anew")
    return MonitorAlarm(record=header.stem, kind=kind, true=_VERDICTS[verdict])


def _labels(folder: Path) -> dict[str, str]:
    return {alarm.record: f"{alarm.kind}, {'true' if alarm.true else 'false'}" for alarm in read_alarms(folder)}


DATABASE = Database(
    name="challenge2015",
    citation="Clifford GD et al. Computing in Cardiology 42 (2015) 273, doi:10.1109/CIC.2015.7408639",
    records=re.compile(r"[abftv]\d\d\d[ls]"),
    tunes="limits of the lethal rhythms and of the extremes of heart rate",
    unseen="373 of 750 records",
    learned=names_in("challenge2015.txt"),
    labels=_labels,
)
