"""The command line: which commands there are. What a command needs is imported when it runs."""

from collections.abc import Callable
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from ecgstream.commands import (
    access,
    alarm_history,
    alarms,
    benches,
    comparing,
    deliveries,
    evaluating,
    exporting,
    measuring,  # noqa: F401 # its commands are of the group ``benches.bench``
    own_models,
    paper,
    peers,
    reporting,
    sending,
    services,
    single_beats,
    surviving,
    tokens,
    topics,
    upkeep,
    watching,
)
from ecgstream.commands import models as model_commands


class GroupedCommands(TyperGroup):
    """Commands whose help stands under the headings that rich would write."""

    def format_commands(self, ctx: Any, formatter: Any) -> None:  # noqa: ARG002  # typer passes it
        """Write each command under the heading of its group."""
        widest = max(len(name) for name in self.commands)
        for heading in GROUPS:
            rows = [
                (name.ljust(widest), command.get_short_help_str(formatter.width - widest - 6))
                for name, command in self.commands.items()
                if getattr(command, "rich_help_panel", None) == heading
            ]
            with formatter.section(heading):
                formatter.write_dl(rows)


app = typer.Typer(
    name="ecgstream",
    cls=GroupedCommands,
    help="Real-time detection of anomalies in continuous ECG over Apache Kafka. Not a medical device.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
    rich_markup_mode=None,  # its import would double the time that `--help` takes
)


def _version(*, wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        typer.echo(f"ecgstream {version('ecgstream')}")
        raise typer.Exit


@app.callback()
def _everything(
    *,
    debug: Annotated[bool, typer.Option("--debug", help="Show where an error came from.")] = False,  # see main()
    version: Annotated[
        bool, typer.Option("--version", callback=lambda wanted: _version(wanted=wanted), is_eager=True)
    ] = False,
) -> None:
    """Real-time detection of anomalies in continuous ECG over Apache Kafka. Not a medical device."""


alarms.alarms.command("history")(alarm_history.history)
alarms.alarms.command("show")(alarm_history.show)
alarms.alarms.command("export")(alarm_history.export)
alarms.alarms.command("deliveries")(deliveries.deliveries)
alarms.alarms.command("channels")(deliveries.channels)
benches.bench.command("alarms")(deliveries.bench_alarms)
benches.bench.command("peers")(peers.bench_peers)
# The headings of `ecgstream --help` and what stands under each, in this order: a command, or several under one name.
GROUPS: dict[str, tuple[Callable[..., object] | tuple[str, typer.Typer], ...]] = {
    "Run": (
        watching.demo,
        services.broker,
        services.replay,
        services.detect,
        services.alert,
        services.web,
        services.gateway,
        sending.send,
        watching.subscribe,
        model_commands.score,
        paper.digitise,
        exporting.convert,
        ("samples", exporting.samples),
        ("report", reporting.report),
    ),
    "Alarms": (("alarms", alarms.alarms),),
    "Models": (
        model_commands.train,
        model_commands.train_beats,
        model_commands.export,
        model_commands.score_reference,
        model_commands.sign_models,
        single_beats.train_ecg5000,
        ("compare", comparing.compare),
        ("models", own_models.models),
    ),
    "Measure": (evaluating.evaluate, ("bench", benches.bench), surviving.chaos),
    "Maintain": (
        upkeep.doctor,
        ("topics", topics.topics),
        ("data", upkeep.data),
        tokens.web_token,
        access.certificates,
        ("access", access.access),
        tokens.device_token,
    ),
}
for heading, commands in GROUPS.items():
    for command in commands:
        if isinstance(command, tuple):
            name, several = command
            app.add_typer(several, name=name, rich_help_panel=heading)
        else:
            app.command(rich_help_panel=heading)(command)
