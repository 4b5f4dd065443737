"""The commands that look after an installation: its data, and whether all is well."""

from typing import Annotated

import typer

from ecgstream.commands.options import BootstrapServers, Json, Models

data = typer.Typer(help="The recordings in the data directory.", no_args_is_help=True)


@data.command("fetch")
def data_fetch(
    names: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[NAME]...",
            help="mitdb, svdb, vfdb, nsrdb, nstdb, ecg5000: all when none is named; or challenge2015, challenge2017.",
        ),
    ] = None,
    *,
    mirror: Annotated[
        str | None, typer.Option(metavar="URL", help="Where PhysioNet's files are mirrored; PhysioNet by default.")
    ] = None,
) -> None:
    """Fetch recordings into the data directory; what is there is left alone, what was cut goes on."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn
    from rich.progress import Progress as Bars

    from ecg.data import PHYSIONET, Progress, data_directory, fetch
    from ecgstream.settings import ProcessSettings, load

    directory = data_directory(load(ProcessSettings).data_dir)
    with Bars(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("files  {task.fields[file]}"),
        console=Console(stderr=True),
    ) as bars:
        tasks: dict[str, int] = {}

        def show(progress: Progress) -> None:
            if progress.database not in tasks:
                tasks[progress.database] = bars.add_task(progress.database, total=progress.total, file="")
            bars.update(
                bars.tasks[tasks[progress.database]].id,
                completed=progress.done,
                total=progress.total,
                file=f"{progress.file} {progress.file_bytes / 1e6:.1f} MB",
            )

        fetch(names or [], directory, base_url=mirror or PHYSIONET, progress=show)
    typer.echo(f"the recordings are in {directory}")


@data.command("check")
def data_check() -> None:
    """Say what is there, and whether it is whole."""
    from ecg.data import check, data_directory
    from ecg.errors import EcgStreamError
    from ecg.excerpts import EXCERPTS
    from ecgstream.recordings import what_is_shown
    from ecgstream.settings import ProcessSettings, load

    directory = data_directory(load(ProcessSettings).data_dir)
    states = check(directory)
    typer.echo(f"{directory}:")
    for state in states:
        word = "whole" if state.complete else "damaged" if state.damaged else "not whole" if state.records else "absent"
        typer.echo(f"  {state.name:<13} {state.records:4d} of {state.expected:4d}  {word:<9}  {state.title}")
        for file in state.damaged:
            typer.echo(f"           damaged: {file}")
    typer.echo("  always there, five minutes each:")
    for line in what_is_shown(tuple(EXCERPTS)):
        typer.echo(f"  {line}")
    if any(state.damaged for state in states):
        raise EcgStreamError(f"recordings in {directory} are damaged: run 'ecgstream data fetch'")


def doctor(
    *,
    bootstrap_servers: BootstrapServers = None,
    models: Models = None,
    json: Json = None,
) -> None:
    """Check broker, topics, models, data, alarms, ports, clock, Java, memory, disk; say how to mend what is wrong."""
    from rich.text import Text

    from alerting.settings import AlertingSettings
    from bus.settings import KafkaSettings
    from detector.settings import DetectorSettings
    from ecg.errors import EcgStreamError
    from ecgstream.doctor import as_json, examine
    from ecgstream.running import print_result, run
    from ecgstream.settings import ProcessSettings, load
    from ops.logging import configure_logging

    process = load(ProcessSettings)
    configure_logging(service="doctor", level="error", form=process.log_format)
    kafka = load(KafkaSettings, bootstrap_servers=bootstrap_servers)
    findings = run(examine(process, kafka, load(DetectorSettings, models=models), load(AlertingSettings)))
    lines = [
        Text.assemble(("ok       ", "green") if finding.ok else ("problem  ", "bold red"), str(finding))
        for finding in findings
    ]
    print_result(lines, as_json(findings), json)
    if problems := [finding.check for finding in findings if not finding.ok]:
        raise EcgStreamError(f"{len(problems)} of {len(findings)} checks found a problem: {', '.join(problems)}")
