"""Counts of what was found of recordings and of what experts annotated there, kind by kind.

A recording counts once for each kind found in it: the many findings of one are alike. Where annotations do not tell of
a kind, the recording does not count for it.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, get_args

from rich.table import Table

from bus.messages import Urgent, Verdict
from ecg.annotations import Annotations
from ecg.findings import FindingKind
from ecg.labels import beat_labels, flutter_intervals, rhythm_intervals
from training.databases.challenge2015 import MonitorAlarm
from training.databases.challenge2017 import StripClass
from training.reference_findings import findings_in_beats

FINDING_KINDS: tuple[FindingKind, ...] = get_args(FindingKind)
# Rhythm marks of MIT-BIH databases, by what is to be found there.
_MARKS: dict[str, FindingKind] = {
    "(AFIB": "atrial_fibrillation",
    "(VT": "ventricular_tachycardia",
    "(VF": "ventricular_flutter",
    "(VFIB": "ventricular_flutter",
    "(VFL": "ventricular_flutter",
    "(ASYS": "asystole",
}
# No annotated beat tells of the atria, nor of waves without beats.
_NEVER_BY_BEATS = frozenset({"atrial_fibrillation", "ventricular_flutter"})
_KIND_OF_ALARM: dict[str, FindingKind] = {
    "Asystole": "asystole",
    "Bradycardia": "extreme_bradycardia",
    "Tachycardia": "extreme_tachycardia",
    "Ventricular_Flutter_Fib": "ventricular_flutter",
    "Ventricular_Tachycardia": "ventricular_tachycardia",
}

Known = Mapping[FindingKind, bool]  # of each kind that the annotations tell of, whether it is there


@dataclass(slots=True)
class FindingCounts:
    """Recordings in which each kind was found, and those of them in which it was annotated."""

    recordings: Counter[FindingKind] = field(default_factory=Counter)
    annotated: Counter[FindingKind] = field(default_factory=Counter)

    def note(self, published: Iterable[Verdict | Urgent], known: Known) -> None:
        """Count one recording: what was published of it, and what is known to be there."""
        for kind in found_in(published):
            if kind in known:
                self.recordings[kind] += 1
                self.annotated[kind] += known[kind]

    def figures(self) -> dict[str, Any]:
        """The counts as `ecgstream evaluate --json` writes them."""
        return {
            kind: {"recordings": self.recordings[kind], "annotated": self.annotated[kind]}
            for kind in FINDING_KINDS
            if self.recordings[kind]
        }


def found_in(published: Iterable[Verdict | Urgent]) -> frozenset[FindingKind]:
    """The kinds of findings in what was published of a recording."""
    kinds: set[FindingKind] = set()
    for message in published:
        kinds.update((message.kind,) if isinstance(message, Urgent) else (each.kind for each in message.findings))
    return frozenset(kinds)


def known_by_annotations(annotations: Annotations, fs_hz: float, seconds: float) -> Known:
    """Return what annotated beats and rhythm marks tell of a recording.

    Annotated beats are read by the rules by which the detector reads those that it finds. Rhythms that are marked count
    where any is; so do ventricular tachycardia and asystole where there are no beats to tell them by.

    Parameters
    ----------
    annotations : the reference
    fs_hz : sampling rate in Hz
    seconds : length of the recording
    """
    known: dict[FindingKind, bool] = {}
    beats = beat_labels(annotations)
    if len(beats.sample):
        found = {finding.kind for finding in findings_in_beats(annotations, fs_hz, seconds)}
        known |= {kind: kind in found for kind in FINDING_KINDS if kind not in _NEVER_BY_BEATS}
    marks = rhythm_intervals(annotations)
    if marks:
        marked = {_MARKS.get(interval.name) for interval in marks}
        known |= {kind: kind in marked or known.get(kind, False) for kind in _MARKS.values()}
    if flutter_intervals(annotations):
        known["ventricular_flutter"] = True
    return known


def known_by_alarm(alarm: MonitorAlarm) -> Known:
    """Return what a monitor's alarm, true or false, tells of its recording: of its own kind alone."""
    return {_KIND_OF_ALARM[alarm.kind]: alarm.true}


def known_by_strip(letter: StripClass) -> Known:
    """Return what the class of a strip tells: of noise nothing."""
    return {} if letter == "~" else {"atrial_fibrillation": letter == "A"}


def add_counts(databases: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """The counts of several databases as one, each as ``FindingCounts.figures`` gives them.

    With the share in which a finding is right, one right and one wrong added (Laplace's rule): with few recordings
    nothing is sure.
    """
    total = FindingCounts()
    for figures in databases:
        for kind in FINDING_KINDS:
            if kind in figures:
                total.recordings[kind] += figures[kind]["recordings"]
                total.annotated[kind] += figures[kind]["annotated"]
    return {
        kind: counts | {"right": round((counts["annotated"] + 1) / (counts["recordings"] + 2), 3)}
        for kind, counts in total.figures().items()
    }


def finding_table(counts: Mapping[str, Any]) -> Table:
    """The counts for people, as ``add_counts`` gives them."""
    table = Table(title="findings: recordings in which each was found, and in how many of them experts annotated it")
    for column in ("finding", "recordings", "annotated", "right"):
        table.add_column(column, justify="left" if column == "finding" else "right")
    for kind, of in counts.items():
        table.add_row(kind.replace("_", " "), str(of["recordings"]), str(of["annotated"]), f"{of['right']:.2f}")
    return table
