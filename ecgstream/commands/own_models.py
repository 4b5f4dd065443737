"""The commands around models of one's own: which there are, whether one fits, what one would do."""

from pathlib import Path
from typing import Annotated

import typer

from ecgstream.commands.options import BootstrapServers, Json

models = typer.Typer(
    help="Models of one's own: which there are, whether one fits, what one would do.", no_args_is_help=True
)


@models.callback()
def _models() -> None:
    """Models of one's own: which there are, whether one fits, what one would do."""


@models.command("list")
def list_models(
    directories: Annotated[
        list[Path] | None, typer.Argument(metavar="[DIR]...", help="Further folders of models.")
    ] = None,
    *,
    json: Json = None,
) -> None:
    """List the shipped models, those that the detector would use, and those of further folders."""
    from dataclasses import asdict

    from detector.settings import DetectorSettings
    from ecgstream.model_reports import list_of_models, models_table
    from ecgstream.running import print_result
    from ecgstream.settings import load
    from models import SHIPPED

    settings = load(DetectorSettings)
    places = [("shipped", SHIPPED), ("judges", settings.models), *(("", each) for each in directories or ())]
    found = list_of_models(places)
    print_result([models_table(found)], {"models": [asdict(each) for each in found]}, json)


@models.command("check")
def check(
    directory: Annotated[Path, typer.Argument(metavar="DIR", help="A folder of models.")],
    *,
    json: Json = None,
) -> None:
    """Tell what of a model fits and what does not, run it, measure its speed and hold its scores against each other."""
    from detector.manifest import MisfitError
    from detector.model_check import check_models
    from ecgstream.model_reports import check_lines, check_result
    from ecgstream.running import print_result

    found = check_models(directory)
    print_result(check_lines(found), check_result(found), json)
    if found.misfits:
        raise MisfitError(directory, found.misfits)


@models.command("shadow")
def shadow(
    *,
    bootstrap_servers: BootstrapServers = None,
    most: Annotated[int, typer.Option(min=0, metavar="N", help="Disagreements that are listed.")] = 20,
    strips: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Draw those that are listed into this folder, as SVG.")
    ] = None,
    json: Json = None,
) -> None:
    """Compare the models in the shadow with those that count, by what both have said of the same windows."""
    import asyncio

    from alerting.rules import load_rules
    from alerting.settings import AlertingSettings
    from bus.settings import KafkaSettings
    from ecgstream.running import print_result
    from ecgstream.settings import load
    from ecgstream.shadow_comparison import compare_shadow, comparison_lines, comparison_result
    from ecgstream.shadow_strips import draw_strips, write_strips

    kafka = load(KafkaSettings, bootstrap_servers=bootstrap_servers)
    found = asyncio.run(compare_shadow(kafka, load_rules(load(AlertingSettings).rules)))
    print_result(comparison_lines(found, most=most), comparison_result(found), json)
    if strips is not None:
        drawn = asyncio.run(draw_strips(kafka, found.disagreements[:most]))
        write_strips(drawn, strips)
        typer.echo(f"{len(drawn)} strips are in {strips}", err=True)
