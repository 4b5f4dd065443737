"""Stretches of a recording that matter: grouped, ranked, and limited."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import ceil
from typing import get_args

from bus.messages import Condition, Verdict
from ecg.findings import FindingKind
from ecg.urgency import PRIORITY_RANK, AlarmPriority
from ecg.windows import WINDOW_S

MAX_STRIPS = 20  # ten A4 sheets: what somebody reads
MAX_OF_EPISODE = 5  # an hour of fibrillation looks the same throughout
APART_S = 30.0  # between two strips of one episode
JOINED_S = 5.0  # notable windows with one ordinary window between them are one episode
HOUR_S = 3600.0
STRIP_S = 10.0  # fits the long side of A4 at 25 mm/s

_RHYTHMS = frozenset(get_args(FindingKind))
_UNUSABLE_RANK = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportFinding:
    """Something found in a recording.

    Attributes
    ----------
    start_s, end_s : its span, s from the recording's start
    kind : a rhythm finding's kind, or the condition of an episode that would raise an alarm
    priority : its urgency
    lead : the lead that it rests on; None where it rests on none
    rate_bpm : the rate of its beats, or the heart rate that it is about, 1/min; None where it has none
    """

    start_s: float
    end_s: float
    kind: Condition
    priority: AlarmPriority
    lead: str | None = None
    rate_bpm: float | None = None

    @property
    def text(self) -> str:
        """Its name as people write it."""
        return self.kind.replace("_", " ")

    @property
    def is_episode(self) -> bool:
        """Return whether it is an alarm's episode rather than a rhythm with a name."""
        return self.kind not in _RHYTHMS


@dataclass(frozen=True, slots=True, kw_only=True)
class Notable:
    """A window worth a look.

    Attributes
    ----------
    start_s, end_s : its span, s from the recording's start
    rank : how urgent, 0 the most
    """

    verdict: Verdict
    start_s: float
    end_s: float
    rank: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Episode:
    """A run of notable windows."""

    windows: tuple[Notable, ...]

    @property
    def start_s(self) -> float:
        """Return its start, s."""
        return self.windows[0].start_s

    @property
    def end_s(self) -> float:
        """Return its end, s."""
        return self.windows[-1].end_s

    @property
    def worst_first(self) -> list[Notable]:
        """Its windows by urgency, then by score."""
        return sorted(self.windows, key=_urgency)


@dataclass(frozen=True, slots=True, kw_only=True)
class Burden:
    """Share of time in atrial fibrillation.

    Attributes
    ----------
    share : of all
    by_hour : of each hour from the beginning; the last may be shorter
    """

    share: float
    by_hour: tuple[float, ...]


def burden_of(findings: Iterable[ReportFinding], start_s: float, end_s: float) -> Burden | None:
    """The burden of atrial fibrillation from ``start_s`` to ``end_s``, None where none was found there."""
    spans = [
        (max(found.start_s, start_s), min(found.end_s, end_s))
        for found in findings
        if found.kind == "atrial_fibrillation" and found.start_s < end_s and found.end_s > start_s
    ]
    if not spans:
        return None
    firsts = [start_s + HOUR_S * hour for hour in range(ceil((end_s - start_s) / HOUR_S))]
    hours = [(first, min(first + HOUR_S, end_s)) for first in firsts]
    by_hour = [sum(max(0.0, min(b, end) - max(a, first)) for a, b in spans) / (end - first) for first, end in hours]
    share = sum(b - a for a, b in spans) / (end_s - start_s)
    return Burden(share=round(share, 4), by_hour=tuple(round(each, 4) for each in by_hour))


def episodes(verdicts: Sequence[Verdict], findings: Sequence[ReportFinding]) -> list[Episode]:
    """The runs of windows that are abnormal, unusable or touched by a finding, in time order."""
    hop_s = verdicts[0].hop_s if verdicts else WINDOW_S
    touching: dict[int, int] = {}
    for found in findings:
        if not found.is_episode:
            first = max(0, int((found.start_s - WINDOW_S) // hop_s) + 1)
            for window in range(first, int(found.end_s // hop_s) + 1):
                touching[window] = min(touching.get(window, _UNUSABLE_RANK), PRIORITY_RANK[found.priority])
    groups: list[list[Notable]] = []
    for verdict in verdicts:
        start_s, end_s = span_s(verdict)
        if verdict.decision == "normal" and verdict.window not in touching:
            continue
        own = _UNUSABLE_RANK if verdict.decision == "unusable" else PRIORITY_RANK["information"]
        notable = Notable(
            verdict=verdict, start_s=start_s, end_s=end_s, rank=min(own, touching.get(verdict.window, own))
        )
        if groups and start_s - groups[-1][-1].end_s <= JOINED_S:
            groups[-1].append(notable)
        else:
            groups.append([notable])
    return [Episode(windows=tuple(group)) for group in groups]


def choose(found: Sequence[Episode]) -> list[tuple[Episode, Notable]]:
    """The windows around which strips are drawn: each episode's worst, then more of long ones; the worst first."""
    first = sorted(((episode, episode.worst_first[0]) for episode in found), key=lambda pair: _urgency(pair[1]))
    chosen = first[:MAX_STRIPS]
    for episode, worst in first:
        taken = [worst]
        for notable in episode.worst_first[1:]:
            if len(chosen) >= MAX_STRIPS or len(taken) >= MAX_OF_EPISODE:
                break
            if all(abs(notable.start_s - other.start_s) >= APART_S for other in taken):
                taken.append(notable)
                chosen.append((episode, notable))
    return sorted(chosen, key=lambda pair: _urgency(pair[1]))


def span_s(verdict: Verdict) -> tuple[float, float]:
    """A verdict's window in seconds from the recording's start."""
    return (verdict.start_ns - verdict.stream_start_ns) / 1e9, (verdict.end_ns - verdict.stream_start_ns) / 1e9


def _urgency(notable: Notable) -> tuple[int, float, float]:
    return notable.rank, -(notable.verdict.fused or 0.0), notable.start_s
