"""Reach of networks beyond the recordings they know: one group of recordings left out, the other learned from.

The MIT-BIH records were chosen in two ways: the 100 series at random from a hospital's Holter tapes, the 200 series for
what is rare. A network fitted on one and judged on the other meets what five folds over all patients hide.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from pydantic import BaseModel, ConfigDict
from rich.console import Console
from rich.progress import track
from rich.table import Table

from detector.judgement import fused
from detector.score import Score
from ecg.errors import EcgStreamError
from training.beat_comparison import Pair, class_rates, qrs_rates
from training.beat_reference import Reference
from training.beat_trees import Trees, cross_fit, table_of
from training.data import load_windows
from training.following import candidates_of, judge, scores_of, weigh
from training.jobs import Job, run_job
from training.metrics import auroc
from training.outoffold import OutOfFold, out_of_fold
from training.records import TrainingRecords
from training.run import CNN, Run, load_run
from training.side_by_side import run_side_by_side
from training.train import TrainingSettings, jobs_of


class GroupJob(Job):
    """A fit without one group of recordings."""

    @property
    def name(self) -> str:
        """Such as "cnn without 2xx", for people."""
        return f"{self.kind} without {self.held_out[0][0]}xx"


class GroupFigures(BaseModel):
    """One group of records, judged by networks that learned from the other, and by those of the five folds.

    ``auroc`` is of the fused window score; ``qrs``, ``veb`` and ``sveb`` are F1 of beats; None where undefined.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    group: str
    learned_from: str
    records: int
    windows: int
    auroc: float | None
    cnn_auroc: float | None
    autoencoder_auroc: float | None
    qrs: float | None
    veb: float | None
    sveb: float | None


def compare_groups(
    records: TrainingRecords,
    run_directory: Path,
    *,
    cache: Path,
    noise: Path,
    workers: int = 2,
    console: Console | None = None,
) -> tuple[GroupFigures, ...]:
    """Fit without each group of recordings, and judge it; beside that, the judgement by the run's folds.

    Calibration and the reading of beats are those of the run, fitted out of fold over all patients: they hold a few
    numbers only.

    Parameters
    ----------
    records, run_directory, cache, noise : as for ``training.train.train``, which has filled the directory
    workers : fits that run at once, each as those of the run
    console : where progress is shown

    Raises
    ------
    EcgStreamError : when the run is not finished, or the records are of one group
    """
    console = console or Console()
    run = load_run(run_directory)
    settings = TrainingSettings.of(run)
    groups = {name[0]: tuple(n for n in records.names if n[0] == name[0]) for name in records.names}
    if len(groups) < 2:
        raise EcgStreamError(f"records {', '.join(records.names)} are of one series: give some of another")
    windows = load_windows(records, cache, track=lambda names: track(list(names), "preparing windows", console=console))
    of_run = jobs_of(windows, records, run_directory, cache=cache, noise=noise, settings=settings)
    jobs = [_without(job, held_out) for held_out in groups.values() for job in of_run if job.fold is None]
    run_side_by_side([job for job in jobs if not job.weights.is_file()], run_job, workers, console)
    reference = Reference(
        annotations={name: records.annotations(name) for name in records.names},
        rates_hz={name: records.read(name).fs_hz for name in records.names},
    )
    with console.status("judging"):
        by_group = out_of_fold(windows, jobs)
        by_fold = out_of_fold(windows, [job for job in of_run if job.fold is not None])
        ways = []
        for learned_from, judged, held_out in (
            ("the other series", by_group, list(groups.values())),
            ("the other folds", by_fold, [job.held_out for job in of_run if job.fold is not None and job.kind == CNN]),
        ):
            tables = [
                table_of(one.windows.name, weigh(one, _scores(one, run), run.calibration), reference) for one in judged
            ]
            ways.append((learned_from, judged, cross_fit(tables, held_out)))
        return tuple(
            _figures(
                [one for one in judged if one.windows.name in names],
                trees,
                group=f"{group}xx",
                learned_from=learned_from,
                run=run,
                reference=reference,
            )
            for group, names in groups.items()
            for learned_from, judged, trees in ways
        )


def table(figures: Sequence[GroupFigures]) -> Table:
    """The figures for people."""
    shown = Table(title="recordings of one series, judged by networks that have not seen them")
    columns = ("series", "learned from", "windows", "fused", "CNN", "autoencoder", "QRS F1", "V F1", "S F1")
    for column in columns:
        shown.add_column(column, justify="left" if column in columns[:2] else "right")
    for of in figures:
        values = (of.auroc, of.cnn_auroc, of.autoencoder_auroc, of.qrs, of.veb, of.sveb)
        cells = ("-" if value is None else f"{value:.4f}" for value in values)
        shown.add_row(of.group, of.learned_from, str(of.windows), *cells)
    return shown


def _scores(record: OutOfFold, run: Run) -> list[Score]:
    return scores_of(record, candidates_of(record), run.beat_map)


def _without(job: Job, held_out: tuple[str, ...]) -> GroupJob:
    values = {name: getattr(job, name) for name in job.__dataclass_fields__}
    return GroupJob(**values | {"held_out": held_out})


def _figures(
    judged: Sequence[OutOfFold],
    trees: Mapping[str, Trees],
    *,
    group: str,
    learned_from: str,
    run: Run,
    reference: Reference,
) -> GroupFigures:
    labels: list[bool] = []
    scores: list[tuple[float, float, float]] = []
    counts: Counter[Pair] = Counter()
    for record in judged:
        judgements = judge(
            record,
            _scores(record, run),
            trees[record.windows.name],
            reading=run.beat_reading,
            calibration=run.calibration,
        )
        for judgement, known, abnormal in zip(judgements, record.known, record.windows.abnormal, strict=True):
            if known and (of := judgement.evidence) is not None and of.autoencoder is not None:
                labels.append(bool(abnormal))
                scores.append((fused(of, run.calibration), of.cnn, of.autoencoder))
        counts += reference.count(record, judgements)
    truth, columns = np.array(labels, np.bool_), np.array(scores, np.float64).reshape(-1, 3)
    areas = [None if (area := auroc(truth, column)) is None else round(area, 4) for column in columns.T]
    rates = (qrs_rates(counts), class_rates(counts, "V", neutral="FQ"), class_rates(counts, "S", neutral="Q"))
    beats = [None if rate.f1 is None else round(rate.f1, 4) for rate in rates]
    return GroupFigures(
        group=group,
        learned_from=learned_from,
        records=len(judged),
        windows=len(truth),
        auroc=areas[0],
        cnn_auroc=areas[1],
        autoencoder_auroc=areas[2],
        qrs=beats[0],
        veb=beats[1],
        sveb=beats[2],
    )
