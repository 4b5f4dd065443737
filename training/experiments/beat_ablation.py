"""Worth of the features that beats are classed by: each group left out, on patients that nothing has learned from.

The networks are those of the run's folds; the trees are fitted anew by several draws of folds over patients, so that a
difference can be held against the chance of the draw.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from random import Random

import numpy as np
from pydantic import BaseModel, ConfigDict
from rich.console import Console
from rich.progress import track
from rich.table import Table

from detector.beat_features import NAMES
from training.beat_figures import FEW
from training.beat_reference import Reference
from training.beat_trees import BeatTable, Probabilities, choose_biases, cross_fit, pooled_f1, table_of
from training.data import load_windows
from training.databases import database_of
from training.following import candidates_of, scores_of, weigh
from training.outoffold import out_of_fold, unseen
from training.records import TrainingRecords
from training.run import load_run
from training.train import TrainingSettings, jobs_of

DRAWS = 3
_CLASSES = (("S", "Q"), ("V", "FQ"))  # each with what is neither right nor wrong when called so (EC57)


@dataclass(frozen=True, slots=True, kw_only=True)
class FeatureGroup:
    """Features that are left out together.

    Attributes
    ----------
    name : in words
    begins : how their names begin
    """

    name: str
    begins: tuple[str, ...]

    def kept(self) -> list[int]:
        """The places of all other features."""
        return [place for place, name in enumerate(NAMES) if not name.startswith(self.begins)]


GROUPS = (
    FeatureGroup(name="none (ships)", begins=("none of them",)),
    FeatureGroup(name="the network's odds", begins=("v_odds", "s_odds", "f_odds")),
    FeatureGroup(name="the QRS", begins=("qrs_", "unlike", "different", "amplitude", "width", "like_previous")),
    FeatureGroup(name="the other lead", begins=("unlike_second", "different_second", "amplitude_second")),
    FeatureGroup(name="long means of RR", begins=("rr_over_mean", "rate_over_long_rate")),
    FeatureGroup(name="the beat behind", begins=("next_", "v_odds_after", "s_odds_after")),
    FeatureGroup(name="regularity and counts", begins=("alike", "spread", "change", "early", "ventricular")),
)


class ClassFigures(BaseModel):
    """One class of beats in one database: F1 of all its beats, and its median over patients with ``FEW`` or more.

    A figure for each draw of the folds.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    without: str
    database: str
    beat_class: str
    patients: int
    f1: tuple[float, ...]
    median_f1: tuple[float, ...]


def compare_features(
    records: TrainingRecords,
    run_directory: Path,
    *,
    cache: Path,
    noise: Path,
    groups: Sequence[FeatureGroup] = GROUPS,
    draws: int = DRAWS,
    console: Console | None = None,
) -> tuple[ClassFigures, ...]:
    """Leave each group of features out, and judge patients that neither networks nor trees have seen.

    The networks are those of the run's folds; of a run that has learned from none of the records, its own.

    Parameters
    ----------
    records, run_directory, cache, noise : as for ``training.train.train``, which has filled the directory
    groups : what to leave out, one after the other
    draws : of folds
    console : where progress is shown

    Raises
    ------
    EcgStreamError : when the run is not finished
    """
    console = console or Console()
    run = load_run(run_directory)
    settings = TrainingSettings.of(run)
    windows = load_windows(records, cache, track=lambda names: track(list(names), "preparing windows", console=console))
    reference = Reference(
        annotations={name: records.annotations(name) for name in records.names},
        rates_hz={name: records.read(name).fs_hz for name in records.names},
    )
    with console.status("describing the beats"):
        if run.records.keys().isdisjoint(records.names):
            judged = unseen(windows, run_directory, run)
        else:
            jobs = jobs_of(windows, records, run_directory, cache=cache, noise=noise, settings=settings)
            judged = out_of_fold(windows, [job for job in jobs if job.fold is not None])
        tables = [
            table_of(
                record.windows.name,
                weigh(record, scores_of(record, candidates_of(record), run.beat_map), run.calibration),
                reference,
            )
            for record in judged
        ]
    found = []
    for group in track(groups, "leaving features out", console=console):
        kept = group.kept()
        some = [
            replace(table, features=table.features[:, kept], provisional=table.provisional[:, kept]) for table in tables
        ]
        found += _figures(group.name, some, folds=settings.folds, draws=draws)
    return tuple(found)


def _figures(without: str, tables: Sequence[BeatTable], *, folds: int, draws: int) -> list[ClassFigures]:
    each = [_drawn(tables, folds, draw) for draw in range(draws)]
    return [
        ClassFigures(
            without=without,
            database=database,
            beat_class=letter,
            patients=patients,
            f1=tuple(figures[database, letter][0] for figures in each),
            median_f1=tuple(figures[database, letter][1] for figures in each),
        )
        for (database, letter), (_, _, patients) in each[0].items()
    ]


def _drawn(tables: Sequence[BeatTable], folds: int, draw: int) -> dict[tuple[str, str], tuple[float, float, int]]:
    """F1, its median over patients, and how many these are, by database and class."""
    names = sorted(table.name for table in tables)
    Random(draw).shuffle(names)  # noqa: S311 - draws folds, no secrets
    trees = cross_fit(tables, [names[fold::folds] for fold in range(folds)])
    said: dict[str, Probabilities] = {table.name: trees[table.name].probabilities(table.features) for table in tables}
    biases = choose_biases(tables, said).biases
    figures = {}
    for database in sorted({database_of(table.name)[0].name for table in tables}):
        some = [table for table in tables if database_of(table.name)[0].name == database]
        for letter, neutral in _CLASSES:
            many = [table for table in some if table.annotated[letter] >= FEW]
            if many:
                of_each = [pooled_f1([table], said, letter, neutral, biases) or 0.0 for table in many]
                whole = pooled_f1(some, said, letter, neutral, biases) or 0.0
                figures[database, letter] = (round(whole, 4), round(float(np.median(of_each)), 4), len(many))
    return figures


def table(figures: Sequence[ClassFigures]) -> Table:
    """The figures for people: mean over the draws, and from the lowest to the highest."""
    shown = Table(title="beats of patients that nothing has learned from, without some features")
    for number, column in enumerate(("without", "database", "class", "patients", "F1", "median of patients")):
        shown.add_column(column, justify="left" if number < 3 else "right")
    for of in figures:
        cells = (f"{np.mean(each):.3f} ({min(each):.3f} to {max(each):.3f})" for each in (of.f1, of.median_f1))
        shown.add_row(of.without, of.database, of.beat_class, str(of.patients), *cells)
    return shown
