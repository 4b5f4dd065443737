"""The commands around the models: scoring, training, exporting."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ecgstream.commands.options import Data, FileUnit, Json, Leads, Models, SamplingRate, judging_settings, lead_names

if TYPE_CHECKING:
    from detector.offline import Progress

KINDS = "WFDB, EDF, BDF, DICOM, HL7 aECG, ISHNE, MATLAB, CSV, NumPy, pictures and PDF of paper ECGs, or a .zip of them"


def score(
    files: Annotated[list[Path], typer.Argument(metavar="FILE...", help=f"Recordings: {KINDS}.")],
    *,
    fs: SamplingRate = None,
    leads: Leads = None,
    unit: FileUnit = None,
    models: Models = None,
    json: Json = None,
) -> None:
    """Score files without a broker."""
    from tempfile import TemporaryDirectory

    from detector.scorer import scorer_of
    from ecg.errors import EcgStreamError
    from ecg.intake import recordings_at
    from ecgstream.failures import complain, one_line
    from ecgstream.running import STDOUT, reader_may_leave, write_json
    from ecgstream.wording import result_lines
    from reports.scoring import NotScoredError, score_file

    settings, rules = judging_settings(models)
    scorer, names = scorer_of(settings), lead_names(leads)
    results: list[dict[str, object]] = []
    failed: list[EcgStreamError] = []
    with reader_may_leave(), TemporaryDirectory() as work:
        readable, refused = recordings_at(files, Path(work))
        for file in readable:
            try:
                with _progress(file.path.name) as progress:
                    found = score_file(
                        file.path,
                        scorer,
                        rules,
                        name=file.name,
                        fs_hz=fs,
                        leads=names,
                        unit=unit.value if unit else None,
                        progress=progress,
                        side_by_side=True,
                    )
            except EcgStreamError as error:
                results.append({"file": file.name, "error": one_line(error)})
                failed.append(error)
                continue
            results.append(found)
            if json != STDOUT:
                typer.echo("\n".join(result_lines(found)))
        failed += [NotScoredError(each.reason) for each in refused]
        results += [{"file": each.name, "error": one_line(NotScoredError(each.reason))} for each in refused]
        write_json({"results": results}, json)
    for each_failed in failed[:-1]:
        complain(each_failed)
    if failed:
        raise failed[-1]


@contextmanager
def _progress(name: str) -> "Iterator[Progress]":
    """Show on a terminal how far a file is scored; a short one is done before there is anything to show."""
    from rich.console import Console
    from rich.markup import escape
    from rich.progress import Progress as Bars

    console = Console(stderr=True)
    bars = Bars(console=console, transient=True, disable=not console.is_terminal)

    def show(done: int, of: int) -> None:
        if not bars.task_ids:
            if done == of:
                return
            bars.start()
            bars.add_task(f"scoring {escape(name)}", total=of)
        bars.update(bars.task_ids[0], completed=done)

    try:
        yield show
    finally:
        bars.stop()


def train(
    run_directory: Annotated[Path, typer.Argument(metavar="RUN", help="Where the run's weights and report go.")],
    *,
    data: Data = None,
    records: Annotated[str, typer.Option(metavar="R,...", help="What to learn from; no test record is taken.")] = "ds1",
    databases: Annotated[
        str | None,
        typer.Option(metavar="D,...", help="Databases to learn from, instead of records: mitdb-ds1, svdb, nsrdb."),
    ] = None,
    noise: Annotated[Path | None, typer.Option(help="Folder of the noise records; by default nstdb.")] = None,
    cache: Annotated[Path | None, typer.Option(help="Folder for prepared windows; by default in RUN.")] = None,
    folds: Annotated[int, typer.Option(min=2, metavar="N", help="Folds of patients, for what is chosen.")] = 5,
    steps: Annotated[
        int | None, typer.Option(min=1, metavar="N", help="Of the CNN's fit; more for more records by default.")
    ] = None,
    autoencoder_steps: Annotated[int, typer.Option(min=1, metavar="N", help="Of the autoencoder's fit.")] = 1000,
    workers: Annotated[int, typer.Option(min=1, help="Fits that run side by side.")] = 2,
) -> None:
    """Train both networks, calibrate them and choose thresholds; a run that was cut off goes on."""
    from dataclasses import replace

    from rich.console import Console

    from ecgstream.recordings import training_data

    need_torch()
    from training.train import TrainingSettings
    from training.train import train as train_networks

    given = training_data(run_directory, data=data, records=records, noise=noise, cache=cache, databases=databases)
    run_directory.mkdir(parents=True, exist_ok=True)
    usual = TrainingSettings.for_records(len(given.records.names), workers=workers)
    train_networks(
        given.records,
        run_directory,
        cache=given.cache,
        noise=given.noise,
        settings=replace(
            usual,
            folds=folds,
            cnn=replace(usual.cnn, steps=steps or usual.cnn.steps),
            autoencoder=replace(usual.autoencoder, steps=autoencoder_steps),
        ),
        console=Console(stderr=True),
    )
    typer.echo(f"trained: export it with 'ecgstream export {run_directory} DIR'")


def train_beats(
    run_directory: Annotated[Path, typer.Argument(metavar="RUN", help="A finished run, or a folder of models.")],
    *,
    data: Data = None,
    databases: Annotated[
        str, typer.Option(metavar="D,...", help="Databases that the networks have not learned from.")
    ] = "svdb,nsrdb",
    cache: Annotated[Path | None, typer.Option(help="Folder for prepared windows; by default in RUN.")] = None,
) -> None:
    """Train the classifier of beats anew for networks that stay as they are, on patients that these have not seen."""
    from rich.console import Console

    from ecgstream.recordings import training_data

    need_torch()
    from training.train_beats import train_beats as train_trees

    given = training_data(run_directory, data=data, records="", noise=None, cache=cache, databases=databases)
    train_trees(given.records, run_directory, cache=given.cache, console=Console(stderr=True))
    typer.echo(f"trained: export it with 'ecgstream export {run_directory} DIR'")


def export(
    run_directory: Annotated[Path, typer.Argument(metavar="RUN", help="What `ecgstream train` wrote.")],
    directory: Annotated[Path, typer.Argument(metavar="DIR", help="Where the models go; earlier ones are replaced.")],
    *,
    data: Data = None,
    figures: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME=FILE",
            help="A row of the card, such as 'DS1 alone=ds1.json', from what `ecgstream evaluate --json` wrote.",
        ),
    ] = None,
    sign: Annotated[
        Path | None,
        typer.Option(metavar="KEY", help="Sign them, as 'ecgstream sign-models' does, with this private key."),
    ] = None,
) -> None:
    """Write a run's networks as ONNX files with their manifest, checked against torch, and their card."""
    need_torch()
    from ecg.errors import EcgStreamError
    from ecgstream.failures import one_line
    from training.export import export as export_networks
    from training.model_card import FiguresRow

    rows = [FiguresRow.read(given) for given in figures or ()]
    exported = export_networks(run_directory, directory, rows=rows)
    for name, difference in exported.largest_difference.items():
        typer.echo(f"{name}: onnxruntime and torch differ by at most {difference:.2g}")
    typer.echo(f"the models are in {exported.directory}")
    if sign is not None:
        sign_models(directory, key=sign)
    try:
        score_reference(directory, data=data)
    except EcgStreamError as error:
        typer.echo(
            f"export: detectors cannot measure the drift of these models' scores ({one_line(error)}): bring the "
            f"records, then run 'ecgstream score-reference {directory}'",
            err=True,
        )


