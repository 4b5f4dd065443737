"""Findings in real recordings, from the beats that experts annotated, against the rhythms they annotated.

DS1 alone: limits were chosen on it, so these are floors, no figures for a patient never seen. The detector's own beats
are worse than an expert's.
"""

from dataclasses import dataclass
from functools import cache

import numpy as np
import numpy.typing as npt
import pytest

from ecg.annotations import read_annotations
from ecg.data import data_directory
from ecg.findings import FindingKind, RhythmFinding, merged
from ecg.labels import DS1, beat_labels, flutter_intervals, rhythm_intervals
from ecg.rhythm_state import Beat, BeatLetter
from tests.ecg.rhythms import S, follow, grid

pytestmark = pytest.mark.data
MITDB = data_directory() / "mitdb"
FS_HZ = 360
SECONDS = 1805
TICKS_HZ = 10  # of the comparison of spans


@dataclass(frozen=True)
class Watched:
    """A record's findings, and its annotated rhythms as (name, start in s, end in s)."""

    findings: tuple[RhythmFinding, ...]
    rhythms: tuple[tuple[str, float, float], ...]
    flutter: tuple[tuple[float, float], ...]

    def of(self, *kinds: FindingKind) -> list[tuple[float, float]]:
        return [(f.start_ns / S, f.end_ns / S) for f in self.findings if f.kind in kinds]

    def annotated(self, *names: str) -> list[tuple[float, float]]:
        return [(start, end) for name, start, end in self.rhythms if name in names]


@cache
def watched(record: str) -> Watched:
    annotations = read_annotations(MITDB / record)
    labels = beat_labels(annotations)
    letters: dict[str, BeatLetter] = {"N": "N", "S": "S", "V": "V", "F": "F", "Q": "Q"}
    beats: list[Beat] = [
        (int(sample) * S // FS_HZ, letters[str(letter)])
        for sample, letter in zip(labels.sample, labels.aami, strict=True)
    ]
    found = follow(beats, grid(SECONDS))
    last_ns = beats[-1][0]
    return Watched(
        findings=tuple(f for f in merged(f for found in found for f in found) if f.start_ns < last_ns),
        rhythms=tuple(
            (interval.name, interval.start / FS_HZ, SECONDS if interval.end is None else interval.end / FS_HZ)
            for interval in rhythm_intervals(annotations)
        ),
        flutter=tuple(
            (interval.start / FS_HZ, SECONDS if interval.end is None else interval.end / FS_HZ)
            for interval in flutter_intervals(annotations)
        ),
    )


def mask(spans: list[tuple[float, float]]) -> npt.NDArray[np.bool_]:
    """Which tenths of a second lie in the spans."""
    inside = np.zeros(SECONDS * TICKS_HZ, np.bool_)
    for start_s, end_s in spans:
        inside[round(start_s * TICKS_HZ) : round(end_s * TICKS_HZ)] = True
    return inside


@pytest.mark.parametrize(
    ("record", "kind", "name", "least_se", "least_ppv"),
    [
        ("106", "bigeminy", "(B", 0.9, 0.95),
        ("119", "bigeminy", "(B", 0.88, 0.93),
        ("223", "bigeminy", "(B", 0.9, 0.95),
        ("207", "bigeminy", "(B", 0.95, 0.9),
        ("119", "trigeminy", "(T", 0.88, 0.78),
        ("201", "trigeminy", "(T", 0.95, 0.92),
        (
            "208",
            "trigeminy",
            "(T",
            0.9,
            0.38,
        ),  # beats in threes that the experts called sinus rhythm with extrasystoles
    ],
)
def test_bigeminy_and_trigeminy_lie_where_the_experts_saw_them(
    record: str, kind: FindingKind, name: str, least_se: float, least_ppv: float
) -> None:
    found, annotated = mask(watched(record).of(kind)), mask(watched(record).annotated(name))
    se = (found & annotated).sum() / annotated.sum()
    ppv = (found & annotated).sum() / found.sum()
    print(f"{record} {kind}: Se {se:.3f}, +P {ppv:.3f} of time")  # noqa: T201 - shown when it fails
    assert se >= least_se
    assert ppv >= least_ppv


def test_every_annotated_ventricular_tachycardia_of_three_beats_is_a_run_or_a_tachycardia() -> None:
    hit = missed = 0
    for record in ("106", "203", "205", "207", "215", "223"):
        runs = watched(record).of("ventricular_run", "ventricular_tachycardia")
        for start_s, end_s in watched(record).annotated("(VT"):
            here = any(start < end_s and end > start_s for start, end in runs)
            hit, missed = hit + here, missed + (not here)
    print(f"ventricular tachycardia: {hit} of {hit + missed} annotated stretches")  # noqa: T201 - shown when it fails
    assert hit >= 0.9 * (hit + missed)


def test_no_ventricular_tachycardia_where_the_experts_saw_none() -> None:
    for record in DS1:
        annotated = mask(watched(record).annotated("(VT", "(IVR", "(VFL"))
        assert not (mask(watched(record).of("ventricular_tachycardia")) & ~annotated).any(), record


def test_atrial_fibrillation_against_every_other_rhythm() -> None:
    se, false_s, other_s = {}, {}, 0.0
    for record in DS1:
        found = mask(watched(record).of("atrial_fibrillation"))
        annotated = mask(watched(record).annotated("(AFIB", "(AFL"))
        if annotated.any():
            se[record] = float((found & annotated).sum() / annotated.sum())
        if (found & ~annotated).any():
            false_s[record] = float((found & ~annotated).sum() / TICKS_HZ)
        other_s += float((~annotated).sum()) / TICKS_HZ
    specificity = 1 - sum(false_s.values()) / other_s
    print(f"fibrillation: Se {se}, Sp {specificity:.4f}, false seconds {false_s}")  # noqa: T201 - shown when it fails
    assert set(se) == {"201", "203"}
    assert min(se.values()) >= 0.94
    assert specificity >= 0.99
    assert set(false_s) <= {"201", "203"}  # both go in and out of it; nobody else ever had it


def test_the_heart_never_stops_but_in_flutter() -> None:
    for record in DS1:
        flutter = mask([(start - 2, end + 2) for start, end in watched(record).flutter])
        assert not (mask(watched(record).of("asystole")) & ~flutter).any(), record


def test_steady_hearts_have_no_findings() -> None:
    assert [(record, watched(record).findings) for record in ("101", "109", "112", "115", "122", "230")] == [
        (record, ()) for record in ("101", "109", "112", "115", "122", "230")
    ]
