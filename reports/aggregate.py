"""The one word of a recording: decided by its windows and its findings together, with a reason. Pure."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from alerting.conditions import kind_of, label_of
from alerting.rules import Rule, windows_in
from bus.messages import BeatClass, Condition, Decision, Verdict
from ecg.urgency import PRIORITY_RANK, PROMPT
from ecg.windows import HOP_S
from reports.episodes import ReportFinding, span_s

EVEN = 0.5  # what was decided is at least as likely as not
LEAST_JUDGED = 0.5  # of the windows: "normal" of a whole rests on more than this share of it
MAX_NAMED = 4  # kinds of findings in a reason: a glance
WHOLE_FROM_S, MINUTES_FROM_S = 10.0, 120.0  # spans from which tenths are left out, and minutes are told
_NO_BEATS: Mapping[BeatClass | None, int] = {}
_BEATS: dict[BeatClass, str] = {"V": "ventricular", "S": "supraventricular", "F": "fusion"}

# Of the recordings in which a kind was found, in how many annotators saw it; one right, one wrong added (Laplace).
# docs/scoring.md, "How sure", has the recordings. Of a kind that is not here nothing is known.
PRECISION: dict[Condition, float] = {
    "asystole": 16 / 23,
    "ventricular_flutter": 13 / 33,
    "ventricular_tachycardia": 65 / 100,
    "ventricular_run": 30 / 34,
    "couplet": 41 / 51,
    "bigeminy": 24 / 28,
    "trigeminy": 28 / 29,
    "pause": 2 / 3,
    "bradycardia": 11 / 13,
    "tachycardia": 45 / 53,
    "extreme_bradycardia": 22 / 26,
    "extreme_tachycardia": 80 / 83,
    "atrial_fibrillation": 227 / 254,
    "supraventricular_run": 22 / 34,
    "supraventricular_tachycardia": 10 / 19,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Aggregate:
    """A recording in one word.

    Attributes
    ----------
    decision : "abnormal", "normal", or "unusable" where too little could be judged to say "normal"
    confidence : the probability of what was decided, 0.5 to 1; None where nothing could be
    abnormal_fraction : which share of the usable windows is abnormal; None where none is usable
    reason : what decided, in words
    """

    decision: Decision
    confidence: float | None
    abnormal_fraction: float | None
    reason: str

    def as_json(self) -> dict[str, Any]:
        """The aggregate as a JSON object."""
        return asdict(self)


@dataclass(frozen=True, slots=True, kw_only=True)
class WindowFigures:
    """Figures of a window on which the one word of a recording rests; a day of them is small, a day of verdicts is not.

    Attributes
    ----------
    start_s : s from the recording's start
    hop_s : from one window to the next, s
    decision, fused : of the verdict
    flags : of its quality
    reason : the first that it gives, None where it gives none
    beats : how many of each class, in an abnormal window
    """

    start_s: float
    hop_s: int
    decision: Decision
    fused: float | None
    flags: tuple[str, ...]
    reason: str | None
    beats: Mapping[BeatClass | None, int]

    @classmethod
    def of(cls, verdict: Verdict) -> "WindowFigures":
        """Return the figures of a verdict."""
        abnormal = verdict.decision == "abnormal"
        return cls(
            start_s=span_s(verdict)[0],
            hop_s=verdict.hop_s,
            decision=verdict.decision,
            fused=verdict.fused,
            flags=tuple(verdict.quality.flags),
            reason=next(iter(verdict.reasons), None),
            beats=Counter(beat.beat_class for beat in verdict.beats) if abnormal else _NO_BEATS,
        )


def aggregate_of(
    windows: Sequence[WindowFigures], findings: Sequence[ReportFinding], rules: Mapping[Condition, Rule]
) -> Aggregate:
    """The one word of a recording.

    Abnormal when a finding about the patient has high or medium priority, or when as many windows together are abnormal
    as make an episode; in a recording too short for one, when any is. Else unusable when half of it or more could not
    be judged, or when the signal itself has such a finding. Else normal.

    Parameters
    ----------
    windows : its windows, in order
    findings : rhythms and episodes in it
    rules : what makes an episode
    """
    rule = rules["abnormal_window"]
    judged = [window for window in windows if window.fused is not None and not rule.gate & set(window.flags)]
    abnormal = [window for window in judged if window.decision == "abnormal"]
    of_patient = [found for found in findings if kind_of(found.kind) == "physiological"]
    of_signal = [found for found in findings if kind_of(found.kind) == "technical"]
    deciding = [found for found in of_patient if found.priority in PROMPT or found.kind == "abnormal_window"]
    hop_s = windows[0].hop_s if windows else HOP_S
    likely = episode_probability([window.fused or 0.0 for window in judged], rule, hop_s)
    decision: Decision = "normal"
    confidence: float | None = None
    if deciding or _is_episode(judged, rule, hop_s):
        decision = "abnormal"
        confidence = _not_below_even(max([likely, *(PRECISION.get(found.kind, EVEN) for found in deciding)]))
        reasons = [*_named(of_patient), *_abnormal_windows(abnormal, judged), *_not_judged(judged, windows)]
    elif len(judged) <= LEAST_JUDGED * len(windows) or any(found.priority in PROMPT for found in of_signal):
        decision = "unusable"
        reasons = [_too_little(judged, windows), *_named(of_signal)]
    else:
        confidence = _not_below_even(1 - likely)
        reasons = [_nothing(abnormal, judged), *_named(of_patient), *_not_judged(judged, windows)]
    return Aggregate(
        decision=decision,
        confidence=confidence,
        abnormal_fraction=_abnormal_fraction(windows),
        reason="; ".join(reasons),
    )


def aggregate_of_rows(rows: Sequence[Aggregate], windows: Sequence[WindowFigures]) -> Aggregate:
    """The one word of recordings that have nothing to do with each other.

    Abnormal when one is, as sure as the surest of those; normal as the least sure of them.

    Parameters
    ----------
    rows : the one word of each, in order
    windows : those of all
    """
    of = {word: [row for row, each in enumerate(rows) if each.decision == word] for word in ("abnormal", "normal")}
    counted = f"{len(of['abnormal'])} of {len(rows)} rows abnormal"
    decision: Decision = "normal"
    confidence: float | None = None
    unjudged = [row for row, each in enumerate(rows) if each.decision == "unusable"]
    because = f" (row {unjudged[0]}: {rows[unjudged[0]].reason})" if unjudged else ""
    reason = f"{counted}; {len(unjudged)} could not be judged{because}"
    if of["abnormal"]:
        decision = "abnormal"
        surest = max(of["abnormal"], key=lambda row: rows[row].confidence or 0.0)
        confidence = rows[surest].confidence
        reason = f"{counted}; row {surest}: {rows[surest].reason}"
    elif len(of["normal"]) <= LEAST_JUDGED * len(rows):
        decision = "unusable"
    else:
        confidence = min(rows[row].confidence or EVEN for row in of["normal"])
    return Aggregate(
        decision=decision, confidence=confidence, abnormal_fraction=_abnormal_fraction(windows), reason=reason
    )


def episode_probability(scores: Sequence[float], rule: Rule, hop_s: int) -> float:
    """Return the probability that somewhere as many windows together are abnormal as make an episode.

    Neighbours are alike. Taken as wholly alike, two of three windows are both abnormal as often as the less probable of
    the two is; the likeliest stretch bounds the recording from below. Where there are too few windows for an episode it
    is the likeliest window.

    Parameters
    ----------
    scores : probability of each window that it is abnormal, in order
    rule : how long, of how long, makes an episode
    hop_s : from one window to the next, s
    """
    start, of = windows_in(rule.start_s, hop_s), windows_in(rule.of_s, hop_s)
    if len(scores) < of:
        return max(scores, default=0.0)
    stretches = (scores[first : first + of] for first in range(len(scores) - of + 1))
    return max(sorted(stretch)[-start] for stretch in stretches)


def _abnormal_fraction(windows: Sequence[WindowFigures]) -> float | None:
    usable = [window for window in windows if window.fused is not None]
    return round(sum(window.decision == "abnormal" for window in usable) / len(usable), 4) if usable else None


def _is_episode(judged: Sequence[WindowFigures], rule: Rule, hop_s: int) -> bool:
    marks = [1.0 if window.decision == "abnormal" else 0.0 for window in judged]
    return episode_probability(marks, rule, hop_s) > 0


def _not_below_even(probability: float) -> float:
    """A threshold near one half may decide against a score on its other side: then nothing is sure."""
    return round(min(max(probability, EVEN), 1.0), 4)


def _named(findings: Sequence[ReportFinding]) -> list[str]:
    """Findings in words, kind by kind, the most urgent first."""
    kinds: dict[Condition, list[ReportFinding]] = {}
    for found in sorted(findings, key=lambda found: (PRIORITY_RANK[found.priority], found.start_s)):
        kinds.setdefault(found.kind, []).append(found)
    named = [_kind_text(kind, found) for kind, found in kinds.items()]
    rest = len(named) - MAX_NAMED
    return named if rest <= 0 else [*named[:MAX_NAMED], f"{rest} more kind{'s' if rest > 1 else ''} of findings"]


def _kind_text(kind: Condition, found: Sequence[ReportFinding]) -> str:
    first = min(found, key=lambda each: each.start_s)
    longest = max(found, key=lambda each: each.end_s - each.start_s)
    if len(found) > 1:
        many = f"{label_of(kind)} {len(found)} times from {place(first.start_s)}"
        return f"{many}, the longest {span(longest.end_s - longest.start_s)}"
    rate = "" if first.rate_bpm is None else f" at {first.rate_bpm:.0f}/min"
    return f"{label_of(kind)}{rate} from {place(first.start_s)}, {span(first.end_s - first.start_s)}"


def _abnormal_windows(abnormal: Sequence[WindowFigures], judged: Sequence[WindowFigures]) -> list[str]:
    if not abnormal:
        return []
    counts: Counter[BeatClass | None] = Counter()
    for window in abnormal:
        counts.update(window.beats)
    beats = [f"{n} {name} beat{'s' if n > 1 else ''}" for letter, name in _BEATS.items() if (n := counts[letter])]
    with_beats = f", with {', '.join(beats)}" if beats else ""
    return [f"{len(abnormal)} of {len(judged)} windows abnormal{with_beats}"]


def _nothing(abnormal: Sequence[WindowFigures], judged: Sequence[WindowFigures]) -> str:
    if not abnormal:
        return f"nothing abnormal in {len(judged)} window{'s' if len(judged) > 1 else ''}"
    return f"{len(abnormal)} of {len(judged)} windows abnormal by themselves, the first at {place(abnormal[0].start_s)}"


def _not_judged(judged: Sequence[WindowFigures], windows: Sequence[WindowFigures]) -> list[str]:
    rest = len(windows) - len(judged)
    return [f"{rest} of {len(windows)} windows could not be judged"] if rest else []


def _too_little(judged: Sequence[WindowFigures], windows: Sequence[WindowFigures]) -> str:
    believed = set(map(id, judged))
    why = Counter(window.reason for window in windows if id(window) not in believed and window.reason is not None)
    because = f": {why.most_common(1)[0][0]}" if why else ""
    return f"{len(judged) or 'none'} of {len(windows)} windows could be judged{because}"


def place(t_s: float) -> str:
    """A time of a recording as people say it: 1:05, or 1:02:03."""
    minutes, seconds = divmod(int(t_s), 60)
    hours, rest = divmod(minutes, 60)
    return f"{hours}:{rest:02d}:{seconds:02d}" if hours else f"{rest}:{seconds:02d}"


def span(seconds: float) -> str:
    """A length of time as people say it: 2.4 s, 40 s, or 4 min 10 s."""
    if seconds < WHOLE_FROM_S:
        return f"{seconds:.1f} s"
    if seconds < MINUTES_FROM_S:
        return f"{seconds:.0f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s" if rest else f"{minutes} min"
