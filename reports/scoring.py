"""Scoring files without a broker: the detector's verdicts on a recording, told in seconds of the file."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

from alerting.policy import policy
from alerting.rules import FINDINGS, AlarmRules
from alerting.state import PatientState
from bus.messages import Alert, Urgent, Verdict
from detector.offline import EPOCH_NS, told_of, verdicts_in
from detector.scorer import Scorer
from ecg.files import read_recording
from ecg.findings import PRIORITIES, RhythmFinding, merged
from ecg.npy_files import WindowSet
from ecg.records import Record, exact_rate
from ecg.windows import Grid


@dataclass(frozen=True, slots=True, kw_only=True)
class Scored:
    """What was found in a recording.

    Attributes
    ----------
    record : the recording; of windows, all of them on one time axis
    verdicts : on its windows of 5 s, by its time axis
    result : as the JSON of ``ecgstream score`` has it
    """

    record: Record
    verdicts: tuple[Verdict, ...]
    result: dict[str, Any]


def score_file(
    path: Path,
    scorer: Scorer,
    rules: AlarmRules,
    *,
    fs_hz: float | None = None,
    leads: tuple[str, ...] | None = None,
    unit: str | None = None,
) -> dict[str, Any]:
    """The result of one file, as the JSON of ``ecgstream score`` has it.

    Parameters
    ----------
    path : a WFDB, EDF, CSV or ``.npy`` file
    scorer : judges the windows
    rules : what alarms
    fs_hz, leads, unit : see ``ecg.files.read_recording``

    Raises
    ------
    EcgStreamError : when the file cannot be read
    """
    return scored(read_recording(path, fs_hz=fs_hz, leads=leads, unit=unit), scorer, rules, file=str(path)).result


def scored(recording: Record | WindowSet, scorer: Scorer, rules: AlarmRules, *, file: str) -> Scored:
    """Judge a recording as the stream would; windows of a set each on their own.

    Parameters
    ----------
    recording : what a file holds
    scorer : judges the windows
    rules : what alarms
    file : its name, for the result
    """
    if isinstance(recording, WindowSet):
        return _scored_set(recording, scorer, rules, file=file)
    told = told_of(recording, scorer, patient="file")
    result = result_of(recording, told, rules, file=file)
    return Scored(record=recording, verdicts=tuple(verdicts_in(told)), result=result)


def _scored_set(windows: WindowSet, scorer: Scorer, rules: AlarmRules, *, file: str) -> Scored:
    """Each window as a recording of its own, told on the axis of all; ``row`` is its number in the file."""
    whole = result_of(windows.record, (), rules, file=file)
    grid = Grid(exact_rate(windows.record.fs_hz))
    verdicts: list[Verdict] = []
    rows: list[dict[str, Any]] = []
    for row, (start, record) in enumerate(windows.each()):
        start_ns = EPOCH_NS + grid.offset_ns(start)
        told = told_of(record, scorer, patient="file", start_ns=start_ns)
        result = result_of(record, told, rules, file=file)
        for part in ("windows", "beats", "findings"):
            whole[part] += [{"row": row, **each} for each in result[part]]
        start_s = _seconds(start_ns)
        end_s = round(start_s + record.seconds, 3)
        rows.append({"row": row, "start_s": start_s, "end_s": end_s, **result["aggregate"]})
        verdicts += [_on_axis(verdict, row * windows.step_windows + verdict.window) for verdict in verdicts_in(told)]
    return Scored(
        record=windows.record,
        verdicts=tuple(verdicts),
        result=whole | {"rows": rows, "aggregate": _aggregate_of_rows(rows, verdicts)},
    )


def _on_axis(verdict: Verdict, window: int) -> Verdict:
    """A verdict of a window of a set, as one of the whole axis."""
    moved = {"id": f"{verdict.patient}/{EPOCH_NS}/{window}", "stream_start_ns": EPOCH_NS, "window": window}
    return verdict.model_copy(update=moved)


def _aggregate_of_rows(rows: Sequence[dict[str, Any]], verdicts: Sequence[Verdict]) -> dict[str, Any]:
    """Abnormal when one of them is; how sure is the median of those that decide."""
    decisions = {row["decision"] for row in rows}
    decision = next((word for word in ("abnormal", "normal") if word in decisions), "unusable")
    sure = [row["confidence"] for row in rows if row["decision"] == decision and row["confidence"] is not None]
    usable = [verdict for verdict in verdicts if verdict.fused is not None]
    abnormal = sum(verdict.decision == "abnormal" for verdict in usable)
    return {
        "decision": decision,
        "confidence": round(median(sure), 4) if sure else None,
        "abnormal_fraction": round(abnormal / len(usable), 4) if usable else None,
    }


def result_of(record: Record, found: Sequence[Verdict | Urgent], rules: AlarmRules, *, file: str) -> dict[str, Any]:
    """What the detector tells of a recording as one result; times are seconds from the recording's start."""
    verdicts, episodes = verdicts_in(found), _episodes(found, rules)
    findings = sorted([*episodes, *_rhythm(verdicts)], key=lambda finding: (finding["start_s"], finding["kind"]))
    return {
        "file": file,
        "fs_hz": record.fs_hz,
        "leads": list(record.leads),
        "seconds": round(record.seconds, 3),
        "windows": [_window(verdict) for verdict in verdicts],
        "beats": [
            {"t_s": _seconds(beat.t_ns), "class": beat.beat_class, "confidence": beat.confidence}
            for verdict in verdicts
            for beat in verdict.beats
        ],
        "findings": findings,
        "aggregate": _aggregate(verdicts, episodes, rules),
    }


