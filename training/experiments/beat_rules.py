"""Other rules by which beats could be classed, each tried on patients that neither network nor rule has seen.

The networks are those of the run's folds; each rule is fitted on the beats of four folds and tried on the fifth. What
is usual for a patient was learned under the rule that ships, so that all rules see the same beats.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict
from rich.console import Console
from rich.progress import track
from rich.table import Table
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.linear_model import LogisticRegression

from detector.judgement import BeatFeatures
from training.data import load_windows
from training.following import candidates_of, follow, scores_of
from training.metrics import best_f1_threshold, ratio
from training.outoffold import out_of_fold
from training.personal_tuning import PER_ODDS, PER_PREMATURITY, REGULAR_FROM, Reference, balanced, times_s
from training.records import TrainingRecords
from training.run import load_run
from training.train import TrainingSettings, jobs_of

Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]
ENOUGH = 10  # beats of the class, from which on a patient has a figure of its own
_NEUTRAL = {"V": ("F", "Q"), "S": ("Q",)}  # EC57: called so, neither right nor wrong
_COLUMNS = BeatFeatures._fields


@dataclass(frozen=True, slots=True, kw_only=True)
class BeatRule:
    """A rule to try.

    Attributes
    ----------
    beat_class : what it calls beats
    name : in words
    signs : from columns of ``BeatFeatures`` to what the rule weighs, (n, signs)
    learner : how the weights are found
    regular_from : it looks at beats in a rhythm of that regularity alone
    """

    beat_class: Literal["V", "S"]
    name: str
    signs: Callable[[dict[str, Floats]], list[Floats]]
    learner: Literal["logistic", "trees"] = "logistic"
    regular_from: float = 0.0


def _all(of: dict[str, Floats]) -> list[Floats]:
    return [of[name] for name in _COLUMNS]


def _early(of: dict[str, Floats]) -> list[Floats]:
    return [PER_PREMATURITY * of["prematurity"] + PER_ODDS * of["supraventricular_odds"]]


def _network_and_qrs(of: dict[str, Floats]) -> list[Floats]:
    return [of["ventricular_odds"], of["unlikeness"], of["difference"]]


SHIPS = BeatRule(beat_class="V", name="and the usual QRS (ships)", signs=_network_and_qrs)
RULES = (
    BeatRule(beat_class="V", name="network alone", signs=lambda of: [of["ventricular_odds"]]),
    SHIPS,
    BeatRule(beat_class="V", name="and prematurity", signs=lambda of: [*_network_and_qrs(of), of["prematurity"]]),
    BeatRule(beat_class="V", name="logistic, all signs", signs=_all),
    BeatRule(beat_class="V", name="boosted trees, all signs", signs=_all, learner="trees"),
    BeatRule(beat_class="S", name="network alone", signs=lambda of: [of["supraventricular_odds"]]),
    BeatRule(beat_class="S", name="logistic, all signs", signs=_all),
    BeatRule(beat_class="S", name="boosted trees, all signs", signs=_all, learner="trees"),
    *(
        BeatRule(
            beat_class="S",
            name=f"given shape, regularity from {limit:.2f}" + (" (ships)" if limit == REGULAR_FROM else ""),
            signs=_early,
            regular_from=limit,
        )
        for limit in (0.0, 0.25, 0.35, REGULAR_FROM, 0.55)
    ),
)


class RuleFigures(BaseModel):
    """Worth of a rule; ``per_patient`` is the F1 of each who has ``ENOUGH`` such beats, ``mean`` over them."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    beat_class: str
    rule: str
    se: float | None
    ppv: float | None
    f1: float | None
    mean: float | None
    per_patient: dict[str, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class Beats:
    """All beats found, of all patients.

    Attributes
    ----------
    columns : (n,) each, by feature
    classes : (n,) annotated, "" for none
    names : (n,) record
    folds : (n,) in which neither network nor rule may have seen it
    annotated : how many beats of each class each record has, found or not
    """

    columns: dict[str, Floats]
    classes: npt.NDArray[np.str_]
    names: npt.NDArray[np.str_]
    folds: npt.NDArray[np.int64]
    annotated: dict[str, dict[str, int]]


def compare_rules(
    records: TrainingRecords,
    run_directory: Path,
    *,
    cache: Path,
    noise: Path,
    settings: TrainingSettings | None = None,
    console: Console | None = None,
) -> tuple[RuleFigures, ...]:
    """Try every rule on the patients of a finished run.

    Parameters
    ----------
    records, run_directory, cache, noise : as for ``training.train.train``, which has filled the directory
    settings : those of the run
    console : where progress is shown

    Raises
    ------
    EcgStreamError : when the run is not finished
    """
    console = console or Console()
    beats = _beats(records, run_directory, cache=cache, noise=noise, settings=settings, console=console)
    with console.status("fitting rules"):
        none = np.zeros(len(beats.names), np.bool_)
        # A rule for supraventricular beats is asked of those alone that the one that ships does not call ventricular.
        taken = {"V": none, "S": _called(SHIPS, beats, none)}
        return tuple(_figures(rule, beats, _called(rule, beats, taken[rule.beat_class])) for rule in RULES)


def table(figures: Sequence[RuleFigures]) -> Table:
    """The figures for people."""
    shown = Table(title="rules for classing beats, on patients that neither network nor rule has seen")
    for column in ("class", "rule", "Se", "+P", "F1", "mean of patients", "worst patients"):
        shown.add_column(column, justify="left" if column in {"class", "rule", "worst patients"} else "right")
    for of in figures:
        cells = ("-" if value is None else f"{value:.3f}" for value in (of.se, of.ppv, of.f1, of.mean))
        worst = sorted(of.per_patient.items(), key=lambda item: item[1])[:4]
        shown.add_row(of.beat_class, of.rule, *cells, ", ".join(f"{name} {f1:.2f}" for name, f1 in worst))
    return shown


def _beats(
    records: TrainingRecords,
    run_directory: Path,
    *,
    cache: Path,
    noise: Path,
    settings: TrainingSettings | None,
    console: Console,
) -> Beats:
    run = load_run(run_directory)
    windows = load_windows(records, cache, track=lambda names: track(list(names), "preparing windows", console=console))
    jobs = jobs_of(windows, records, run_directory, cache=cache, noise=noise, settings=settings or TrainingSettings())
    in_folds = [job for job in jobs if job.fold is not None]
    fold_of = {name: job.fold for job in in_folds for name in job.held_out}
    reference = Reference(
        annotations={name: records.annotations(name) for name in records.names},
        rates_hz={name: records.read(name).fs_hz for name in records.names},
    )
    features, classes, names = [], [], []
    with console.status("following"):
        for record in out_of_fold(windows, in_folds):
            scores = scores_of(record, candidates_of(record), run.beat_map)
            found = [beat for of in follow(record, scores, run.personal, run.calibration) for beat in of.beats]
            features += [[getattr(beat.features, column) for column in _COLUMNS] for beat in found]
            classes.append(reference.classes(record.windows.name, times_s(found)))
            names += [record.windows.name] * len(found)
    columns = np.array(features, np.float64).reshape(-1, len(_COLUMNS)).T
    return Beats(
        columns=dict(zip(_COLUMNS, columns, strict=True)),
        classes=np.concatenate(classes),
        names=np.array(names),
        folds=np.array([fold_of[name] for name in names], np.int64),
        annotated={name: reference.counted(name) for name in records.names},
    )


def _called(rule: BeatRule, beats: Beats, taken: Bools) -> Bools:
    """The beats that a rule calls its class, each by weights and a threshold from the other folds."""
    signs = np.column_stack(rule.signs(beats.columns))
    candidates = ~taken & (beats.columns["regularity"] >= rule.regular_from)
    is_class = beats.classes == rule.beat_class
    called = np.zeros(len(signs), np.bool_)
    for fold in np.unique(beats.folds):
        learned = candidates & (beats.folds != fold)
        known = learned & np.isin(beats.classes, ["N", "S", "V"] if rule.beat_class == "V" else ["N", "S"])
        counted = learned & ~np.isin(beats.classes, _NEUTRAL[rule.beat_class])
        if len(np.unique(is_class[known])) < 2:
            continue
        odds = _odds(rule, signs, is_class, known, beats.names)
        threshold = best_f1_threshold(is_class[counted], odds[counted])
        tried = candidates & (beats.folds == fold)
        called[tried] = odds[tried] >= (0.0 if threshold is None else threshold)
    return called


def _odds(rule: BeatRule, signs: Floats, is_class: Bools, known: Bools, names: npt.NDArray[np.str_]) -> Floats:
    """The log odds of each beat by a rule fitted on those known."""
    weight = balanced(is_class[known], names[known])
    learner = (
        LogisticRegression(C=1e4, max_iter=1000)
        if rule.learner == "logistic"
        else HistGradientBoostingClassifier(max_iter=100, learning_rate=0.1, max_leaf_nodes=8, random_state=1)
    )
    odds: Floats = learner.fit(signs[known], is_class[known], sample_weight=weight).decision_function(signs)
    return odds


def _figures(rule: BeatRule, beats: Beats, called: Bools) -> RuleFigures:
    letter = rule.beat_class
    wrong_or_right = called & ~np.isin(beats.classes, _NEUTRAL[letter])
    right = called & (beats.classes == letter)

    def rates(of: Bools, annotated: int) -> tuple[float | None, float | None, float | None]:
        hits, called = int((right & of).sum()), int((wrong_or_right & of).sum())
        return ratio(hits, annotated), ratio(hits, called), ratio(2 * hits, annotated + called)

    of_class = {name: counts.get(letter, 0) for name, counts in beats.annotated.items()}
    per_patient = {
        name: round(rates(beats.names == name, count)[2] or 0.0, 4)
        for name, count in of_class.items()
        if count >= ENOUGH
    }
    se, ppv, f1 = (
        None if rate is None else round(rate, 4) for rate in rates(np.ones(len(called), bool), sum(of_class.values()))
    )
    return RuleFigures(
        beat_class=letter,
        rule=rule.name,
        se=se,
        ppv=ppv,
        f1=f1,
        mean=round(float(np.mean(list(per_patient.values()))), 4) if per_patient else None,
        per_patient=per_patient,
    )
