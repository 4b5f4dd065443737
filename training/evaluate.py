"""Evaluation of verdicts against annotations, by window, by beat and by alarm. Needs no torch."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict

from bus.messages import Alert, Verdict
from detector.manifest import Thresholds
from ecg.annotations import Annotations
from ecg.urgency import PRIORITIES, SOUNDING
from training.alarm_tally import TECHNICAL, AlarmCount
from training.beat_comparison import KINDS, Pair, Rates, class_accuracy
from training.evaluation_intervals import intervals_of
from training.figures import (
    SCORES,
    AlarmFigures,
    Alarms,
    BeatFigures,
    Calibrations,
    Evaluation,
    RateFigures,
    RecordFigures,
    RunFigures,
    ScoreFigures,
    WindowFigures,
)
from training.metrics import Labels, Scores, auroc, average_precision, confusion, ratio
from training.reliability import reliability
from training.tally import SETTLE_S, Tally, tally_records, together

__all__ = ["SETTLE_S", "evaluate", "evaluate_tallies"]


def evaluate(
    verdicts: Mapping[str, Sequence[Verdict]],
    annotations: Mapping[str, Annotations],
    *,
    thresholds: Thresholds,
    path: str = "offline",
    alerts: Mapping[str, Iterable[Alert]] | None = None,
) -> Evaluation:
    """Compare verdicts with annotations.

    Parameters
    ----------
    verdicts : per record, its verdicts in the order of their windows
    annotations : per record, the reference
    thresholds : from the models' manifest
    path : how the verdicts came about, for the report
    alerts : per record, every message about its alerts; None where no alarms were made

    Raises
    ------
    EcgStreamError : when a record has no verdict or no annotations
    """
    return evaluate_tallies(tally_records(verdicts, annotations, alerts=alerts), thresholds=thresholds, path=path)


def evaluate_tallies(tallies: Mapping[str, Tally], *, thresholds: Thresholds, path: str = "offline") -> Evaluation:
    """The figures of what was counted record by record."""
    total = together(tallies.values())
    labels = total.all_labels()
    return Evaluation(
        records=len(tallies),
        hours=round(total.hours, 3),
        path=path,
        windows=_windows(total, thresholds),
        beats=_beats(total.beats),
        alarms=_alarms(total),
        intervals=intervals_of(tallies, thresholds),
        calibration=Calibrations(**{score: reliability(labels, total.all_scores(score)) for score in SCORES}),
        per_record={
            name: RecordFigures(
                hours=round(tally.hours, 3),
                beats_annotated=tally.beats_annotated,
                rhythms_annotated=tally.rhythms_annotated,
                windows=_windows(tally, thresholds),
                beats=_beats(tally.beats),
                alarms=_alarms(tally),
            )
            for name, tally in tallies.items()
        },
    )


def _windows(tally: Tally, thresholds: Thresholds) -> WindowFigures:
    labels = tally.all_labels()
    figures = {score: _score_figures(labels, tally.all_scores(score), getattr(thresholds, score)) for score in SCORES}
    return WindowFigures(
        n=len(labels),
        left_out=tally.left_out,
        unusable=tally.unusable,
        unusable_share=ratio(tally.unusable, tally.unusable + len(labels)),
        abnormal_fraction=ratio(int(labels.sum()), len(labels)),
        **figures,
    )


def _score_figures(labels: Labels, scores: Scores, threshold: float) -> ScoreFigures:
    tn, fp, fn, tp = confusion(labels, scores >= threshold)
    area, precision_area = auroc(labels, scores), average_precision(labels, scores)
    return ScoreFigures(
        auroc=None if area is None else round(area, 6),
        auprc=None if precision_area is None else round(precision_area, 6),
        threshold=threshold,
        sensitivity=ratio(tp, tp + fn),
        specificity=ratio(tn, tn + fp),
        precision=ratio(tp, tp + fp),
        f1=ratio(2 * tp, 2 * tp + fp + fn),
        accuracy=ratio(tp + tn, len(labels)),
        confusion=((tn, fp), (fn, tp)),
    )


def _beats(counts: Counter[Pair]) -> BeatFigures:
    kinds = {kind: RateFigures(**asdict(Rates.of(**count(counts)._asdict()))) for kind, count in KINDS.items()}
    table: dict[str, dict[str, int]] = {}
    for (reference, found), count in sorted(counts.items()):
        table.setdefault(reference, {})[found] = count
    return BeatFigures(
        **kinds,
        accuracy=class_accuracy(counts),
        confusion=table,
    )


def _alarms(tally: Tally) -> Alarms | None:
    alarms = tally.alarms
    if alarms is None:
        return None
    sounding = [alarms.counts[priority] for priority in SOUNDING]
    counts = alarms.counts | {
        "physiological": AlarmCount(sum(one.raised for one in sounding), sum(one.false for one in sounding))
    }
    figures = {
        kind: AlarmFigures(
            count=counts[kind].raised,
            false_per_hour=None if kind == TECHNICAL else ratio(counts[kind].false, tally.hours),
        )
        for kind in (*PRIORITIES, TECHNICAL, "physiological")
    }
    return Alarms(
        **figures,
        audible_per_hour=ratio(alarms.audible, tally.hours),
        ventricular_runs=_runs(alarms.runs),
        fast_ventricular_runs=_runs(alarms.fast_runs),
    )


def _runs(found: Counter[bool]) -> RunFigures:
    return RunFigures(annotated=found.total(), found=found[True], share=ratio(found[True], found.total()))