def sign_models(
    directory: Annotated[Path, typer.Argument(metavar="DIR", help="A folder of models, as `ecgstream export` writes.")],
    *,
    key: Annotated[Path, typer.Option(metavar="KEY", help="PEM file of an Ed25519 private key without a password.")],
) -> None:
    """Sign models, so that services with ECGSTREAM_DETECTOR_MODEL_KEY take them and no others."""
    from detector.manifest import load_manifest
    from detector.signature import sign_manifest

    load_manifest(directory)  # what does not fit its manifest is not vouched for
    typer.echo(f"{sign_manifest(directory, key)}: set ECGSTREAM_DETECTOR_MODEL_KEY to the public key")


def score_reference(
    directory: Annotated[Path, typer.Argument(metavar="DIR", help="A folder of models, as `ecgstream export` writes.")],
    *,
    data: Data = None,
) -> None:
    """Write beside models how their scores are distributed over the records that they learned from.

    Detectors measure the drift of the scores against it. `ecgstream export` does the same.
    """
    from ecgstream.recordings import recordings_of
    from training.score_reference import learned_records, write_reference

    records = recordings_of(learned_records(directory), data=data)
    with _progress("the records that the models learned from") as progress:
        reference = write_reference(directory, records, progress=progress)
    typer.echo(f"the scores of {reference.windows} windows of {len(reference.records)} records are the reference")


def need_torch(*others: str) -> None:
    """Say what to install where the extra for training is not: torch, ONNX and the others.

    Raises
    ------
    EcgStreamError : when a package of it is missing
    """
    from importlib.util import find_spec

    from ecg.errors import EcgStreamError

    if missing := [name for name in ("torch", "onnx", "onnxscript", *others) if find_spec(name) is None]:
        raise EcgStreamError(f"training needs {', '.join(missing)}: pip install 'ecgstream[train]'")
