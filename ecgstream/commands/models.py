"""The commands around the models: scoring, training, exporting."""

from pathlib import Path
from typing import Annotated

import typer

from ecgstream.commands.options import Data, FileUnit, Json, Leads, Models, SamplingRate, judging_settings, lead_names


def score(
    files: Annotated[
        list[Path], typer.Argument(metavar="FILE...", help="Recordings: WFDB (.hea, .dat), EDF, CSV, NumPy.")
    ],
    *,
    fs: SamplingRate = None,
    leads: Leads = None,
    unit: FileUnit = None,
    models: Models = None,
    json: Json = None,
) -> None:
    """Score files without a broker."""
    from detector.scorer import scorer_of
    from ecg.errors import EcgStreamError
    from ecgstream.failures import complain, one_line
    from ecgstream.running import STDOUT, reader_may_leave, write_json
    from ecgstream.wording import result_lines
    from reports.scoring import score_file

    settings, rules = judging_settings(models)
    scorer, names = scorer_of(settings), lead_names(leads)
    results: list[dict[str, object]] = []
    failed: EcgStreamError | None = None
    with reader_may_leave():
        for path in files:
            try:
                found = score_file(path, scorer, rules, fs_hz=fs, leads=names, unit=unit.value if unit else None)
            except EcgStreamError as error:
                results.append({"file": str(path), "error": one_line(error)})
                if failed is not None:
                    complain(failed)
                failed = error
                continue
            results.append(found)
            if json != STDOUT:
                typer.echo("\n".join(result_lines(found)))
        write_json({"results": results}, json)
    if failed is not None:
        raise failed  # the last; those before it are told already


def train(
    run_directory: Annotated[Path, typer.Argument(metavar="RUN", help="Where the run's weights and report go.")],
    *,
    data: Data = None,
    records: Annotated[str, typer.Option(metavar="R,...", help="What to learn from; no test record is taken.")] = "ds1",
    noise: Annotated[Path | None, typer.Option(help="Folder of the noise records; by default nstdb.")] = None,
    cache: Annotated[Path | None, typer.Option(help="Folder for prepared windows; by default in RUN.")] = None,
    workers: Annotated[int, typer.Option(min=1, help="Fits that run side by side.")] = 2,
) -> None:
    """Train both networks, calibrate them and choose thresholds; a run that was cut off goes on."""
    from rich.console import Console

    from ecgstream.recordings import training_data

    need_torch()
    from training.train import TrainingSettings
    from training.train import train as train_networks

    given = training_data(run_directory, data=data, records=records, noise=noise, cache=cache)
    run_directory.mkdir(parents=True, exist_ok=True)
    train_networks(
        given.records,
        run_directory,
        cache=given.cache,
        noise=given.noise,
        settings=TrainingSettings(workers=workers),
        console=Console(stderr=True),
    )
    typer.echo(f"trained: export it with 'ecgstream export {run_directory} DIR'")


def export(
    run_directory: Annotated[Path, typer.Argument(metavar="RUN", help="What `ecgstream train` wrote.")],
    directory: Annotated[Path, typer.Argument(metavar="DIR", help="Where the models go; earlier ones are replaced.")],
) -> None:
    """Write a run's networks as ONNX files with their manifest, checked against torch."""
    need_torch()
    from training.export import export as export_networks

    exported = export_networks(run_directory, directory)
    for name, difference in exported.largest_difference.items():
        typer.echo(f"{name}: onnxruntime and torch differ by at most {difference:.2g}")
    typer.echo(f"the models are in {exported.directory}")


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
