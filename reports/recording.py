"""A report on one recording: read it, judge it, explain it."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from alerting.rules import AlarmRules
from bus.messages import Verdict
from detector.explain import Explainer
from detector.scorer import scorer_of
from detector.settings import DetectorSettings
from ecg.annotations import read_annotations
from ecg.errors import EcgStreamError
from ecg.files import read_file
from ecg.formats import holds_picture, names_a_file
from ecg.labels import BeatLabels, beat_labels
from ecg.records import Record
from ecg.segments import Preprocessing
from ecg.wfdb_files import find_record, load_record
from reports.aggregate import Aggregate
from reports.episodes import ReportFinding
from reports.opening import open_picture_of
from reports.record import RecordReport, make_report
from reports.record_strips import Findings
from reports.scoring import scored


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
    if path.is_file() and holds_picture(path):
        record = open_picture_of(path, leads=leads)
        stem = path.with_suffix("")
    elif names_a_file(path.name):
        record = read_file(path, fs_hz=fs_hz, leads=leads, unit=unit)
        stem = path.with_suffix("")
    else:
        record = load_record(name, folder)
        stem = find_record(name, folder).with_suffix("")
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
    judged = scored(record, scorer_of(settings), rules, file=record.name)
    found = findings_in(judged.result, judged.verdicts, recording.reference)
    return make_report(record, found, explainer_of(settings), start_s=start_s, end_s=end_s)


def findings_in(result: Mapping[str, Any], verdicts: tuple[Verdict, ...], reference: BeatLabels | None) -> Findings:
    """Return the findings of a recording, as reports have them.

    Parameters
    ----------
    result : its result, of this version or kept by one that told no lead, rate or reason
    verdicts : on its windows
    """
    aggregate = {"reason": "", **result["aggregate"]}
    return Findings(
        verdicts=verdicts,
        findings=tuple(
            ReportFinding(**{name: value for name, value in each.items() if name != "row"})
            for each in result["findings"]
        ),
        reference=reference,
        aggregate=Aggregate(**aggregate),
    )


def explainer_of(settings: DetectorSettings) -> Explainer:
    """Make the explainer of the verdicts that the detector gives under these settings.

    Raises
    ------
    ModelError : when the models do not fit
    """
    return Explainer(settings.models, preprocessing=Preprocessing(mains_hz=settings.mains_hz), threads=settings.threads)
