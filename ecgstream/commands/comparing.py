"""The commands that compare networks: one fits them on training patients, one scores them on others."""

from pathlib import Path
from typing import Annotated

import typer

from ecgstream.commands.options import Data, Json, Models

compare = typer.Typer(help="Other networks beside those that ship, on the same patients.", no_args_is_help=True)


@compare.callback()
def _compare() -> None:
    """Other networks beside those that ship, on the same patients."""


@compare.command("fit")
def fit_networks(
    run_directory: Annotated[Path, typer.Argument(metavar="RUN", help="What `ecgstream train` wrote.")],
    *,
    data: Data = None,
    records: Annotated[str, typer.Option(metavar="R,...", help="What to learn from; no test record is taken.")] = "ds1",
    noise: Annotated[Path | None, typer.Option(help="Folder of the noise records; by default nstdb.")] = None,
    cache: Annotated[Path | None, typer.Option(help="Folder for prepared windows; by default in RUN.")] = None,
    seeds: Annotated[int, typer.Option(min=1, help="Fits of each network.")] = 3,
    workers: Annotated[int, typer.Option(min=1, help="Fits that run side by side.")] = 2,
) -> None:
    """Fit every network from several seeds and export them to ONNX; what was cut off goes on."""
    from rich.console import Console

    from ecgstream.commands.models import need_torch
    from ecgstream.recordings import training_data

    need_torch()
    from training.experiments.comparison import ComparisonSettings, fit_comparison

    given = training_data(run_directory, data=data, records=records, noise=noise, cache=cache)
    fits = fit_comparison(
        given.records,
        run_directory,
        cache=given.cache,
        noise=given.noise,
        settings=ComparisonSettings(seeds=seeds, workers=workers),
        console=Console(stderr=True),
    )
    for network in fits.networks:
        typer.echo(f"{network.kind}: onnxruntime and torch differ by at most {network.onnx_difference:.2g}")
    typer.echo(f"fitted: score them with 'ecgstream compare score {run_directory}'")


@compare.command("score")
def score_networks(
    run_directory: Annotated[Path, typer.Argument(metavar="RUN", help="What `ecgstream compare fit` added to.")],
    *,
    data: Data = None,
    records: Annotated[str, typer.Option(metavar="R,...", help="ds2, ds1, all, or names such as 100,103.")] = "ds2",
    json: Json = None,
) -> None:
    """Score every network on patients it has not seen: one table, and comparison.json in RUN."""
    from rich.console import Console
    from rich.progress import track

    from ecgstream.commands.models import need_torch
    from ecgstream.recordings import names_of, records_folder
    from ecgstream.running import print_result
    from ecgstream.settings import ProcessSettings, load

    need_torch()
    from training.experiments.comparison_scoring import score_comparison
    from training.experiments.comparison_table import table

    folder = records_folder(data, load(ProcessSettings))
    console = Console(stderr=True)
    comparison = score_comparison(
        run_directory,
        folder,
        names_of([records], folder),
        track=lambda names: track(list(names), "preparing windows", console=console),
    )
    print_result([table(comparison)], comparison.model_dump(mode="json"), json)


@compare.command("groups")
def groups(
    run_directory: Annotated[Path, typer.Argument(metavar="RUN", help="What `ecgstream train` wrote.")],
    *,
    data: Data = None,
    records: Annotated[str, typer.Option(metavar="R,...", help="Training records of two series or more.")] = "ds1",
    noise: Annotated[Path | None, typer.Option(help="Folder of the noise records; by default nstdb.")] = None,
    cache: Annotated[Path | None, typer.Option(help="Folder for prepared windows; by default in RUN.")] = None,
    workers: Annotated[int, typer.Option(min=1, help="Fits that run side by side.")] = 2,
    json: Json = None,
) -> None:
    """Leave out one series of recordings, learn from the other, and judge the one left out; training records alone."""
    from rich.console import Console

    from ecgstream.commands.models import need_torch
    from ecgstream.recordings import training_data
    from ecgstream.running import print_result

    need_torch()
    from training.experiments.groups import compare_groups, table

    given = training_data(run_directory, data=data, records=records, noise=noise, cache=cache)
    figures = compare_groups(
        given.records,
        run_directory,
        cache=given.cache,
        noise=given.noise,
        workers=workers,
        console=Console(stderr=True),
    )
    print_result([table(figures)], {"groups": [of.model_dump(mode="json") for of in figures]}, json)


@compare.command("beats")
def beats(
    run_directory: Annotated[Path, typer.Argument(metavar="RUN", help="What `ecgstream train` wrote.")],
    *,
    data: Data = None,
    records: Annotated[str, typer.Option(metavar="R,...", help="The training records of the run.")] = "ds1",
    databases: Annotated[
        str | None, typer.Option(metavar="D,...", help="The databases that the run has learned from, instead.")
    ] = None,
    noise: Annotated[Path | None, typer.Option(help="Folder of the noise records; by default nstdb.")] = None,
    cache: Annotated[Path | None, typer.Option(help="Folder for prepared windows; by default in RUN.")] = None,
    groups: Annotated[bool, typer.Option(help="Leave out groups of features, too, one after the other.")] = True,
    draws: Annotated[int, typer.Option(min=1, help="Draws of the folds over patients.")] = 3,
    json: Json = None,
) -> None:
    """Leave features of beats out, and class patients that nothing has learned from; training records alone."""
    from rich.console import Console

    from ecgstream.commands.models import need_torch
    from ecgstream.recordings import training_data
    from ecgstream.running import print_result

    need_torch()
    from training.experiments.beat_ablation import GROUPS, compare_features, table

    given = training_data(run_directory, data=data, records=records, noise=noise, cache=cache, databases=databases)
    figures = compare_features(
        given.records,
        run_directory,
        cache=given.cache,
        noise=given.noise,
        groups=GROUPS if groups else GROUPS[:1],
        draws=draws,
        console=Console(stderr=True),
    )
    print_result([table(figures)], {"figures": [of.model_dump(mode="json") for of in figures]}, json)


@compare.command("strips")
def strips(
    *,
    data: Data = None,
    models: Models = None,
    draws: Annotated[int, typer.Option(min=1, help="Draws of the folds over strips.")] = 3,
    json: Json = None,
) -> None:
    """Fit what tells atrial fibrillation and noise anew on folds of challenge2017's strips, and call those left out."""
    from rich.console import Console
    from rich.progress import track

    from detector.scorer import Scorer
    from ecgstream.commands.models import need_torch
    from ecgstream.commands.options import judging_settings
    from ecgstream.recordings import records_folder
    from ecgstream.running import print_result
    from ecgstream.settings import ProcessSettings, load

    need_torch()  # and with it what fits
    from training.databases.challenge2017 import DATABASE, read_classes
    from training.experiments.strip_folds import fold_figures, read_strips, table

    folder = records_folder(data, load(ProcessSettings), DATABASE.name)
    console = Console(stderr=True)
    read = read_strips(
        folder,
        {name: letter for name, letter in read_classes(folder).items() if name in DATABASE.learned},
        Scorer(judging_settings(models)[0].models),
        track=lambda names: track(list(names), "measuring strips", console=console),
    )
    figures = [fold_figures(read, draw=draw) for draw in range(draws)]
    print_result([table(figures)], {"draws": [of.model_dump(mode="json") for of in figures]}, json)
