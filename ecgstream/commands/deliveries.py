"""The commands about delivering alarms: what waits or is dead, the channels, and what delivering costs the alarms."""

from enum import StrEnum
from typing import Annotated

import typer

from ecgstream.commands.alarm_history import Database, address_of
from ecgstream.commands.benches import bench_settings
from ecgstream.commands.options import Json


class State(StrEnum):
    """States of deliveries."""

    WAITING = "waiting"
    DONE = "done"
    DEAD = "dead"


def deliveries(
    *,
    state: Annotated[State | None, typer.Option(help="In this state; dead ones were given up.")] = None,
    channel: Annotated[str | None, typer.Option(metavar="NAME", help="Over this channel.")] = None,
    alarm: Annotated[str | None, typer.Option(metavar="ID", help="Of this alarm.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=10_000, help="At most so many.")] = 50,
    retry: Annotated[bool, typer.Option("--retry", help="Let all of them that are dead be sent again.")] = False,
    database: Database = None,
    json: Json = None,
) -> None:
    """Messages delivered over the channels, the newest first."""
    from alerting.delivery.review import Chosen, listed, revive
    from ecgstream.running import print_result
    from ecgstream.wording import delivery_line
    from ops.clock import SystemClock

    chosen = Chosen(channel=channel, alarm=alarm, state=None if state is None else state.value)
    url = address_of(database)
    revived = revive(url, chosen, now_ns=SystemClock().now_ns()) if retry else 0
    found = [] if retry else listed(url, chosen, limit=limit)
    lines = [f"{revived} deliveries wait again"] if retry else [delivery_line(row) for row in found]
    print_result(lines or ["no such delivery"], {"revived": revived, "deliveries": found}, json)


def channels(
    *,
    test: Annotated[
        str | None,
        typer.Option(
            metavar="NAME", help="Send a message that is not an alarm over this channel; a FHIR server keeps it."
        ),
    ] = None,
    database: Database = None,
    json: Json = None,
) -> None:
    """The channels over which alarms are delivered, and how each stands."""
    from alerting.delivery.channels import VARIABLE, ChannelsError, load_channels
    from alerting.delivery.review import tally_where_there
    from alerting.delivery.trial import trial
    from alerting.settings import AlertingSettings
    from ecgstream.running import STDOUT, print_result
    from ecgstream.settings import load
    from ecgstream.wording import channel_line
    from ops.clock import SystemClock

    found = load_channels(load(AlertingSettings).channels)
    url = address_of(database)
    if test is not None:
        if test not in found:
            there = ", ".join(found) or "none"
            raise ChannelsError(f"there is no channel {test!r}: {VARIABLE} names {there}")
        trial(test, found[test], clock=SystemClock(), database=url)
        typer.echo(f"sent over {test}", err=json == STDOUT)
    stand = tally_where_there(url)
    lines = [channel_line(name, found.get(name), stand.get(name)) for name in dict.fromkeys((*found, *stand))]
    if not found:
        lines.append(f"no channel: {VARIABLE} names them")
    described = [
        {"name": name, "kind": channel.kind, "deliveries": stand.get(name)} for name, channel in sorted(found.items())
    ]
    print_result(lines if test is None else (), {"channels": described, "tested": test}, json)


def bench_alarms(
    *,
    alarms_per_hour: Annotated[int, typer.Option(min=1, max=100_000, metavar="N", help="Alarms that start.")] = 10_000,
    duration: Annotated[float, typer.Option(min=10, metavar="S", help="Seconds of each of the two runs.")] = 120.0,
    slow: Annotated[float, typer.Option(min=0, max=9, metavar="S", help="Seconds a call of the slow channel.")] = 5.0,
    json: Json = None,
) -> None:
    """Raise alarms without channels, then with a good, a slow and a dead one, on a broker of its own, and measure."""
    from ecgstream.bench.alarms import AlarmBenchPlan, run_alarms
    from ecgstream.running import print_result, run

    bench_settings()
    report = run(run_alarms(AlarmBenchPlan(alarms_per_hour=alarms_per_hour, duration_s=duration, slow_s=slow)))
    runs = {name.replace("_", " "): report[name] for name in ("without_channels", "with_channels")}
    print_result(
        (f"{run}, {figure}: {value}" for run, of in runs.items() for figure, value in of.items()), report, json
    )
