"""The commands that write reports for people to read."""

import typer

report = typer.Typer(help="Reports for people to read.", no_args_is_help=True)


@report.callback()
def _report() -> None:
    """Reports for people to read."""
