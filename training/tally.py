"""Verdicts held against annotations: what an evaluation counts, of one record or of several. Needs no torch."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from bus.final_beats import final_beats
from bus.messages import Alert, Verdict
from ecg.annotations import Annotations
from ecg.errors import EcgStreamError
from ecg.labels import beat_labels, flutter_intervals, label_windows, rhythm_intervals
from ecg.records import exact_rate
from ecg.windows import WINDOW_S, Grid
from training.alarm_tally import AlarmTally, tally_alarms
from training.beat_comparison import Pair, compare
from training.figures import SCORES, Score
from training.metrics import Labels, Scores

SETTLE_S = 0.5  # a verdict's beats reach to half a second before its window's end
UNCLASSIFIED = "none"


@dataclass(slots=True, kw_only=True)
class Tally:
    """Counts of one record or of several.

    Attributes
    ----------
    hours : judged
    left_out, unusable : windows without a clear label, and without a signal to judge
    labels, scores : per record, of the other windows
    beats : by reference class and found class
    alarms : None where none were made
    beats_annotated, rhythms_annotated : whether the annotations hold any
    """

    hours: float = 0.0
    left_out: int = 0
    unusable: int = 0
    labels: list[Labels] = field(default_factory=list)
    scores: dict[Score, list[Scores]] = field(default_factory=lambda: {score: [] for score in SCORES})
    beats: Counter[Pair] = field(default_factory=Counter)
    alarms: AlarmTally | None = None
    beats_annotated: bool = False
    rhythms_annotated: bool = False

    def add(self, other: "Tally") -> None:
        """Count another's in."""
        self.hours += other.hours
        self.left_out += other.left_out
        self.unusable += other.unusable
        self.labels += other.labels
        for score in SCORES:
            self.scores[score] += other.scores[score]
        self.beats += other.beats
        self.beats_annotated |= other.beats_annotated
        self.rhythms_annotated |= other.rhythms_annotated
        if other.alarms is not None:
            self.alarms = other.alarms if self.alarms is None else self.alarms.plus(other.alarms)

    def all_labels(self) -> Labels:
        """(n,) bool, of every judged window."""
        return np.concatenate(self.labels) if self.labels else np.zeros(0, np.bool_)

    def all_scores(self, score: Score) -> Scores:
        """(n,), of every judged window."""
        return np.concatenate(self.scores[score]) if self.scores[score] else np.zeros(0)


def together(tallies: Iterable[Tally]) -> Tally:
    """Several tallies as one."""
    total = Tally()
    for tally in tallies:
        total.add(tally)
    return total


def tally_records(
    verdicts: Mapping[str, Sequence[Verdict]],
    annotations: Mapping[str, Annotations],
    *,
    alerts: Mapping[str, Iterable[Alert]] | None = None,
) -> dict[str, Tally]:
    """Count record by record.

    Parameters
    ----------
    verdicts : per record, its verdicts in the order of their windows
    annotations : per record, the reference
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
        of_alerts = None if alerts is None else list(alerts.get(name, ()))
        tallies[name] = _tally(of_record, annotations[name], of_alerts)
    return tallies


def _tally(verdicts: Sequence[Verdict], annotations: Annotations, alerts: list[Alert] | None) -> Tally:
    fs_hz = verdicts[0].fs_hz
    hop_s = verdicts[0].hop_s
    grid = Grid(exact_rate(fs_hz), hop_s)
    labels = label_windows(annotations, fs_hz, [grid.start(verdict.window) for verdict in verdicts])
    usable = np.array([verdict.fused is not None for verdict in verdicts])
    judged = usable & ~labels.left_out
    # Some databases annotate rhythms alone: a beat found there is neither right nor wrong.
    beats_annotated = len(beat_labels(annotations).sample) > 0
    return Tally(
        hours=len(verdicts) * hop_s / 3600,
        left_out=int(labels.left_out.sum()),
        unusable=int((~usable & ~labels.left_out).sum()),
        labels=[labels.abnormal[judged]],
        scores={
            score: [np.array([getattr(verdict, score) for verdict in verdicts], np.float64)[judged]] for score in SCORES
        },
        beats=_compare(verdicts, annotations) if beats_annotated else Counter(),
        alarms=None if alerts is None else tally_alarms(alerts, verdicts, labels.abnormal, annotations),
        beats_annotated=beats_annotated,
        rhythms_annotated=bool(rhythm_intervals(annotations) or flutter_intervals(annotations)),
    )


def _compare(verdicts: Sequence[Verdict], annotations: Annotations) -> Counter[Pair]:
    origin_ns = verdicts[0].stream_start_ns
    beats = final_beats(verdicts)
    return compare(
        annotations,
        verdicts[0].fs_hz,
        np.array([(beat.t_ns - origin_ns) / 1e9 for beat in beats], np.float64),
        [beat.beat_class or UNCLASSIFIED for beat in beats],
        span_s=(
            verdicts[0].window * verdicts[0].hop_s - SETTLE_S,
            verdicts[-1].window * verdicts[-1].hop_s + WINDOW_S - SETTLE_S,
        ),
    )
