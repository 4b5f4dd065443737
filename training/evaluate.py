"""What verdicts are worth: against annotations, by window, by beat and by alarm. Needs no torch."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Literal, NamedTuple

import numpy as np
from pydantic import BaseModel, ConfigDict

from bus.messages import Alert, Verdict
from detector.manifest import Thresholds
from ecg.annotations import Annotations
from ecg.errors import EcgStreamError
from ecg.labels import label_windows
from ecg.records import exact_rate
from ecg.windows import HOP_S, Grid
from training.beat_comparison import Pair, Rates, class_accuracy, class_rates, compare, qrs_rates
from training.metrics import Labels, Scores, auroc, average_precision, confusion, ratio

Score = Literal["fused", "cnn", "autoencoder"]
SCORES: tuple[Score, ...] = ("fused", "cnn", "autoencoder")
SETTLE_S = 0.5  # a verdict's beats reach to half a second before its window's end
_UNCLASSIFIED = "none"


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class ScoreFigures(_Part):
    """One score against the windows' labels. ``confusion`` is [[tn, fp], [fn, tp]] at ``threshold``."""

    auroc: float | None
    auprc: float | None
    threshold: float
    sensitivity: float | None
    specificity: float | None
    precision: float | None
    f1: float | None
    accuracy: float | None
    confusion: tuple[tuple[int, int], tuple[int, int]]


class WindowFigures(_Part):
    """``n`` windows were judged; ``left_out`` have no clear label, ``unusable`` ones had no signal to judge."""

    n: int
    left_out: int
    unusable: int
    abnormal_fraction: float | None
    fused: ScoreFigures
    cnn: ScoreFigures
    autoencoder: ScoreFigures


class RateFigures(_Part):
    """Sensitivity and positive predictivity."""

    se: float | None
    ppv: float | None
    f1: float | None


class BeatFigures(_Part):
    """Beats by EC57; ``accuracy`` is the share of matched N, S, V, F beats that got their class."""

    qrs: RateFigures
    veb: RateFigures
    sveb: RateFigures
    accuracy: float | None


class AlarmFigures(_Part):
    """Alarms of one kind. An alarm is false when no abnormal window lies in it; technical ones have no reference."""

    count: int
    false_per_hour: float | None


class Alarms(_Part):
    """Physiological alarms by priority, and technical ones."""

    high: AlarmFigures
    medium: AlarmFigures
    low: AlarmFigures
    technical: AlarmFigures


class RecordFigures(_Part):
    """One record."""

    windows: WindowFigures
    beats: BeatFigures
    alarms: Alarms | None


class Evaluation(_Part):
    """``ecgstream evaluate --json``. Rates are fractions; None where nothing can be computed."""

    records: int
    hours: float
    path: str
    windows: WindowFigures
    beats: BeatFigures
    alarms: Alarms | None
    per_record: dict[str, RecordFigures]


class _AlarmCount(NamedTuple):
    raised: int
    false: int


@dataclass(slots=True, kw_only=True)
class _Tally:
    """What was counted, of one record or of several."""

    hours: float = 0.0
    left_out: int = 0
    unusable: int = 0
    labels: list[Labels] = field(default_factory=list)
    scores: dict[Score, list[Scores]] = field(default_factory=lambda: {score: [] for score in SCORES})
    beats: Counter[Pair] = field(default_factory=Counter)
    alarms: dict[str, _AlarmCount] | None = None

    def add(self, other: "_Tally") -> None:
        self.hours += other.hours
        self.left_out += other.left_out
        self.unusable += other.unusable
        self.labels += other.labels
        for score in SCORES:
            self.scores[score] += other.scores[score]
        self.beats += other.beats
        if other.alarms is not None:
            mine = self.alarms or dict.fromkeys(other.alarms, _AlarmCount(0, 0))
            self.alarms = {
                kind: _AlarmCount(mine[kind].raised + more.raised, mine[kind].false + more.false)
                for kind, more in other.alarms.items()
            }


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
    tallies = {}
    for name, of_record in verdicts.items():
        if not of_record or name not in annotations:
            missing = "annotations" if of_record else "verdicts: it is shorter than one window"
            raise EcgStreamError(f"record {name} has no {missing}: leave it out of the evaluation")
        told = None if alerts is None else list(alerts.get(name, ()))
        tallies[name] = _tally(of_record, annotations[name], told)
    total = _Tally()
    for tally in tallies.values():
        total.add(tally)
    return Evaluation(
        records=len(tallies),
        hours=round(total.hours, 3),
        path=path,
        windows=_windows(total, thresholds),
        beats=_beats(total),
        alarms=_alarms(total),
        per_record={
            name: RecordFigures(windows=_windows(tally, thresholds), beats=_beats(tally), alarms=_alarms(tally))
            for name, tally in tallies.items()
        },
    )


