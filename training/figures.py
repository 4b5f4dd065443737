"""Figures of an evaluation, as `ecgstream evaluate --json` writes them."""

from typing import Literal

from pydantic import BaseModel, ConfigDict

Score = Literal["fused", "cnn", "autoencoder"]
SCORES: tuple[Score, ...] = ("fused", "cnn", "autoencoder")
Interval = tuple[float, float] | None  # 95 %, low and high; None where it cannot be computed


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
    """``n`` windows were judged; ``left_out`` have no clear label, ``unusable`` ones had no signal to judge or noise.

    ``unusable_share`` is the share of unusable windows among those with a clear label.
    """

    n: int
    left_out: int
    unusable: int
    unusable_share: float | None
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
    """Beats by EC57.

    ``accuracy`` is the share of matched N, S, V, F beats that got their class. ``confusion`` counts beats by
    reference class, or ``extra``, and found class, ``none`` (found, without a class) or ``missed``.
    """

    qrs: RateFigures
    veb: RateFigures
    sveb: RateFigures
    accuracy: float | None
    confusion: dict[str, dict[str, int]]


class AlarmFigures(_Part):
    """Alarms of one kind.

    An alarm whose condition comes back before anybody acknowledged it sounds anew, and counts anew. It is false when
    no abnormal window lies where its condition was seen; technical ones have no reference.
    """

    count: int
    false_per_hour: float | None


class RunFigures(_Part):
    """Annotated runs of five or more ventricular beats, all or those at 100/min or faster; found by a high alarm."""

    annotated: int
    found: int
    share: float | None


class Alarms(_Part):
    """Physiological alarms by priority, those that sound together (``physiological``), and technical ones.

    ``audible_per_hour`` counts the high and medium ones of both kinds.
    """

    high: AlarmFigures
    medium: AlarmFigures
    low: AlarmFigures
    information: AlarmFigures
    physiological: AlarmFigures
    technical: AlarmFigures
    audible_per_hour: float | None
    ventricular_runs: RunFigures
    fast_ventricular_runs: RunFigures


class RecordFigures(_Part):
    """One record.

    Where no rhythm is annotated, a window of atrial fibrillation counts as normal; where no beat is, none is compared.
    """

    hours: float
    beats_annotated: bool
    rhythms_annotated: bool
    windows: WindowFigures
    beats: BeatFigures
    alarms: Alarms | None


class ScoreIntervals(_Part):
    """Of one score, over patients drawn anew."""

    auroc: Interval
    f1: Interval


class RateIntervals(_Part):
    """Of one kind of beat, over patients drawn anew."""

    se: Interval
    ppv: Interval
    f1: Interval = None


class WindowIntervals(_Part):
    """By score."""

    fused: ScoreIntervals
    cnn: ScoreIntervals
    autoencoder: ScoreIntervals


class BeatIntervals(_Part):
    """By kind of beat."""

    qrs: RateIntervals
    veb: RateIntervals
    sveb: RateIntervals


class AlarmIntervals(_Part):
    """Of false physiological alarms per hour by priority, and of all that are audible."""

    high: Interval
    medium: Interval
    low: Interval
    audible_per_hour: Interval


class Intervals(_Part):
    """95 % intervals by resampling patients, not windows; records of one person are drawn together."""

    patients: int
    windows: WindowIntervals
    beats: BeatIntervals
    alarms: AlarmIntervals | None = None


class ReliabilityBin(_Part):
    """The windows whose score lies in one tenth of the scale: how many, their mean score, how many are abnormal."""

    n: int
    mean_score: float | None
    abnormal_fraction: float | None


class Reliability(_Part):
    """Return whether a score is the probability that it claims to be; the bins are tenths of the scale."""

    expected_calibration_error: float | None
    curve: tuple[ReliabilityBin, ...]


class Calibrations(_Part):
    """By score."""

    fused: Reliability
    cnn: Reliability
    autoencoder: Reliability


class Evaluation(_Part):
    """``ecgstream evaluate --json``. Rates are fractions; None where nothing can be computed."""

    records: int
    hours: float
    path: str
    windows: WindowFigures
    beats: BeatFigures
    alarms: Alarms | None
    intervals: Intervals
    calibration: Calibrations
    per_record: dict[str, RecordFigures]
