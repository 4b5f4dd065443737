"""Atrial fibrillation and noise in short strips, by weights that have not seen them: folds over strips, drawn anew.

What ships was fitted on these strips among others. Here both models (``ecg.irregularity``, ``ecg.noise``) are fitted on
the strips of all folds but one, their limits chosen there as well, and the strips of that fold called by them.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict
from rich.table import Table
from sklearn.linear_model import LogisticRegression

from detector.due import Due, StreamId
from detector.offline import judge_record, verdicts_in
from detector.results import results_of
from detector.score import Result, Score
from detector.scorer import Scorer
from ecg.irregularity import atrial_intervals_s, measures_of, weighed_beats
from ecg.leads import choose_leads
from ecg.noise import REST_LIMITS, noise_signs
from ecg.p_waves import PWaves, mean_p_waves
from ecg.records import Record, exact_rate
from ecg.rhythm import AF_EVERY, P_WAVES_NS
from ecg.rhythm_state import AF_IN_A_ROW, Beat
from ecg.second_filter import FilteredSignal
from ecg.segments import MODEL_FS_HZ, MODEL_SAMPLES, WINDOW_SAMPLES, Preprocessing, filter_segments
from ecg.wfdb_files import read_wfdb
from ecg.windows import HOP_S
from training.data import segments_of
from training.databases.challenge2017 import StripClass
from training.metrics import ratio
from training.strips import NOISE_SHARE

FOLDS = 5
NORMAL_CALLED_NOISE = 0.03  # share of the strips called normal that the limit for noise may cost
Floats = npt.NDArray[np.float64]
Track = Callable[[Iterable[str]], Iterable[str]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Strip:
    """A strip as both models see it.

    Attributes
    ----------
    letter : what experts call it
    rhythm : (observations, 5) the measures of the rhythm, every ``AF_EVERY`` beats
    noise : (windows, 3) the signs of noise of the detector's windows
    """

    letter: StripClass
    rhythm: Floats
    noise: Floats


class StripFigures(BaseModel):
    """Figures of one draw of the folds, over all strips: each called by what was fitted without it."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    af_se: float | None
    af_ppv: float | None
    af_f1: float | None
    noise_se: float | None
    noise_false_share: float | None


def read_strips(folder: Path, classes: dict[str, StripClass], scorer: Scorer, *, track: Track) -> tuple[Strip, ...]:
    """Measure strips as the detector does.

    Parameters
    ----------
    folder : of the strips
    classes : what experts call each
    scorer : finds and classes the beats
    track : wraps the names, for a progress bar
    """
    return tuple(_strip(read_wfdb(folder / name), classes[name], scorer) for name in track(sorted(classes)))


def _strip(record: Record, letter: StripClass, scorer: Scorer) -> Strip:
    scores: list[Score] = []
    signals: dict[StreamId, FilteredSignal] = {}

    def score(batch: Sequence[Due]) -> Callable[[], list[Result]]:
        found = results_of(batch, scorer, signals)
        signals.update(found.signals)
        scores.extend(each for each in found.results if isinstance(each, Score))
        return lambda: found.results

    verdicts = verdicts_in(judge_record(record, scorer, score=score))
    evidence: list[tuple[int, PWaves]] = []
    beats: list[Beat] = []
    rows = []
    for verdict, of in zip(verdicts, scores, strict=True):
        if of.p_waves is not None:
            evidence.append((verdict.end_ns, of.p_waves))
        mean = mean_p_waves([each for end_ns, each in evidence if end_ns >= verdict.end_ns - P_WAVES_NS])
        for beat in verdict.beats:
            beats.append((beat.t_ns, beat.beat_class or "Q"))
            if len(beats) % AF_EVERY == 0:
                measures = measures_of(atrial_intervals_s(weighed_beats(beats)), mean)
                rows += [] if measures is None else [measures]
    return Strip(letter=letter, rhythm=np.array(rows, np.float64).reshape(-1, 5), noise=_noise(record))


