"""The group of commands that measure the whole system, and what they share."""

from pathlib import Path
from typing import TYPE_CHECKING

import typer

from ecgstream.commands.options import Json

if TYPE_CHECKING:
    from ecgstream.bench.capacity import CapacityPlan
    from ecgstream.settings import ProcessSettings

bench = typer.Typer(help="Measure how much the system carries.", no_args_is_help=True)


@bench.callback()
def _bench() -> None:
    """Measure how much the system carries."""


def bench_settings() -> "ProcessSettings":
    """The settings of a process that measures; its log is quiet from here on."""
    from ecgstream.settings import ProcessSettings, load
    from ops.logging import configure_logging

    process = load(ProcessSettings)
    configure_logging(service="bench", level="warning", form=process.log_format)
    return process


def recordings_of(data: Path | None, record: list[str]) -> tuple[Path, tuple[str, ...]]:
    """The folder and the names of what a bench replays; its log is quiet from here on."""
    from ecgstream.recordings import names_of, records_folder

    folder = records_folder(data, bench_settings())
    return folder, names_of(record, folder)


def plan_of(
    patients: int, duration: float, record: list[str], data: Path | None, *, speed: str = "1"
) -> "CapacityPlan":
    """The plan of a replay beside the services that are measured."""
    from ecgstream.bench.capacity import CapacityPlan

    folder, names = recordings_of(data, record)
    return CapacityPlan(patients=patients, duration_s=duration, speed=speed, records=names, data=folder)


def report(figures: dict[str, object], json: Json) -> None:
    """Print what was measured, and write it where that is asked for."""
    from ecgstream.running import print_result

    print_result((f"{name}: {value}" for name, value in figures.items()), figures, json)