def _seconds(t_ns: int) -> float:
    return round((t_ns - EPOCH_NS) / 1e9, 3)


def _window(verdict: Verdict) -> dict[str, Any]:
    return {
        "start_s": _seconds(verdict.start_ns),
        "end_s": _seconds(verdict.end_ns),
        "decision": verdict.decision,
        "cnn": verdict.cnn,
        "autoencoder": verdict.autoencoder,
        "fused": verdict.fused,
        "heart_rate_bpm": verdict.heart_rate_bpm,
        "quality": verdict.quality.model_dump(mode="json"),
        "reasons": list(verdict.reasons),
    }


def _rhythm(verdicts: Sequence[Verdict]) -> list[dict[str, Any]]:
    """The rhythm findings, each once."""
    told = (
        RhythmFinding(kind=found.kind, start_ns=found.start_ns, end_ns=found.end_ns, beats=found.beats)
        for verdict in verdicts
        for found in verdict.findings
    )
    return [
        {
            "start_s": _seconds(finding.start_ns),
            "end_s": _seconds(finding.end_ns),
            "kind": finding.kind,
            "priority": PRIORITIES[finding.kind],
        }
        for finding in merged(told)
    ]


def _episodes(found: Sequence[Verdict | Urgent], rules: AlarmRules) -> list[dict[str, Any]]:
    """The alarms that the stream would raise, by the same rules, but for those about a rhythm that windows show.

    Such a rhythm stands among the findings already; one that only looks between the windows have shown does not.
    """
    last: dict[str, Alert] = {}
    state: PatientState | None = None
    for each in found:
        state, actions = policy(state, each, rules)
        last.update((action.id, action) for action in actions if isinstance(action, Alert))
    # An alarm still open at the end of the file has grown since it was last told.
    open_ = state.alarms.values() if state else ()
    grown = {alarm.id: alarm.sight.last_ns for alarm in open_}
    windows = {alert.id: alert.windows for alert in last.values()} | {alarm.id: alarm.windows for alarm in open_}
    return [
        {
            "start_s": _seconds(alert.onset_ns),
            "end_s": _seconds(grown.get(alert.id, alert.last_ns)),
            "kind": alert.condition,
            "priority": alert.priority,
        }
        for alert in last.values()
        if alert.condition not in FINDINGS or not windows[alert.id]
    ]


def _aggregate(verdicts: Sequence[Verdict], episodes: Sequence[dict[str, Any]], rules: AlarmRules) -> dict[str, Any]:
    """The whole file in one word.

    Abnormal when an episode is found, as the stream would alert, or, in a file too short for an episode, an abnormal
    window. The confidence is the median fused score of the abnormal windows; of a normal file, one minus that of all.
    """
    usable = [verdict for verdict in verdicts if verdict.fused is not None]
    abnormal = [verdict.fused for verdict in usable if verdict.fused is not None and verdict.decision == "abnormal"]
    scores = [verdict.fused for verdict in usable if verdict.fused is not None]
    if not usable:
        return {"decision": "unusable", "confidence": None, "abnormal_fraction": None}
    episode = any(found["kind"] == "abnormal_window" for found in episodes)
    short = len(usable) < rules.of("file")["abnormal_window"].of and bool(abnormal)
    decision = "abnormal" if episode or short else "normal"
    confidence = median(abnormal) if decision == "abnormal" else 1 - median(scores)
    return {
        "decision": decision,
        "confidence": round(confidence, 4),
        "abnormal_fraction": round(len(abnormal) / len(usable), 4),
    }
