"""An evaluation as tables for people."""

from rich.console import Group
from rich.table import Table

from training.figures import SCORES, Evaluation, RecordFigures


def tables(evaluation: Evaluation) -> Group:
    """Windows, beats and alarms over all records, then record by record, the worst visible like the best."""
    return Group(_windows(evaluation), _beats(evaluation), *_alarms(evaluation), _records(evaluation))


def _text(value: float | None, digits: int = 4) -> str:
    return "-" if value is None else f"{value:.{digits}f}"


def _windows(evaluation: Evaluation) -> Table:
    windows = evaluation.windows
    table = Table(
        title=f"{windows.n} windows of {evaluation.records} records, {evaluation.hours:.1f} h, {evaluation.path}; "
        f"{_text(windows.abnormal_fraction, 3)} abnormal, {windows.left_out} left out, {windows.unusable} unusable"
    )
    for column in ("score", "AUROC", "AUPRC", "threshold", "Se", "Sp", "+P", "F1", "accuracy"):
        table.add_column(column, justify="left" if column == "score" else "right")
    for score in SCORES:
        of = getattr(windows, score)
        rates = (of.sensitivity, of.specificity, of.precision, of.f1, of.accuracy)
        table.add_row(score, _text(of.auroc), _text(of.auprc), _text(of.threshold), *map(_text, rates))
    return table


def _beats(evaluation: Evaluation) -> Table:
    table = Table(title=f"beats by EC57; accuracy of class {_text(evaluation.beats.accuracy)}")
    for column in ("beats", "Se", "+P", "F1"):
        table.add_column(column, justify="left" if column == "beats" else "right")
    for name, title in (("qrs", "all"), ("veb", "ventricular"), ("sveb", "supraventricular")):
        of = getattr(evaluation.beats, name)
        table.add_row(title, _text(of.se), _text(of.ppv), _text(of.f1))
    return table


def _alarms(evaluation: Evaluation) -> list[Table]:
    if evaluation.alarms is None:
        return []
    table = Table(title="alarms")
    for column in ("priority", "count", "false per hour"):
        table.add_column(column, justify="left" if column == "priority" else "right")
    for name in ("high", "medium", "low", "technical"):
        of = getattr(evaluation.alarms, name)
        table.add_row(name, str(of.count), _text(of.false_per_hour, 2))
    return [table]


def _records(evaluation: Evaluation) -> Table:
    table = Table(title="record by record")
    for column in ("record", "abnormal", "AUROC", "Se", "Sp", "QRS Se", "QRS +P", "V Se", "V +P", "S Se", "S +P"):
        table.add_column(column, justify="left" if column == "record" else "right")
    for name, record in evaluation.per_record.items():
        table.add_row(name, *map(_text, _row(record), (2, *([3] * 9))))
    return table


def _row(record: RecordFigures) -> tuple[float | None, ...]:
    fused, beats = record.windows.fused, record.beats
    return (
        record.windows.abnormal_fraction,
        fused.auroc,
        fused.sensitivity,
        fused.specificity,
        beats.qrs.se,
        beats.qrs.ppv,
        beats.veb.se,
        beats.veb.ppv,
        beats.sveb.se,
        beats.sveb.ppv,
    )
