"""The command line: which commands there are. What a command needs is imported when it runs."""

from typing import Annotated

import typer

from ecgstream.commands import (
    alarm_history,
    alarms,
    comparing,
    deliveries,
    evaluating,
    measuring,
    reporting,
    services,
    single_beats,
    tokens,
    upkeep,
    watching,
)
from ecgstream.commands import models as model_commands

app = typer.Typer(
    name="ecgstream",
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


app.command()(watching.demo)
app.command()(services.broker)
app.command()(services.replay)
app.command()(services.detect)
app.command()(services.alert)
app.command()(services.web)
app.command()(tokens.web_token)
app.command()(watching.subscribe)
app.command()(model_commands.score)
app.command()(model_commands.train)
app.command()(model_commands.export)
app.command()(single_beats.train_ecg5000)
app.command()(evaluating.evaluate)
app.command()(measuring.chaos)
app.command()(upkeep.doctor)
app.add_typer(services.topics, name="topics")
alarms.alarms.command("history")(alarm_history.history)
alarms.alarms.command("show")(alarm_history.show)
alarms.alarms.command("export")(alarm_history.export)
alarms.alarms.command("deliveries")(deliveries.deliveries)
alarms.alarms.command("channels")(deliveries.channels)
app.add_typer(alarms.alarms, name="alarms")
app.add_typer(upkeep.data, name="data")
measuring.bench.command("alarms")(deliveries.bench_alarms)
app.add_typer(measuring.bench, name="bench")
app.add_typer(reporting.report, name="report")
app.add_typer(comparing.compare, name="compare")
