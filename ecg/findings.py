"""Rhythm findings: what there is to find, how urgent it is, and how it is told."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

FindingKind = Literal[
    "couplet",
    "ventricular_run",
    "ventricular_tachycardia",
    "ventricular_flutter",
    "bigeminy",
    "trigeminy",
    "bradycardia",
    "tachycardia",
    "extreme_bradycardia",
    "extreme_tachycardia",
    "pause",
    "asystole",
    "atrial_fibrillation",
    "supraventricular_run",
    "supraventricular_tachycardia",
    "dropped_beat",
]
# What is looked for every second, beside the windows: ``ecg.lethal``.
LethalKind = Literal["asystole", "ventricular_flutter", "ventricular_tachycardia"]
Priority = Literal["high", "medium", "low"]

# IEC 60601-1-8, table 1: priority by what may follow when nobody responds, and how soon.
PRIORITIES: dict[FindingKind, Priority] = {
    "ventricular_flutter": "high",  # death, at once
    "asystole": "high",  # the same
    "ventricular_tachycardia": "high",  # the same: it may turn into fibrillation
    "ventricular_run": "medium",  # the forerunner of the former
    "bradycardia": "medium",  # reversible injury, promptly: too little blood flows
    "tachycardia": "medium",  # the same
    "extreme_bradycardia": "medium",  # the same: bedside monitors call both red; whom they strike in sleep or on stairs
    "extreme_tachycardia": "medium",  # is not dying, and what may kill has names of its own
    "pause": "medium",  # the same: a faint
    "atrial_fibrillation": "medium",  # irreversible injury, delayed: a stroke
    "supraventricular_tachycardia": "medium",  # reversible injury, promptly: the heart has no time to fill
    "supraventricular_run": "low",
    "dropped_beat": "low",  # the forerunner of pauses
    "couplet": "low",
    "bigeminy": "low",
    "trigeminy": "low",
}
_DESCRIPTIONS: dict[FindingKind, str] = {
    "ventricular_flutter": "ventricular flutter or fibrillation, {seconds:.0f} s",
    "asystole": "asystole, {seconds:.0f} s",
    "ventricular_tachycardia": "ventricular tachycardia, {beats} beats at {rate:.0f}/min",
    "ventricular_run": "run of {beats} ventricular beats at {rate:.0f}/min",
    "bradycardia": "bradycardia, {rate:.0f}/min",
    "tachycardia": "tachycardia, {rate:.0f}/min",
    "extreme_bradycardia": "extreme bradycardia, {beats} beats at {rate:.0f}/min",
    "extreme_tachycardia": "extreme tachycardia, {beats} beats at {rate:.0f}/min",
    "pause": "pause of {seconds:.1f} s",
    "atrial_fibrillation": "irregular as in atrial fibrillation",
    "supraventricular_tachycardia": "supraventricular tachycardia, {beats} beats at {rate:.0f}/min",
    "supraventricular_run": "run of {beats} supraventricular beats at {rate:.0f}/min",
    "dropped_beat": "a beat dropped, interval of {seconds:.1f} s",
    "couplet": "ventricular couplet",
    "bigeminy": "ventricular bigeminy",
    "trigeminy": "ventricular trigeminy",
}
# Two of one family with one start are one finding that has grown: a couplet into a run into a tachycardia.
_FAMILIES = dict.fromkeys(("couplet", "ventricular_run", "ventricular_tachycardia"), "ventricular") | dict.fromkeys(
    ("supraventricular_run", "supraventricular_tachycardia"), "supraventricular"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class RhythmFinding:
    """A stretch of rhythm that has a name.

    Attributes
    ----------
    kind : what was found
    start_ns, end_ns : time of its first beat and of its last so far, ns; a pause or an asystole reaches from the beat
        before it, or from where the signal became known, to the beat after it, or as far as the signal is known; a
        ventricular flutter over the windows whose signal shows it
    beats : how many beats it holds, None for a pause, an asystole, a dropped beat and a ventricular flutter
    """

    kind: FindingKind
    start_ns: int
    end_ns: int
    beats: int | None

    @property
    def rate_bpm(self) -> float | None:
        """The mean rate of its beats, per minute."""
        if self.beats is None or self.end_ns <= self.start_ns:
            return None
        return round((self.beats - 1) * 60e9 / (self.end_ns - self.start_ns), 1)

    @property
    def family(self) -> str:
        """Return what stays the same while a finding grows."""
        return family_of(self.kind)


def family_of(kind: FindingKind) -> str:
    """The kinds that a finding may grow into or out of have one family."""
    return _FAMILIES.get(kind, kind)


def merged(findings: Iterable[RhythmFinding]) -> tuple[RhythmFinding, ...]:
    """Each finding once, as it was told last, by start; one that spans windows is told in each of them.

    Parameters
    ----------
    findings : the findings of one stream's verdicts, in order
    """
    last = {(finding.family, finding.start_ns): finding for finding in findings}
    return tuple(sorted(last.values(), key=lambda finding: (finding.start_ns, finding.kind)))


def describe_finding(finding: RhythmFinding) -> str:
    """A finding as a short phrase."""
    seconds = (finding.end_ns - finding.start_ns) / 1e9
    return _DESCRIPTIONS[finding.kind].format(seconds=seconds, beats=finding.beats, rate=finding.rate_bpm)