def _tally(verdicts: Sequence[Verdict], annotations: Annotations, alerts: list[Alert] | None) -> _Tally:
    fs_hz = verdicts[0].fs_hz
    grid = Grid(exact_rate(fs_hz))
    labels = label_windows(annotations, fs_hz, [grid.start(verdict.window) for verdict in verdicts])
    usable = np.array([verdict.fused is not None for verdict in verdicts])
    judged = usable & ~labels.left_out
    origin_ns = verdicts[0].stream_start_ns
    beats = [beat for verdict in verdicts for beat in verdict.beats]
    hours = len(verdicts) * HOP_S / 3600
    return _Tally(
        hours=hours,
        left_out=int(labels.left_out.sum()),
        unusable=int((~usable & ~labels.left_out).sum()),
        labels=[labels.abnormal[judged]],
        scores={
            score: [np.array([getattr(verdict, score) for verdict in verdicts], np.float64)[judged]] for score in SCORES
        },
        beats=compare(
            annotations,
            fs_hz,
            np.array([(beat.t_ns - origin_ns) / 1e9 for beat in beats], np.float64),
            [beat.beat_class or _UNCLASSIFIED for beat in beats],
            span_s=(verdicts[0].window * HOP_S - SETTLE_S, (verdicts[-1].window + 1) * HOP_S - SETTLE_S),
        ),
        alarms=None if alerts is None else _count_alarms(alerts, verdicts, labels.abnormal),
    )


def _count_alarms(alerts: Iterable[Alert], verdicts: Sequence[Verdict], abnormal: Labels) -> dict[str, _AlarmCount]:
    counts = {kind: _AlarmCount(0, 0) for kind in ("high", "medium", "low", "technical")}
    starts = np.array([verdict.start_ns for verdict in verdicts])
    ends = np.array([verdict.end_ns for verdict in verdicts])
    latest = {alert.id: alert for alert in sorted(alerts, key=lambda alert: alert.sequence)}
    for alert in latest.values():
        technical = alert.kind == "technical"
        covered = (ends > alert.onset_ns) & (starts < max(alert.last_ns, alert.onset_ns + 1))
        false = not technical and not abnormal[covered].any()
        kind = "technical" if technical else alert.priority
        counts[kind] = _AlarmCount(counts[kind].raised + 1, counts[kind].false + false)
    return counts


def _windows(tally: _Tally, thresholds: Thresholds) -> WindowFigures:
    labels = np.concatenate(tally.labels) if tally.labels else np.zeros(0, np.bool_)
    figures = {
        score: _score_figures(labels, np.concatenate(tally.scores[score]), getattr(thresholds, score))
        for score in SCORES
    }
    return WindowFigures(
        n=len(labels),
        left_out=tally.left_out,
        unusable=tally.unusable,
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


def _beats(tally: _Tally) -> BeatFigures:
    def figures(rates: Rates) -> RateFigures:
        return RateFigures(**asdict(rates))

    return BeatFigures(
        qrs=figures(qrs_rates(tally.beats)),
        veb=figures(class_rates(tally.beats, "V", neutral="FQ")),
        sveb=figures(class_rates(tally.beats, "S", neutral="Q")),
        accuracy=class_accuracy(tally.beats),
    )


def _alarms(tally: _Tally) -> Alarms | None:
    if tally.alarms is None:
        return None
    figures = {
        kind: AlarmFigures(
            count=counted.raised, false_per_hour=None if kind == "technical" else ratio(counted.false, tally.hours)
        )
        for kind, counted in tally.alarms.items()
    }
    return Alarms(**figures)
