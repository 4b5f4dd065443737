"""The strips of a report on a recording: what is drawn around a window, and what is said below it."""

from dataclasses import dataclass, replace
from typing import cast

import numpy as np
import numpy.typing as npt

from bus.final_beats import final_beats
from bus.messages import BeatClass, Verdict
from detector.explain import Explainer, Explanation
from detector.window_parts import PART_S
from ecg.labels import BeatLabels
from ecg.leads import choose_leads
from ecg.records import Record, to_millivolts
from ecg.urgency import PRIORITY_RANK
from ecg.windows import WINDOW_S
from reports.aggregate import Aggregate
from reports.episodes import STRIP_S, Episode, Notable, ReportFinding, span_s
from reports.lettering import clock
from reports.strip import Strip, StripBeat, StripEvidence, StripFinding, StripWindow

LEAST_FALL = 0.3  # log odds: a score of 0.57 falls to 0.5; where no part carries as much, none stands out
EDGE_S = 0.5  # a window of which less is on a strip is not told of with it
MAX_KINDS = 3  # of rhythm findings in a title; the strip shows all
PEAK_SHARE, MAX_PEAKS = 0.5, 3  # of the strongest part's fall; parts that are named


@dataclass(frozen=True, slots=True, kw_only=True)
class Findings:
    """Findings of a recording.

    Attributes
    ----------
    verdicts : the verdicts on its windows, in order
    findings : rhythm findings and episodes, by start
    reference : its annotated beats; None where nobody annotated it
    aggregate : the whole recording in one word; None where that is not known
    """

    verdicts: tuple[Verdict, ...]
    findings: tuple[ReportFinding, ...]
    reference: BeatLabels | None = None
    aggregate: Aggregate | None = None

    def between(self, start_s: float, end_s: float) -> "Findings":
        """Return what touches a span, s from the recording's start."""
        return Findings(
            verdicts=tuple(v for v in self.verdicts if span_s(v)[0] < end_s and span_s(v)[1] > start_s),
            findings=tuple(f for f in self.findings if f.start_s < end_s and f.end_s >= start_s),
            reference=self.reference,
            aggregate=self.aggregate,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class WindowLine:
    """Line on one window below its strip."""

    time: str
    lead: str
    decision: str
    scores: str
    reasons: str
    rests_on: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ShownStrip:
    """A strip with its title and what is said below it."""

    title: str
    strip: Strip
    lines: tuple[WindowLine, ...]


def shown(record: Record, found: Findings, explainer: Explainer, episode: Episode, notable: Notable) -> ShownStrip:
    """The strip of an episode that holds one of its windows."""
    before = next((w for w in episode.windows if w.end_s == notable.start_s), None)
    after = next((w for w in episode.windows if w.start_s == notable.end_s), None)
    # The neighbour that belongs to the episode, else what comes after.
    start_s = notable.start_s - WINDOW_S if before is not None and after is None else notable.start_s
    kinds = {
        finding.text: finding.priority
        for finding in sorted(found.findings, key=lambda finding: PRIORITY_RANK[finding.priority])
        if not finding.is_episode and finding.start_s < start_s + STRIP_S and finding.end_s >= start_s
    }
    parts = (
        [", ".join(f"{text} ({priority} priority)" for text, priority in list(kinds.items())[:MAX_KINDS])]
        if kinds
        else []
    )
    if len(episode.windows) > 1:
        count = len(episode.windows)
        parts.append(f"of {count} windows of note from {clock(episode.start_s)} to {clock(episode.end_s)}")
    return _strip(record, found, explainer, start_s, "; ".join([f"At {clock(start_s)}", *parts]))


def ordinary(record: Record, found: Findings, explainer: Explainer, start_s: float) -> ShownStrip:
    """Make an ordinary strip, where nothing is of note."""
    judged = [verdict for verdict in found.verdicts if span_s(verdict)[1] > start_s]
    first_s = span_s(judged[0])[0] if judged else start_s
    title = "Nothing abnormal was found; so it looks" if judged else "Shorter than one window of 5 s: not judged"
    return _strip(record, found, explainer, first_s, title)


def _strip(record: Record, found: Findings, explainer: Explainer, start_s: float, title: str) -> ShownStrip:
    start_s = max(0.0, min(start_s, record.seconds - STRIP_S))
    bare = strip_of(record, found, start_s, STRIP_S)
    inside = [v for v in found.verdicts if span_s(v)[0] < bare.end_s - EDGE_S and span_s(v)[1] > bare.start_s + EDGE_S]
    explained = {
        verdict.window: explanation
        for verdict in inside
        if verdict.decision == "abnormal"
        and (explanation := explainer.explain(record, verdict.window)) is not None
        and explanation.part_fall.max() >= LEAST_FALL
    }
    columns = choose_leads(record.leads)
    evidence = tuple(_evidence(explanation, columns) for explanation in explained.values())
    return ShownStrip(
        title=title,
        strip=replace(bare, evidence=evidence),
        lines=tuple(_line(verdict, explained.get(verdict.window)) for verdict in inside),
    )


def strip_of(record: Record, found: Findings, start_s: float, seconds: float) -> Strip:
    """A stretch of a recording with what was found in it, as it is drawn.

    Parameters
    ----------
    found : what was found in all of it
    start_s, seconds : the stretch, s from the recording's start; what lies beyond the recording's end is left out

    Raises
    ------
    EcgStreamError : when it holds nothing of the recording, or is longer than a strip may be
    """
    columns = choose_leads(record.leads)
    fs_hz = record.fs_hz
    first = round(start_s * fs_hz)
    last = min(round((start_s + seconds) * fs_hz), len(record.samples))
    start_s, end_s = first / fs_hz, last / fs_hz
    leads = tuple(record.leads[column] for column in columns)
    return Strip(
        fs_hz=fs_hz,
        leads=leads,
        samples_mv=to_millivolts(
            record.samples[first:last, columns],
            tuple(record.gain[column] for column in columns),
            tuple(record.baseline[column] for column in columns),
        ),
        start_s=start_s,
        beats=tuple(
            StripBeat(t_s=t_s, beat_class=beat.beat_class)
            for beat in final_beats(found.verdicts)
            if start_s <= (t_s := (beat.t_ns - found.verdicts[0].stream_start_ns) / 1e9) < end_s
        ),
        reference=_reference(found.reference, fs_hz, first, last),
        windows=tuple(
            StripWindow(start_s=span_s(v)[0], end_s=span_s(v)[1], decision=v.decision, score=v.fused)
            for v in found.verdicts
            if span_s(v)[0] < end_s - EDGE_S and span_s(v)[1] > start_s + EDGE_S
        ),
        findings=tuple(
            StripFinding(start_s=f.start_s, end_s=f.end_s, text=f.text)
            for f in sorted(found.findings, key=lambda f: PRIORITY_RANK[f.priority])
            if not f.is_episode and f.start_s < end_s and f.end_s >= start_s
        ),
    )


def _reference(labels: BeatLabels | None, fs_hz: float, first: int, last: int) -> tuple[StripBeat, ...] | None:
    if labels is None:
        return None
    a, b = np.searchsorted(labels.sample, [first, last])
    return tuple(
        StripBeat(t_s=int(sample) / fs_hz, beat_class=cast("BeatClass", str(letter)))
        for sample, letter in zip(labels.sample[a:b], labels.aami[a:b], strict=True)
    )


def _evidence(explanation: Explanation, columns: tuple[int, ...]) -> StripEvidence:
    carried = explanation.carried
    weight = np.zeros((len(carried), len(columns)))
    for number, column in enumerate(explanation.columns):
        weight[:, columns.index(column)] = carried[:, number] / carried.max()
    return StripEvidence(start_s=explanation.start_s, part_s=PART_S, weight=weight)


def _line(verdict: Verdict, explanation: Explanation | None) -> WindowLine:
    start_s, end_s = span_s(verdict)
    named = (("CNN", verdict.cnn), ("autoencoder", verdict.autoencoder), ("fused", verdict.fused))
    return WindowLine(
        time=f"{clock(start_s)} to {clock(end_s)}",
        lead=verdict.lead or "",
        decision=verdict.decision,
        scores=", ".join(f"{name} {value:.2f}" for name, value in named if value is not None),
        reasons="; ".join(verdict.reasons),
        rests_on=_rests_on(verdict, explanation),
    )


def _rests_on(verdict: Verdict, explanation: Explanation | None) -> str:
    if verdict.decision != "abnormal":
        return ""
    if explanation is None:
        return "no single part: the whole window, or the rhythm before it"
    number = explanation.strongest_part
    carried = explanation.carried[number]
    shares = ", ".join(
        f"{lead} {share:.0%}" for lead, share in zip(explanation.leads, carried / carried.sum(), strict=True)
    )
    times = [clock(explanation.start_s + (peak + 0.5) * PART_S) for peak in peaks(explanation.part_fall)]
    return (
        f"{' and '.join(times)}; without {'it' if len(times) == 1 else 'the first'} the log odds fall by "
        f"{explanation.part_fall[number]:.1f} ({shares})"
    )


def peaks(fall: npt.NDArray[np.float64]) -> list[int]:
    """The parts that carried the most, the first before all: three at most, each half as much and its own hill."""
    padded = np.pad(fall, 1, constant_values=-np.inf)
    hills = np.flatnonzero((fall >= padded[:-2]) & (fall > padded[2:]) & (fall >= PEAK_SHARE * fall.max()))
    return sorted(hills.tolist(), key=lambda part: -fall[part])[:MAX_PEAKS]
