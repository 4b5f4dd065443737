"""Scoring files without a broker: the detector's verdicts on a recording, told in seconds of the file."""

import errno
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from alerting.conditions import PER_MINUTE
from alerting.policy import policy
from alerting.rules import FINDINGS, AlarmRules
from alerting.state import PatientState
from bus.messages import Alert, Urgent, Verdict
from detector.offline import EPOCH_NS, judge_record, verdicts_in
from detector.scorer import Scorer
from ecg.errors import EcgStreamError
from ecg.files import open_recording
from ecg.findings import PRIORITIES, RhythmFinding, merged
from ecg.npy_files import WindowSet
from ecg.records import Recording, exact_rate
from ecg.windows import HOP_S, WINDOW_S, Grid
from reports.aggregate import Aggregate, aggregate_of, aggregate_of_rows
from reports.episodes import ReportFinding

_PATIENT = "file"
DISK_FULL = frozenset({errno.ENOSPC, errno.EDQUOT})


class NotScoredError(EcgStreamError):
    """A file of which nothing can be said."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scored:
    """Findings of a recording.

    Attributes
    ----------
    recording : what was judged; of windows, all of them on one time axis
    verdicts : on its windows of 5 s, by its time axis
    result : as the JSON of ``ecgstream score`` has it
    """

    recording: Recording
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
    fs_hz, leads, unit : see ``ecg.files.open_recording``

    Raises
    ------
    EcgStreamError : when the file cannot be read, or is shorter than one window
    """
    with errors_naming(path.name):
        recording = open_recording(path, fs_hz=fs_hz, leads=leads, unit=unit)
        return scored(recording, scorer, rules, file=str(path)).result


@contextmanager
def errors_naming(name: str) -> Iterator[None]:
    """Turn whatever a stranger's file breaks into one error that names the file.

    Parameters
    ----------
    name : the file's, as whoever sent it knows it

    Raises
    ------
    EcgStreamError : when the block fails, but for a full disk
    """
    try:
        yield
    except EcgStreamError as error:
        file = Path(name)
        if any(known in str(error) for known in (file.name, f"{file.stem}.hea", f"record {file.stem}")):
            raise
        raise NotScoredError(f"{name}: {error}") from error
    except MemoryError as error:
        raise NotScoredError(f"{name} needs more memory than scoring may take: split it") from error
    except OSError as error:
        if error.errno in DISK_FULL:
            raise
        raise NotScoredError(f"{name} cannot be read ({error.strerror or type(error).__name__}): mend that") from error
    except Exception as error:  # readers raise many kinds on hostile files
        reason = f"{name} cannot be read ({type(error).__name__}): it is damaged, or of an unknown variety"
        raise NotScoredError(reason) from error


def scored(
    recording: Recording | WindowSet,
    scorer: Scorer,
    rules: AlarmRules,
    *,
    file: str,
) -> Scored:
    """Judge a recording as the stream would; windows of a set each on their own.

    Parameters
    ----------
    recording : what a file holds
    file : its name, for the result

    Raises
    ------
    NotScoredError : when it is shorter than one window
    """
    if isinstance(recording, WindowSet):
        return _scored_set(recording, scorer, rules, file=file)
    judged = judge_record(recording.in_memory(), scorer, patient=_PATIENT)
    verdicts = verdicts_in(judged)
    if not verdicts:
        raise NotScoredError(
            f"{Path(file).name}: {recording.seconds:.3g} s is shorter than one window of {WINDOW_S} s: give a longer "
            f"recording, or correct the sampling rate if {recording.fs_hz:g} Hz is not its own"
        )
    return Scored(recording=recording, verdicts=tuple(verdicts), result=result_of(recording, judged, rules, file=file))


def _scored_set(windows: WindowSet, scorer: Scorer, rules: AlarmRules, *, file: str) -> Scored:
    """Each window as a recording of its own, told on the axis of all; ``row`` is its number in the file."""
    whole = _head(windows.record, file) | {"windows": [], "beats": [], "findings": []}
    grid = Grid(exact_rate(windows.record.fs_hz))
    verdicts: list[Verdict] = []
    rows: list[dict[str, Any]] = []
    aggregates: list[Aggregate] = []
    for row, (start, record) in enumerate(windows.each()):
        start_ns = EPOCH_NS + grid.offset_ns(start)
        judged = judge_record(record, scorer, patient=_PATIENT, start_ns=start_ns, hop_s=HOP_S)
        found, aggregate = _found(judged, rules)
        for part, each in found.items():
            whole[part] += [{"row": row, **one} for one in each]
        start_s = _seconds(start_ns)
        end_s = round(start_s + record.seconds, 3)
        rows.append({"row": row, "start_s": start_s, "end_s": end_s, **aggregate.as_json()})
        aggregates.append(aggregate)
        verdicts += [_on_axis(verdict, row * windows.step_windows + verdict.window) for verdict in verdicts_in(judged)]
    return Scored(
        recording=windows.record,
        verdicts=tuple(verdicts),
        result=whole | {"rows": rows, "aggregate": aggregate_of_rows(aggregates, verdicts).as_json()},
    )


