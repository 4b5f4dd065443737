"""Alarms held against annotations: what was raised, what of it was false, and which ventricular runs were found."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from typing import NamedTuple

import numpy as np

from bus.messages import Alert, Verdict
from ecg.annotations import Annotations
from ecg.findings import FindingKind, RhythmFinding
from ecg.labels import beat_labels
from ecg.urgency import PRIORITIES, PRIORITY_RANK, PROMPT, AlarmPriority
from training.metrics import Labels
from training.reference_findings import findings_in_beats

TECHNICAL = "technical"
RUN_BEATS, RUN_BPM = (
    5,
    100.0,
)  # ventricular tachycardia as bedside monitors were judged by: doi:10.1109/CIC.2015.7408639
MATCH_NS = 150_000_000  # as beats are matched by EC57
# Alarms about the rate alone, and what annotated beats show where one is right. No label of a window tells of it: sinus
# rhythm at 142/min is a normal rhythm.
RATE_ALARMS: dict[str, frozenset[FindingKind]] = {
    "bradycardia": frozenset({"bradycardia", "extreme_bradycardia"}),
    "extreme_bradycardia": frozenset({"extreme_bradycardia"}),
    "heart_rate_low": frozenset({"extreme_bradycardia"}),
    "tachycardia": frozenset({"tachycardia", "extreme_tachycardia"}),
    "extreme_tachycardia": frozenset({"extreme_tachycardia"}),
    "heart_rate_high": frozenset({"extreme_tachycardia"}),
}


class AlarmCount(NamedTuple):
    """Alarms of one kind."""

    raised: int = 0
    false: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class AlarmTally:
    """Alarms of one record or of several.

    Attributes
    ----------
    counts : physiological alarms by priority, and technical ones
    audible : alarms of priority high or medium, of both kinds
    runs : annotated runs of ``RUN_BEATS`` or more ventricular beats, by whether each raised a high alarm
    fast_runs : those of them at ``RUN_BPM`` or faster: slower ones are a rhythm of the ventricles, no tachycardia
    """

    counts: dict[str, AlarmCount]
    audible: int
    runs: Counter[bool]
    fast_runs: Counter[bool]

    def plus(self, other: "AlarmTally") -> "AlarmTally":
        """Both together."""
        return AlarmTally(
            counts={
                kind: AlarmCount(mine.raised + other.counts[kind].raised, mine.false + other.counts[kind].false)
                for kind, mine in self.counts.items()
            },
            audible=self.audible + other.audible,
            runs=self.runs + other.runs,
            fast_runs=self.fast_runs + other.fast_runs,
        )


class Sounding(NamedTuple):
    """An alarm from when its condition was first seen, or came back after it had gone, to when it was last seen."""

    kind: str
    condition: str
    priority: AlarmPriority
    onset_ns: int
    last_ns: int


def soundings(alerts: Iterable[Alert]) -> list[Sounding]:
    """Every time that an alarm was raised: one that stays and comes back is not to hide the second time."""
    raised: dict[tuple[str, int | None], list[Alert]] = defaultdict(list)
    for alert in sorted(alerts, key=lambda alert: (alert.id, alert.sequence)):
        raised[alert.id, alert.returned_ns].append(alert)
    return [
        Sounding(
            kind=alerts[0].kind,
            condition=alerts[0].condition,
            priority=min((alert.priority for alert in alerts), key=PRIORITY_RANK.__getitem__),
            onset_ns=alerts[0].onset_ns if alerts[0].returned_ns is None else alerts[0].returned_ns,
            last_ns=max(alert.last_ns for alert in alerts),
        )
        for alerts in raised.values()
    ]


def tally_alarms(
    alerts: Iterable[Alert], verdicts: Sequence[Verdict], abnormal: Labels, annotations: Annotations
) -> AlarmTally:
    """Count a record's alarms.

    One about the patient is false where no annotated window that it covers is abnormal; one about the rate alone, where
    annotated beats do not show that rate while it lasts.

    Parameters
    ----------
    alerts : every message about them
    verdicts : of the record, in order
    abnormal : (n,) whether each verdict's window is annotated as abnormal
    annotations : the reference
    """
    counts = {kind: AlarmCount() for kind in (*PRIORITIES, TECHNICAL)}
    starts = np.array([verdict.start_ns for verdict in verdicts])
    ends = np.array([verdict.end_ns for verdict in verdicts])
    raised = soundings(alerts)
    fs_hz, origin_ns = verdicts[0].fs_hz, verdicts[0].stream_start_ns
    rates = _rates_in(annotations, fs_hz, seconds=(verdicts[-1].end_ns - origin_ns) / 1e9, origin_ns=origin_ns)
    for alarm in raised:
        technical = alarm.kind == TECHNICAL
        covered = (ends > alarm.onset_ns) & (starts < max(alarm.last_ns, alarm.onset_ns + 1))
        kind = TECHNICAL if technical else alarm.priority
        shown = RATE_ALARMS.get(alarm.condition)
        if shown is None or not rates.annotated:
            right = bool(abnormal[covered].any())
        else:
            right = any(
                each.kind in shown and each.start_ns <= alarm.last_ns and each.end_ns >= alarm.onset_ns
                for each in rates.findings
            )
        false = not technical and not right
        counts[kind] = AlarmCount(counts[kind].raised + 1, counts[kind].false + false)
    high = [alarm for alarm in raised if alarm.priority == "high"]
    runs = [
        (run.bpm >= RUN_BPM, any(alarm.onset_ns <= run.last_ns and alarm.last_ns >= run.first_ns for alarm in high))
        for run in ventricular_runs(annotations, fs_hz, origin_ns)
    ]
    return AlarmTally(
        counts=counts,
        audible=sum(alarm.priority in PROMPT for alarm in raised),
        runs=Counter(found for _, found in runs),
        fast_runs=Counter(found for fast, found in runs if fast),
    )


class _Rates(NamedTuple):
    """Rates that annotated beats show, and whether there are such beats."""

    annotated: bool
    findings: list[RhythmFinding]


def _rates_in(annotations: Annotations, fs_hz: float, *, seconds: float, origin_ns: int) -> _Rates:
    rates = frozenset[FindingKind]().union(*RATE_ALARMS.values())
    found = [each for each in findings_in_beats(annotations, fs_hz, seconds) if each.kind in rates]
    return _Rates(
        annotated=len(beat_labels(annotations).sample) > 0,
        findings=[replace(each, start_ns=each.start_ns + origin_ns, end_ns=each.end_ns + origin_ns) for each in found],
    )


class Run(NamedTuple):
    """A run of ventricular beats: when its first and last beat were, ns, with what a match allows, and its rate."""

    first_ns: int
    last_ns: int
    bpm: float


def ventricular_runs(annotations: Annotations, fs_hz: float, origin_ns: int) -> list[Run]:
    """Every annotated run of ventricular beats."""
    beats = beat_labels(annotations)
    runs = []
    for letter, group in groupby(range(len(beats.sample)), key=lambda index: str(beats.aami[index])):
        places = list(group)
        if letter == "V" and len(places) >= RUN_BEATS:
            first, last = (origin_ns + round(beats.sample[place] / fs_hz * 1e9) for place in (places[0], places[-1]))
            bpm = (len(places) - 1) * 60e9 / max(last - first, 1)
            runs.append(Run(first - MATCH_NS, last + MATCH_NS, bpm))
    return runs
