"""A report on one recording: read it, judge it, explain it."""

from dataclasses import dataclass
from pathlib import Path

from alerting.rules import AlarmRules
from detector.explain import Explainer
from detector.scorer import scorer_of
from detector.settings import DetectorSettings
from ecg.annotations import read_annotations
from ecg.errors import EcgStreamError
from ecg.files import read_file
from ecg.labels import BeatLabels, beat_labels
from ecg.records import Record
from ecg.segments import Preprocessing
from ecg.wfdb_files import load_record
from reports.episodes import ReportFinding
from reports.record import RecordReport, make_report
from reports.record_strips import Findings
from reports.scoring import Scored, scored

_KINDS = {".hea", ".dat", ".edf", ".rec", ".csv", ".tsv", ".txt", ".npy"}


class SpanError(EcgStreamError):
    """A span that holds nothing of a recording."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Recording:
    """A recording, and its annotated beats where somebody annotated it."""

    record: Record
    reference: BeatLabels | None


def read_recording(
    name: str,
    folder: Path,
    *,
    fs_hz: float | None = None,
    leads: tuple[str, ...] | None = None,
    unit: str | None = None,
) -> Recording:
    """A recording by its name or its file.

    Parameters
    ----------
    name : a record's name, or a file's path
    folder : where the records lie
    fs_hz, leads, unit : of a file, see ``ecg.files.read_file``

    Raises
    ------
    EcgStreamError : when it is not there or cannot be read
    """
    path = Path(name).expanduser()
    if path.suffix.lower() in _KINDS:
        record = read_file(path, fs_hz=fs_hz, leads=leads, unit=unit)
        stem = path.with_suffix("")
    else:
        record = load_record(name, folder)
        stem = folder / name
    annotated = stem.with_name(f"{stem.name}.atr").is_file()
    return Recording(record=record, reference=beat_labels(read_annotations(stem)) if annotated else None)


def report_on(
    recording: Recording,
    settings: DetectorSettings,
    rules: AlarmRules,
    *,
    start_s: float = 0.0,
    end_s: float | None = None,
) -> RecordReport:
    """Judge a recording as the stream would, and report on it or a part of it.

    Parameters
    ----------
    recording : what was recorded
    settings, rules : models and preprocessing, and what alarms
    start_s, end_s : the span to report on, s from the recording's start

    Raises
    ------
    SpanError : when the span holds nothing of the recording
    EcgStreamError : when the models cannot be used
    """
    record = recording.record
    if start_s >= record.seconds or (end_s is not None and end_s <= start_s):
        to = "its end" if end_s is None else f"{end_s:g} s"
        raise SpanError(
            f"from {start_s:g} s to {to} there is nothing of a recording of {record.seconds:g} s: "
            "choose a span inside it"
        )
    found = findings_of(scored(record, scorer_of(settings), rules, file=record.name), recording.reference)
    return make_report(record, found, explainer_of(settings), start_s=start_s, end_s=end_s)


def findings_of(found: Scored, reference: BeatLabels | None) -> Findings:
    """What was found in a recording, as reports have it.

    Parameters
    ----------
    found : the recording judged
    reference : its annotated beats
    """
    findings = (
        ReportFinding(start_s=each["start_s"], end_s=each["end_s"], kind=each["kind"], priority=each["priority"])
        for each in found.result["findings"]
    )
    return Findings(verdicts=found.verdicts, findings=tuple(findings), reference=reference)


def explainer_of(settings: DetectorSettings) -> Explainer:
    """What explains the verdicts that the detector gives under these settings.

    Raises
    ------
    ModelError : when the models do not fit
    """
    return Explainer(settings.models, preprocessing=Preprocessing(mains_hz=settings.mains_hz), threads=settings.threads)
