"""Training of the trees that class beats, for networks that stay as they are: on patients these have not seen."""

from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import track

from detector.beat_map import AAMI_CLASSES
from training.beat_figures import beat_figures
from training.beat_reference import Reference
from training.beat_trees import choose_biases, cross_fit, fit_trees, table_of
from training.data import load_windows
from training.following import candidates_of, judge, scores_of, weigh
from training.outoffold import check_unseen, unseen
from training.records import TrainingRecords
from training.run import BEATS, RUN, Run, load_run
from training.train import TrainingSettings, fold_names
from training.tree_onnx import trees_to_onnx


def train_beats(
    records: TrainingRecords,
    run_directory: Path,
    *,
    cache: Path,
    settings: TrainingSettings | None = None,
    console: Console | None = None,
) -> Run:
    """Fit the trees anew, and measure them on patients held out in turn; nothing else of the run changes.

    What beats count for in a window's score stays, too: databases without marks of the rhythm call windows of atrial
    fibrillation normal, and cannot teach it.

    Parameters
    ----------
    records : what to learn from; none that the run's networks have learned from
    run_directory : a finished run, or a folder of models, which keeps what they were exported from
    cache : folder for prepared windows
    settings : of which the number of folds counts
    console : where progress is shown

    Returns
    -------
    what ``run.json`` holds now

    Raises
    ------
    EcgStreamError : when the run is not finished, or its networks have learned from one of the records
    """
    settings, console = settings or TrainingSettings(), console or Console()
    run = load_run(run_directory)
    check_unseen(records.names, run_directory, run)  # before minutes go into preparing windows
    windows = load_windows(records, cache, track=lambda names: track(list(names), "preparing windows", console=console))
    with console.status("classing beats of patients held out in turn"):
        judged = unseen(windows, run_directory, run)
        reference = Reference(
            annotations={name: records.annotations(name) for name in records.names},
            rates_hz={name: records.read(name).fs_hz for name in records.names},
        )
        scores = [scores_of(record, candidates_of(record), run.beat_map) for record in judged]
        tables = [
            table_of(record.windows.name, weigh(record, of, run.calibration), reference)
            for record, of in zip(judged, scores, strict=True)
        ]
        folds = fold_names(windows, settings.folds)
        trees = cross_fit(tables, folds)
        reading = choose_biases(
            tables, {table.name: trees[table.name].probabilities(table.features) for table in tables}
        )
        judgements = [
            judge(record, of, trees[record.windows.name], reading=reading, calibration=run.calibration)
            for record, of in zip(judged, scores, strict=True)
        ]
        (run_directory / f"{BEATS}.onnx").write_bytes(
            trees_to_onnx(fit_trees(tables).models, AAMI_CLASSES).SerializeToString()
        )
    learned: dict[str, Any] = {name: records.content_hash(name) for name in records.names}
    run = run.model_copy(
        update={
            "beat_reading": reading,
            "beat_records": learned,
            "figures": run.figures | {"beats": beat_figures(judged, judgements, reference)},
        }
    )
    (run_directory / RUN).write_text(run.model_dump_json(indent=2) + "\n", encoding="utf-8")
    return run
