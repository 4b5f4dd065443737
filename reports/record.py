"""The report on one recording: what was found, where, and what it rests on."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from statistics import median

import numpy as np

from bus.final_beats import final_beats
from bus.messages import Verdict
from detector.explain import Explainer
from ecg.records import MISSING, Record
from reports.episodes import MAX_STRIPS, Episode, burden_of, choose, episodes, span_s
from reports.lanes import MARKS
from reports.lettering import clock
from reports.record_strips import Findings, ShownStrip, ordinary, shown


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordReport:
    """All that a report on a recording shows.

    Attributes
    ----------
    start_s, end_s : the span that is reported on, s from the recording's start
    whole : whether that is all of the recording
    facts, summary : rows of label and value
    answers : rows of label and value: what somebody told of the patient; nobody has checked it
    found : verdicts and findings of the span
    strips : what is drawn, the worst first
    left_out : the episodes of which nothing is drawn, in time order
    notable, drawn : windows that are abnormal, unusable or touched by a finding: how many, and how many are drawn
    """

    name: str
    start_s: float
    end_s: float
    whole: bool
    facts: tuple[tuple[str, str], ...]
    summary: tuple[tuple[str, str], ...]
    found: Findings
    strips: tuple[ShownStrip, ...]
    left_out: tuple[Episode, ...]
    notable: int
    drawn: int
    answers: tuple[tuple[str, str], ...] = ()


def make_report(
    record: Record,
    found: Findings,
    explainer: Explainer,
    *,
    start_s: float = 0.0,
    end_s: float | None = None,
    answers: tuple[tuple[str, str], ...] = (),
) -> RecordReport:
    """Choose what matters of a recording, and explain it.

    Parameters
    ----------
    found : what was found in all of it
    explainer : says what a verdict rests on
    start_s, end_s : the span to report on, s from the recording's start; by default all of it
    answers : label and value of what somebody told of the patient
    """
    end_s = record.seconds if end_s is None else min(end_s, record.seconds)
    part = found.between(start_s, end_s)
    runs = episodes(part.verdicts, part.findings)
    chosen = choose(runs)
    strips = tuple(shown(record, found, explainer, episode, notable) for episode, notable in chosen)
    if not strips:
        strips = (ordinary(record, found, explainer, start_s),)
    notable = {window.verdict.window for run in runs for window in run.windows}
    drawn = {
        verdict.window
        for drawing in strips
        for verdict in part.verdicts
        if drawing.strip.start_s <= span_s(verdict)[0] < drawing.strip.end_s
    }
    return RecordReport(
        name=record.name,
        start_s=start_s,
        end_s=end_s,
        whole=start_s <= 0 and end_s >= record.seconds,
        facts=_facts(record, part.verdicts),
        summary=_summary(record, part, start_s, end_s),
        found=part,
        strips=strips,
        left_out=tuple(run for run in runs if not any(run is episode for episode, _ in chosen)),
        notable=len(notable),
        drawn=len(notable & drawn),
        answers=answers,
    )


def _facts(record: Record, verdicts: Sequence[Verdict]) -> tuple[tuple[str, str], ...]:
    judged = Counter(verdict.lead for verdict in verdicts if verdict.lead is not None)
    on = ", ".join(f"{lead} ({count})" for lead, count in judged.most_common())
    missing = float((record.samples == MISSING).mean())
    models = ", ".join(verdicts[0].models.values()) if verdicts else "no window was judged"
    return (
        ("Recording", record.name),
        ("Leads", ", ".join(record.leads)),
        ("Windows judged on", on or "no lead"),
        ("Sampling rate", f"{record.fs_hz:g} Hz"),
        ("Length", f"{clock(record.seconds)} (h:mm:ss)"),
        ("Samples missing", f"{missing:.1%}" if missing else "none"),
        ("Models", models),
    )


def _summary(record: Record, found: Findings, start_s: float, end_s: float) -> tuple[tuple[str, str], ...]:
    verdicts = found.verdicts
    decisions = Counter(verdict.decision for verdict in verdicts)
    beats = [beat.beat_class for beat in final_beats(verdicts)]
    rates = [verdict.heart_rate_bpm for verdict in verdicts if verdict.heart_rate_bpm is not None]
    flags = Counter(flag for verdict in verdicts for flag in verdict.quality.flags)
    rows = [
        *_result(found, "Result" if start_s <= 0 and end_s >= record.seconds else "Result of the whole"),
        ("Windows of 5 s", _counts({name: decisions[name] for name in ("normal", "abnormal", "unusable")})),
        ("Beats detected", _beat_counts(beats)),
    ]
    if found.reference is not None:
        first, last = np.searchsorted(found.reference.sample, [start_s * record.fs_hz, end_s * record.fs_hz])
        rows.append(("Beats annotated", _beat_counts(found.reference.aami[first:last].tolist())))
    rows.append(
        (
            "Heart rate",
            f"{median(rates):.0f}/min (median of the windows), {min(rates):.0f} to {max(rates):.0f}"
            if rates
            else "not known",
        )
    )
    rhythm = Counter(finding.text for finding in found.findings if not finding.is_episode)
    rows.append(("Rhythm findings", _counts(rhythm) if rhythm else "none"))
    burden = burden_of(found.findings, start_s, end_s)
    if burden is not None:
        hours = f"; hour by hour {', '.join(f'{each:.0%}' for each in burden.by_hour)}" if burden.by_hour[1:] else ""
        rows.append(("Time in atrial fibrillation", f"{burden.share:.0%}{hours}"))
    flagged = {flag.replace("_", " "): count for flag, count in flags.items()}
    rows.append(("Signal", f"windows flagged: {_counts(flagged)}" if flagged else "no window flagged"))
    return tuple(rows)


def _result(found: Findings, label: str) -> list[tuple[str, str]]:
    """The one word, how sure, and why."""
    word = found.aggregate
    if word is None:
        return []
    sure = "" if word.confidence is None else f", with a probability of {word.confidence:.2f}"
    return [(label, f"{word.decision}{sure}"), *([("Because", word.reason)] if word.reason else [])]


def _counts(counts: dict[str, int] | Counter[str]) -> str:
    return ", ".join(f"{count} {name}" for name, count in counts.items())


def _beat_counts(letters: Iterable[str | None]) -> str:
    counts = Counter(letters)
    named = {mark.name: counts[letter] for letter, mark in MARKS.items() if counts[letter]}
    return f"{sum(named.values())}: {_counts(named)}" if named else "none"


def what_is_left_out(report: RecordReport) -> str:
    """Return how much of what matters is not drawn, and how to see it."""
    rest = report.notable - report.drawn
    if not rest:
        return ""
    return (
        f"{report.drawn} of {report.notable} windows of note are drawn, on {len(report.strips)} strips "
        f"({MAX_STRIPS} at most). To see the others, make a report on a part: --from S --to S, in seconds."
    )
