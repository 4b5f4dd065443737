"""The commands around models of one's own: which there are, whether one fits."""

from pathlib import Path
from typing import Annotated

import typer

from ecgstream.commands.options import Json

models = typer.Typer(help="Models of one's own: which there are, whether one fits.", no_args_is_help=True)


@models.callback()
def _models() -> None:
    """Models of one's own: which there are, whether one fits."""


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
