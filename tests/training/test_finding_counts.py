"""What is found, held against what experts annotated, recording by recording."""

import numpy as np
import pytest

from ecg.annotations import Annotations
from ecg.findings import FindingKind
from tests.alerting.verdicts import urgent
from training.databases.challenge2015 import MonitorAlarm
from training.databases.challenge2017 import StripClass
from training.finding_counts import (
    FINDING_KINDS,
    FindingCounts,
    add_counts,
    known_by_alarm,
    known_by_annotations,
    known_by_strip,
)

FS_HZ = 100.0


def annotated(*marks: tuple[float, str, str]) -> Annotations:
    """Time in s, symbol and rhythm of each."""
    return Annotations(
        sample=np.array([round(at * FS_HZ) for at, _, _ in marks], np.int64),
        symbol=tuple(symbol for _, symbol, _ in marks),
        aux=tuple(aux for _, _, aux in marks),
    )


def beats(*letters: str, every_s: float = 0.5, from_s: float = 1.0) -> list[tuple[float, str, str]]:
    return [(from_s + every_s * number, letter, "") for number, letter in enumerate(letters)]


def there(known: dict[FindingKind, bool]) -> set[FindingKind]:
    return {kind for kind, is_there in known.items() if is_there}


def test_annotated_beats_tell_by_the_rules_of_the_detector() -> None:
    run = annotated(*beats(*"NNNN", *"VVVVVV", *"NNNNNNNNNN"), *beats(*"NNN", from_s=17.0))
    known = dict(known_by_annotations(run, FS_HZ, 25.0))
    # 0.5 s apart is 120/min: no rate finding, but six ventricular beats in a row; then 6.5 s without any beat.
    assert {"ventricular_tachycardia", "asystole"} <= there(known)
    assert not {"bradycardia", "bigeminy"} & there(known)
    # Without rhythm marks, nobody knows of the atria, nor of waves without beats.
    assert set(FINDING_KINDS) - set(known) == {"atrial_fibrillation", "ventricular_flutter"}


def test_rhythm_marks_tell_of_rhythms_and_of_nothing_else_where_there_are_no_beats() -> None:
    marked = annotated((0.0, "+", "(N"), (20.0, "+", "(VFL"), (40.0, "+", "(N"))
    known = dict(known_by_annotations(marked, FS_HZ, 60.0))
    assert known == {
        "atrial_fibrillation": False,
        "ventricular_tachycardia": False,
        "ventricular_flutter": True,
        "asystole": False,
    }


def test_a_monitors_alarm_tells_of_its_own_kind_alone() -> None:
    alarm = MonitorAlarm(record="a103l", kind="Asystole", true=False)
    assert known_by_alarm(alarm) == {"asystole": False}
    brady = MonitorAlarm(record="b124s", kind="Bradycardia", true=True)
    assert known_by_alarm(brady) == {"extreme_bradycardia": True}


@pytest.mark.parametrize(
    ("letter", "known"),
    [("A", {"atrial_fibrillation": True}), ("N", {"atrial_fibrillation": False}), ("~", {})],
)
def test_a_strip_tells_of_fibrillation_unless_it_is_noise(letter: StripClass, known: dict[str, bool]) -> None:
    assert known_by_strip(letter) == known


def test_a_recording_counts_once_for_a_kind_and_only_where_something_is_known_of_it() -> None:
    message = urgent(5, "asystole")
    counts = FindingCounts()
    counts.note([message, message], {"asystole": True})
    counts.note([message], {"asystole": False})
    counts.note([message], {})
    counts.note([], {"asystole": True})
    assert counts.figures() == {"asystole": {"recordings": 2, "annotated": 1}}
    both = add_counts([counts.figures(), counts.figures(), {}])
    assert both == {"asystole": {"recordings": 4, "annotated": 2, "right": 0.5}}
