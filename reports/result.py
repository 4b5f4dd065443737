"""Findings of a recording as one result, gathered while it is judged; times are seconds from its start."""

from collections.abc import Iterable
from dataclasses import asdict
from typing import Any

from alerting.conditions import PER_MINUTE
from alerting.policy import policy
from alerting.rules import FINDINGS, AlarmRules
from alerting.state import PatientState
from bus.messages import Alert, Urgent, Verdict
from detector.offline import EPOCH_NS
from ecg.findings import PRIORITIES, RhythmFinding, merged
from ecg.records import Recording
from reports.aggregate import Aggregate, WindowFigures, aggregate_of
from reports.episodes import ReportFinding, burden_of

PATIENT = "file"


class ResultBuilder:
    """Gathers what the detector says of a recording; of the verdicts it keeps only what the result holds.

    Parameters
    ----------
    rules : what makes an episode

    Attributes
    ----------
    figures : of the windows so far, in order
    """

    def __init__(self, rules: AlarmRules) -> None:
        self._rules = rules
        self._windows: list[dict[str, Any]] = []
        self._beats: list[dict[str, Any]] = []
        self._rhythms: dict[tuple[str, int], RhythmFinding] = {}
        self._leads: dict[tuple[str, int], str] = {}
        self._alerts: dict[str, Alert] = {}
        self._state: PatientState | None = None
        self.figures: list[WindowFigures] = []

    def take(self, message: Verdict | Urgent) -> None:
        """Take in the next message."""
        self._state, actions = policy(self._state, message, self._rules)
        self._alerts.update((action.id, action) for action in actions if isinstance(action, Alert))
        if isinstance(message, Urgent):
            return
        self.figures.append(WindowFigures.of(message))
        self._windows.append(_window(message))
        self._beats += [
            {"t_s": seconds(beat.t_ns), "class": beat.beat_class, "confidence": beat.confidence}
            for beat in message.beats
        ]
        for each in message.findings:
            found = RhythmFinding(kind=each.kind, start_ns=each.start_ns, end_ns=each.end_ns, beats=each.beats)
            self._rhythms[found.family, found.start_ns] = found  # one that spans windows is told in each of them
            if message.lead is not None:
                self._leads[found.family, found.start_ns] = message.lead

    def result(self) -> tuple[dict[str, list[dict[str, Any]]], Aggregate]:
        """Return windows, beats and findings as JSON, and the one word of all."""
        findings = sorted([*self._episodes(), *self._rhythm()], key=lambda found: (found.start_s, found.kind))
        found = {
            "windows": self._windows,
            "beats": self._beats,
            "findings": [asdict(finding) for finding in findings],
        }
        return found, aggregate_of(self.figures, findings, self._rules.of(PATIENT))

    def _rhythm(self) -> list[ReportFinding]:
        """The rhythm findings, each once, with the lead on which it was last seen."""
        return [
            ReportFinding(
                start_s=seconds(found.start_ns),
                end_s=seconds(found.end_ns),
                kind=found.kind,
                priority=PRIORITIES[found.kind],
                lead=self._leads.get((found.family, found.start_ns)),
                rate_bpm=found.rate_bpm,
            )
            for found in merged(self._rhythms.values())
        ]

    def _episodes(self) -> list[ReportFinding]:
        """The alarms that the stream would raise, by the same rules, but for those about a rhythm that windows show.

        Such a rhythm stands among the findings already; one that only looks between the windows have shown does not.
        None is escalated: nobody was called.
        """
        # An alarm still open at the end of the file has grown since it was last told.
        open_ = self._state.alarms.values() if self._state else ()
        grown = {alarm.id: alarm.sight.last_ns for alarm in open_}
        windows = {alert.id: alert.windows for alert in self._alerts.values()}
        windows |= {alarm.id: alarm.windows for alarm in open_}
        return [
            ReportFinding(
                start_s=seconds(alert.onset_ns),
                end_s=seconds(grown.get(alert.id, alert.last_ns)),
                kind=alert.condition,
                priority=self._rules.of(PATIENT)[alert.condition].priority,
                lead=alert.lead,
                rate_bpm=alert.value if alert.unit == PER_MINUTE else None,
            )
            for alert in self._alerts.values()
            if alert.condition not in FINDINGS or not windows[alert.id]
        ]


def result_of(
    recording: Recording, judged: Iterable[Verdict | Urgent], rules: AlarmRules, *, file: str
) -> dict[str, Any]:
    """Return the detector's findings on a recording as one result.

    Parameters
    ----------
    judged : what the detector says of it, in order
    rules : what alarms
    file : its name
    """
    builder = ResultBuilder(rules)
    for message in judged:
        builder.take(message)
    found, aggregate = builder.result()
    burden = burden_of((ReportFinding(**each) for each in found["findings"]), 0.0, recording.seconds)
    return (
        head_of(recording, file)
        | found
        | {"aggregate": aggregate.as_json(), "atrial_fibrillation": None if burden is None else asdict(burden)}
    )


def head_of(recording: Recording, file: str) -> dict[str, Any]:
    """Return what a result says of the recording itself."""
    return {
        "file": file,
        "fs_hz": recording.fs_hz,
        "leads": list(recording.leads),
        "seconds": round(recording.seconds, 3),
        "remarks": list(recording.remarks),
    }


def seconds(t_ns: int) -> float:
    """Return a time of a message, s from the recording's start."""
    return round((t_ns - EPOCH_NS) / 1e9, 3)


def _window(verdict: Verdict) -> dict[str, Any]:
    return {
        "start_s": seconds(verdict.start_ns),
        "end_s": seconds(verdict.end_ns),
        "lead": verdict.lead,
        "decision": verdict.decision,
        "cnn": verdict.cnn,
        "autoencoder": verdict.autoencoder,
        "fused": verdict.fused,
        "heart_rate_bpm": verdict.heart_rate_bpm,
        "quality": verdict.quality.model_dump(mode="json"),
        "reasons": list(verdict.reasons),
    }
