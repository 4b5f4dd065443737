"""Lethal rhythms held against rhythm marks: which episodes raised an alarm, how soon, and what was raised outside them.

For databases whose experts marked rhythms and no beats.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from statistics import median
from typing import Any, NamedTuple, get_args

from bus.messages import Alert
from ecg.annotations import Annotations
from ecg.findings import LethalKind
from ecg.labels import rhythm_intervals
from training.metrics import ratio

# Rhythms by what they are called in MIT-BIH databases. There is no sharp border between ventricular tachycardia,
# flutter and fibrillation, and an alarm of either brings help: both count in both.
EPISODES = {
    "vf": frozenset({"(VF", "(VFIB", "(VFL"}),
    "vt": frozenset({"(VT"}),
    "asystole": frozenset({"(ASYS"}),
}
ALARMS_OF: dict[str, frozenset[LethalKind]] = {
    "vf": frozenset({"ventricular_flutter", "ventricular_tachycardia"}),
    "vt": frozenset({"ventricular_flutter", "ventricular_tachycardia"}),
    "asystole": frozenset({"asystole"}),
}
# An alarm there is outside the episodes of its kind, but no false cry: high grade ectopic activity is ventricular runs
# that the experts did not mark one by one, and help that comes to an asystole for a fibrillation is not in vain.
NOT_IN_VAIN = frozenset({"(HGEA"}).union(*EPISODES.values())
LETHAL_KINDS: tuple[LethalKind, ...] = get_args(LethalKind)
SHORTEST_S = 4.0  # of an episode that counts: the definitions of asystole and of five ventricular beats need as much
NEAR_S = 5.0  # around an episode: marks are set by the beat, and an alarm may tell of the seconds before


class RaisedAlarm(NamedTuple):
    """A lethal alarm from where its condition was seen, by when it was raised; s since the record's start."""

    condition: str
    onset_s: float
    last_s: float
    raised_s: float


@dataclass(slots=True, kw_only=True)
class EpisodeTally:
    """Counts over records.

    Attributes
    ----------
    hours : judged
    delays_s : by kind of episode, of each that was found, from its begin to the alarm
    missed : by kind, how many were not
    false : alarms outside the episodes that they are of, by condition
    not_in_vain : those of them in a lethal rhythm of another kind or in high grade ectopic activity
    """

    hours: float = 0.0
    delays_s: dict[str, list[float]] = field(default_factory=lambda: {kind: [] for kind in EPISODES})
    missed: dict[str, int] = field(default_factory=lambda: dict.fromkeys(EPISODES, 0))
    false: dict[str, int] = field(default_factory=lambda: dict.fromkeys(LETHAL_KINDS, 0))
    not_in_vain: dict[str, int] = field(default_factory=lambda: dict.fromkeys(LETHAL_KINDS, 0))

    def add(self, other: "EpisodeTally") -> None:
        """Count another's in."""
        self.hours += other.hours
        for kind in EPISODES:
            self.delays_s[kind] += other.delays_s[kind]
            self.missed[kind] += other.missed[kind]
        for condition in self.false:
            self.false[condition] += other.false[condition]
            self.not_in_vain[condition] += other.not_in_vain[condition]


def raised_alarms(alerts: Iterable[Alert], origin_ns: int) -> list[RaisedAlarm]:
    """Every time that a lethal alarm was raised: one that comes back counts again."""
    raised: dict[tuple[str, int | None], list[Alert]] = defaultdict(list)
    for alert in sorted(alerts, key=lambda alert: (alert.id, alert.sequence)):
        if alert.condition in LETHAL_KINDS:
            raised[alert.id, alert.returned_ns].append(alert)
    return [
        RaisedAlarm(
            condition=first.condition,
            onset_s=((first.onset_ns if first.returned_ns is None else first.returned_ns) - origin_ns) / 1e9,
            last_s=(max(alert.last_ns for alert in every) - origin_ns) / 1e9,
            raised_s=(first.told_ns - origin_ns) / 1e9,
        )
        for every in raised.values()
        for first in every[:1]
    ]


def tally_episodes(
    alarms: Iterable[RaisedAlarm], annotations: Annotations, fs_hz: float, *, seconds: float
) -> EpisodeTally:
    """Count one record.

    Parameters
    ----------
    alarms : all lethal ones that were raised
    annotations : the reference
    fs_hz : sampling rate in Hz
    seconds : length of the record
    """
    tally, every = EpisodeTally(hours=seconds / 3600), list(alarms)
    episodes = {kind: _episodes(annotations, names, fs_hz, seconds) for kind, names in EPISODES.items()}
    for kind, spans_of_kind in episodes.items():
        of_kind = [alarm for alarm in every if alarm.condition in ALARMS_OF[kind]]
        for start_s, end_s in spans_of_kind:
            if end_s - start_s < SHORTEST_S:
                continue
            raised_s = [a.raised_s for a in of_kind if a.onset_s <= end_s + NEAR_S and a.last_s >= start_s]
            if raised_s:
                tally.delays_s[kind].append(max(0.0, min(raised_s) - start_s))
            else:
                tally.missed[kind] += 1
    bad = _episodes(annotations, NOT_IN_VAIN, fs_hz, seconds)
    for alarm in every:
        spans = [span for kind, of_kind in episodes.items() if alarm.condition in ALARMS_OF[kind] for span in of_kind]
        if not _in_any(alarm, spans):
            tally.false[alarm.condition] += 1
            tally.not_in_vain[alarm.condition] += _in_any(alarm, bad)
    return tally


def _in_any(alarm: RaisedAlarm, spans: Iterable[tuple[float, float]]) -> bool:
    return any(alarm.onset_s <= end_s + NEAR_S and alarm.last_s >= start_s - NEAR_S for start_s, end_s in spans)


def _episodes(
    annotations: Annotations, names: frozenset[str], fs_hz: float, seconds: float
) -> list[tuple[float, float]]:
    """Stretches in one of some rhythms, s; those that follow each other are one."""
    spans: list[tuple[float, float]] = []
    for interval in rhythm_intervals(annotations):
        if interval.name not in names:
            continue
        start_s, end_s = interval.start / fs_hz, seconds if interval.end is None else interval.end / fs_hz
        if spans and spans[-1][1] >= start_s:
            spans[-1] = (spans[-1][0], end_s)
        else:
            spans.append((start_s, end_s))
    return spans


def episode_figures(tallies: Mapping[str, EpisodeTally]) -> dict[str, Any]:
    """The figures of some records, as `ecgstream evaluate --json` writes them."""
    total = EpisodeTally()
    for tally in tallies.values():
        total.add(tally)
    return {
        "records": len(tallies),
        "hours": round(total.hours, 3),
        "episodes": {
            kind: {
                "n": len(delays) + total.missed[kind],
                "found": len(delays),
                "median_delay_s": round(median(delays), 1) if delays else None,
            }
            for kind, delays in total.delays_s.items()
        },
        "false_lethal_per_hour": {name: ratio(count, total.hours) for name, count in total.false.items()},
        "of_these_in_other_lethal_rhythm_or_high_grade_ectopy_per_hour": {
            name: ratio(count, total.hours) for name, count in total.not_in_vain.items()
        },
        "per_record": {
            name: {
                "found": {kind: len(delays) for kind, delays in tally.delays_s.items()},
                "missed": tally.missed,
                "false": tally.false,
                "not_in_vain": tally.not_in_vain,
            }
            for name, tally in tallies.items()
        },
    }