def _on_axis(verdict: Verdict, window: int) -> Verdict:
    """A verdict of a window of a set, as one of the whole axis."""
    moved = {"id": f"{verdict.patient}/{EPOCH_NS}/{window}", "stream_start_ns": EPOCH_NS, "window": window}
    return verdict.model_copy(update=moved)


def result_of(
    recording: Recording, judged: Sequence[Verdict | Urgent], rules: AlarmRules, *, file: str
) -> dict[str, Any]:
    """Return the detector's findings on a recording as one result; times are seconds from its start."""
    found, aggregate = _found(judged, rules)
    return _head(recording, file) | found | {"aggregate": aggregate.as_json()}


def _head(recording: Recording, file: str) -> dict[str, Any]:
    return {
        "file": file,
        "fs_hz": recording.fs_hz,
        "leads": list(recording.leads),
        "seconds": round(recording.seconds, 3),
    }


def _found(judged: Sequence[Verdict | Urgent], rules: AlarmRules) -> tuple[dict[str, list[dict[str, Any]]], Aggregate]:
    """Windows, beats and findings as JSON, and the one word of all."""
    verdicts = verdicts_in(judged)
    findings = sorted([*_episodes(judged, rules), *_rhythm(verdicts)], key=lambda found: (found.start_s, found.kind))
    beats = [
        {"t_s": _seconds(beat.t_ns), "class": beat.beat_class, "confidence": beat.confidence}
        for verdict in verdicts
        for beat in verdict.beats
    ]
    found = {
        "windows": [_window(verdict) for verdict in verdicts],
        "beats": beats,
        "findings": [asdict(finding) for finding in findings],
    }
    return found, aggregate_of(verdicts, findings, rules.of(_PATIENT))


def _seconds(t_ns: int) -> float:
    return round((t_ns - EPOCH_NS) / 1e9, 3)


def _window(verdict: Verdict) -> dict[str, Any]:
    return {
        "start_s": _seconds(verdict.start_ns),
        "end_s": _seconds(verdict.end_ns),
        "lead": verdict.lead,
        "decision": verdict.decision,
        "cnn": verdict.cnn,
        "autoencoder": verdict.autoencoder,
        "fused": verdict.fused,
        "heart_rate_bpm": verdict.heart_rate_bpm,
        "quality": verdict.quality.model_dump(mode="json"),
        "reasons": list(verdict.reasons),
    }


def _rhythm(verdicts: Sequence[Verdict]) -> list[ReportFinding]:
    """The rhythm findings, each once, with the lead on which it was last seen."""
    rhythms: list[RhythmFinding] = []
    leads: dict[tuple[str, int], str] = {}
    for verdict in verdicts:
        for each in verdict.findings:
            found = RhythmFinding(kind=each.kind, start_ns=each.start_ns, end_ns=each.end_ns, beats=each.beats)
            rhythms.append(found)
            if verdict.lead is not None:
                leads[found.family, found.start_ns] = verdict.lead
    return [
        ReportFinding(
            start_s=_seconds(found.start_ns),
            end_s=_seconds(found.end_ns),
            kind=found.kind,
            priority=PRIORITIES[found.kind],
            lead=leads.get((found.family, found.start_ns)),
            rate_bpm=found.rate_bpm,
        )
        for found in merged(rhythms)
    ]


def _episodes(judged: Sequence[Verdict | Urgent], rules: AlarmRules) -> list[ReportFinding]:
    """The alarms that the stream would raise, by the same rules, but for those about a rhythm that windows show.

    Such a rhythm stands among the findings already; one that only looks between the windows have shown does not. None
    is escalated: nobody was called.
    """
    last: dict[str, Alert] = {}
    state: PatientState | None = None
    for each in judged:
        state, actions = policy(state, each, rules)
        last.update((action.id, action) for action in actions if isinstance(action, Alert))
    # An alarm still open at the end of the file has grown since it was last told.
    open_ = state.alarms.values() if state else ()
    grown = {alarm.id: alarm.sight.last_ns for alarm in open_}
    windows = {alert.id: alert.windows for alert in last.values()} | {alarm.id: alarm.windows for alarm in open_}
    return [
        ReportFinding(
            start_s=_seconds(alert.onset_ns),
            end_s=_seconds(grown.get(alert.id, alert.last_ns)),
            kind=alert.condition,
            priority=rules.of(_PATIENT)[alert.condition].priority,
            lead=alert.lead,
            rate_bpm=alert.value if alert.unit == PER_MINUTE else None,
        )
        for alert in last.values()
        if alert.condition not in FINDINGS or not windows[alert.id]
    ]
