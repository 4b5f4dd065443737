"""An evaluation as tables for people."""

from collections.abc import Mapping

from rich.console import Group
from rich.table import Table

from ecg.urgency import PRIORITIES
from training.alarm_tally import TECHNICAL
from training.figures import SCORES, Evaluation, Interval, RecordFigures


def tables(evaluation: Evaluation) -> Group:
    """Windows, beats and alarms over all records, then record by record, the worst visible like the best."""
    return Group(
        _windows(evaluation), _beats(evaluation), *_alarms(evaluation), _records(evaluation), *_notes(evaluation)
    )


def disturbance_table(undisturbed: Evaluation, disturbed: Mapping[str, Evaluation | None]) -> Table:
    """One row a disturbance, below the undisturbed row; a dash where it fits no record."""
    table = _table(
        "the same records, heard through another device",
        (
            "disturbance",
            "records",
            "AUROC",
            "F1",
            "QRS Se",
            "QRS +P",
            "V Se",
            "V +P",
            "S Se",
            "S +P",
            "unusable",
            "false/h",
        ),
    )
    for name, of in {"none": undisturbed, **disturbed}.items():
        if of is None:
            table.add_row(name, "0")
            continue
        fused, beats = of.windows.fused, of.beats
        rates = (beats.qrs.se, beats.qrs.ppv, beats.veb.se, beats.veb.ppv, beats.sveb.se, beats.sveb.ppv)
        table.add_row(
            name,
            str(of.records),
            *map(_text, (fused.auroc, fused.f1, *rates)),
            str(of.windows.unusable),
            _text(of.alarms.physiological.false_per_hour if of.alarms else None, 1),
        )
    return table


def _table(title: str, columns: tuple[str, ...]) -> Table:
    """The first column names what a row is about, the others hold figures."""
    table = Table(title=title)
    for number, column in enumerate(columns):
        table.add_column(column, justify="right" if number else "left")
    return table


def _text(value: float | None, digits: int = 4) -> str:
    return "-" if value is None else f"{value:.{digits}f}"


def _between(interval: Interval) -> str:
    return "-" if interval is None else f"{interval[0]:.3f} to {interval[1]:.3f}"


def _windows(evaluation: Evaluation) -> Table:
    windows = evaluation.windows
    table = _table(
        f"{windows.n} windows of {evaluation.records} records, {evaluation.hours:.1f} h, {evaluation.path}; "
        f"{_text(windows.abnormal_fraction, 3)} abnormal, {windows.left_out} left out, {windows.unusable} unusable "
        f"({_text(windows.unusable_share, 4)})",
        ("score", "AUROC", "95 %", "AUPRC", "threshold", "Se", "Sp", "+P", "F1", "95 %", "accuracy", "ECE"),
    )
    for score in SCORES:
        of, sure = getattr(windows, score), getattr(evaluation.intervals.windows, score)
        table.add_row(
            score,
            _text(of.auroc),
            _between(sure.auroc),
            *map(_text, (of.auprc, of.threshold, of.sensitivity, of.specificity, of.precision, of.f1)),
            _between(sure.f1),
            _text(of.accuracy),
            _text(getattr(evaluation.calibration, score).expected_calibration_error, 3),
        )
    return table


def _beats(evaluation: Evaluation) -> Table:
    table = _table(
        f"beats by EC57; accuracy of class {_text(evaluation.beats.accuracy)}",
        ("beats", "Se", "95 %", "+P", "95 %", "F1", "95 %"),
    )
    for name, title in (("qrs", "all"), ("veb", "ventricular"), ("sveb", "supraventricular")):
        of, sure = getattr(evaluation.beats, name), getattr(evaluation.intervals.beats, name)
        figures = ((of.se, sure.se), (of.ppv, sure.ppv), (of.f1, sure.f1))
        table.add_row(title, *(text for value, ends in figures for text in (_text(value), _between(ends))))
    return table


def _alarms(evaluation: Evaluation) -> list[Table]:
    if evaluation.alarms is None:
        return []
    table = _table("alarms", ("priority", "count", "false per hour", "95 %"))
    for name in (*PRIORITIES, TECHNICAL):
        of, sure = getattr(evaluation.alarms, name), getattr(evaluation.intervals.alarms, name, None)
        table.add_row(name, str(of.count), _text(of.false_per_hour, 2), _between(sure))
    runs, fast = evaluation.alarms.ventricular_runs, evaluation.alarms.fast_ventricular_runs
    table.caption = (
        f"audible per hour {_text(evaluation.alarms.audible_per_hour, 2)}; ventricular runs of five or more that "
        f"raised a high alarm: {runs.found} of {runs.annotated}, of those at 100/min or faster {fast.found} of "
        f"{fast.annotated}"
    )
    return [table]


def _records(evaluation: Evaluation) -> Table:
    figures = ("AUROC", "Se", "Sp", "QRS Se", "QRS +P", "V Se", "V +P", "S Se", "S +P", "false/h")
    table = _table("record by record", ("record", "abnormal", "unusable", *figures))
    for name, record in evaluation.per_record.items():
        table.add_row(name, *map(_text, _row(record), (2, 3, *([3] * 9), 1)))
    return table


def _row(record: RecordFigures) -> tuple[float | None, ...]:
    fused, beats = record.windows.fused, record.beats
    return (
        record.windows.abnormal_fraction,
        record.windows.unusable_share,
        fused.auroc,
        fused.sensitivity,
        fused.specificity,
        beats.qrs.se,
        beats.qrs.ppv,
        beats.veb.se,
        beats.veb.ppv,
        beats.sveb.se,
        beats.sveb.ppv,
        record.alarms.physiological.false_per_hour if record.alarms else None,
    )


def _notes(evaluation: Evaluation) -> list[str]:
    """Return what annotations lack, and what that does to the figures."""
    notes = []
    unknown = [name for name, record in evaluation.per_record.items() if not record.rhythms_annotated]
    if unknown:
        notes.append(f"no rhythm is annotated in {', '.join(unknown)}: windows are labelled by their beats alone")
    unknown = [name for name, record in evaluation.per_record.items() if not record.beats_annotated]
    if unknown:
        notes.append(f"no beat is annotated in {', '.join(unknown)}: windows are labelled by their rhythms alone")
    return notes