def _noise(record: Record) -> Floats:
    """(windows, 3) the signs of noise of the first lead, in windows that follow each other."""
    rate = exact_rate(record.fs_hz)
    hops = int(record.seconds // HOP_S)
    if not hops:
        return np.empty((0, 3))
    ends = np.array([-(-step * HOP_S * rate.numerator // rate.denominator) for step in range(1, hops + 1)])
    judged = choose_leads(record.leads)[0]
    filtered = filter_segments(
        segments_of(record, ends)[:, :, :1],
        fs_hz=record.fs_hz,
        gain=np.full((hops, 1), record.gain[judged]),
        baseline=np.full((hops, 1), record.baseline[judged]),
        settings=Preprocessing(),
    )
    known_s = np.arange(1, hops + 1) * HOP_S
    known_from = np.maximum(MODEL_SAMPLES - known_s * round(MODEL_FS_HZ), 0)
    segment = np.concatenate([signal.segment() for signal in filtered]).reshape(hops, MODEL_SAMPLES)
    signs = noise_signs(segment, known_from, window=WINDOW_SAMPLES)
    return np.stack([signs.likeness, np.clip(signs.rest, *REST_LIMITS), signs.kurtosis], axis=1).astype(np.float64)


def fold_figures(strips: Sequence[Strip], *, draw: int, folds: int = FOLDS) -> StripFigures:
    """Call every strip by models that were fitted on the strips of the other folds.

    Parameters
    ----------
    strips : of all classes
    draw : number of the draw of the folds
    folds : how many
    """
    order = list(range(len(strips)))
    Random(draw).shuffle(order)  # noqa: S311 - draws folds, no secrets
    called: dict[int, tuple[bool, bool]] = {}
    for fold in range(folds):
        held_out = set(order[fold::folds])
        learned = [strip for at, strip in enumerate(strips) if at not in held_out]
        fibrillates, noisy = _rhythm_model(learned), _noise_model(learned)
        called |= {at: (fibrillates(strips[at]), noisy(strips[at])) for at in held_out}
    letters = [strip.letter for strip in strips]
    # A strip that is called noise is called nothing else.
    af = [called[at][0] and not called[at][1] for at in range(len(strips))]
    noise = [called[at][1] for at in range(len(strips))]
    hits = sum(called_so for called_so, letter in zip(af, letters, strict=True) if letter == "A")
    return StripFigures(
        af_se=ratio(hits, letters.count("A")),
        af_ppv=ratio(hits, sum(af)),
        af_f1=ratio(2 * hits, letters.count("A") + sum(af)),
        noise_se=_share(noise, letters, "~"),
        noise_false_share=_share(noise, letters, "N"),
    )


def _share(called: Sequence[bool], letters: Sequence[StripClass], of: StripClass) -> float | None:
    return ratio(
        sum(called_so for called_so, letter in zip(called, letters, strict=True) if letter == of), letters.count(of)
    )


def _rhythm_model(learned: Sequence[Strip]) -> Callable[[Strip], bool]:
    known = [strip for strip in learned if len(strip.rhythm) and strip.letter != "~"]
    rows = np.array([strip.rhythm.mean(axis=0) for strip in known])
    model = LogisticRegression(C=1e3, max_iter=1000).fit(rows, [strip.letter == "A" for strip in known])
    odds = np.array([_in_a_row(model, strip) for strip in known])
    labels = np.array([strip.letter == "A" for strip in known])
    limits = np.unique(odds[np.isfinite(odds)])
    limit = max(limits, key=lambda each: 2 * (labels & (odds >= each)).sum() / (labels.sum() + (odds >= each).sum()))
    return lambda strip: _in_a_row(model, strip) >= limit


def _in_a_row(model: LogisticRegression, strip: Strip) -> float:
    """The highest log odds that ``AF_IN_A_ROW`` observations in a row reach."""
    if len(strip.rhythm) < AF_IN_A_ROW:
        return -np.inf
    odds = model.decision_function(strip.rhythm)
    return float(np.lib.stride_tricks.sliding_window_view(odds, AF_IN_A_ROW).min(axis=1).max())


def _noise_model(learned: Sequence[Strip]) -> Callable[[Strip], bool]:
    known = [strip for strip in learned if len(strip.noise)]
    rows = np.concatenate([strip.noise for strip in known])
    labels = np.concatenate([np.full(len(strip.noise), strip.letter == "~") for strip in known])
    model = LogisticRegression(C=1e3, max_iter=1000).fit(rows, labels)
    normal = [_half(model, strip) for strip in known if strip.letter == "N"]
    limit = float(np.quantile(normal, 1 - NORMAL_CALLED_NOISE))
    return lambda strip: len(strip.noise) == 0 or _half(model, strip) > limit


def _half(model: LogisticRegression, strip: Strip) -> float:
    """The log odds that ``NOISE_SHARE`` of the windows reach."""
    return float(np.quantile(model.decision_function(strip.noise), 1 - NOISE_SHARE, method="higher"))


def table(figures: Sequence[StripFigures]) -> Table:
    """The figures for people: mean over the draws, and from the lowest to the highest."""
    shown = Table(title=f"strips, called by what was fitted without them ({len(figures)} draws of {FOLDS} folds)")
    shown.add_column("figure")
    shown.add_column("mean (lowest to highest)", justify="right")
    names = {
        "af_f1": "atrial fibrillation, F1",
        "af_se": "sensitivity",
        "af_ppv": "positive predictivity",
        "noise_se": "noise, share found",
        "noise_false_share": "normal strips called noise",
    }
    for field, name in names.items():
        each = [value for of in figures if (value := getattr(of, field)) is not None]
        shown.add_row(name, f"{np.mean(each):.3f} ({min(each):.3f} to {max(each):.3f})" if each else "-")
    return shown
