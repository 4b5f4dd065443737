"""The commands that show what happens: the demo and the subscriber."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from ecgstream.commands.options import BootstrapServers, Data, Json, Record, Speed


class Followed(StrEnum):
    """The topics that can be followed."""

    WINDOWS = "windows"
    ANOMALIES = "anomalies"
    ALERTS = "alerts"


def demo(
    *,
    record: Record = None,
    data: Data = None,
    speed: Speed = None,
    duration: Annotated[
        float | None, typer.Option(min=1, metavar="S", help="End after S seconds of wall time, from the first sample.")
    ] = None,
    patients: Annotated[int | None, typer.Option(min=1, help="Deal the records out to so many patients.")] = None,
    data_of_broker: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Keep Kafka's topics there; without it they are thrown away.")
    ] = None,
    json: Json = None,
) -> None:
    """Watch a real recording live on a real Kafka: everything in one process tree, until the recording ends."""
    import asyncio

    from rich.console import Console

    from bus.settings import KafkaSettings
    from ecgstream.demo import DemoOptions
    from ecgstream.demo import demo as run_demo
    from ecgstream.recordings import names_of, noise_record, records_folder
    from ecgstream.running import STDOUT, run, write_json
    from ecgstream.settings import ProcessSettings, load
    from ops.logging import configure_logging
    from ops.signals import stop_on_signals
    from producer.settings import FaultSettings, ReplaySettings

    process = load(ProcessSettings)
    configure_logging(service="demo", level="warning", form=process.log_format)
    folder = records_folder(data, process)
    faults = load(FaultSettings)
    options = DemoOptions(
        records=names_of(record or [], folder),
        data=folder,
        replay=load(ReplaySettings, speed=speed, patients=patients),
        faults=faults,
        noise=noise_record(faults.noise, process) if faults.noise else None,
        duration_s=duration,
        data_of_broker=data_of_broker,
        partitions=load(KafkaSettings).partitions,
    )
    # Standard output belongs to the JSON alone where that is asked for.
    console = Console(stderr=json == STDOUT)

    async def main() -> dict[str, object]:
        with stop_on_signals() as stop:
            return await asyncio.create_task(run_demo(options, stop, console))

    summary = run(main())
    if json != STDOUT:
        from ecgstream.wording import summary_line

        console.print(summary_line(summary), highlight=False)
    write_json(summary, json)


def subscribe(
    topic: Annotated[Followed, typer.Argument(help="What to follow.")],
    *,
    patient: Annotated[str | None, typer.Option(help="Show this patient only.")] = None,
    from_beginning: Annotated[bool, typer.Option("--from-beginning", help="Begin with the oldest message.")] = False,
    json: Annotated[bool, typer.Option("--json", help="One JSON object a line.")] = False,
    bootstrap_servers: BootstrapServers = None,
) -> None:
    """Follow a topic, readable or as JSON lines, until Ctrl-C."""
    from bus.settings import KafkaSettings
    from ecgstream.running import run
    from ecgstream.settings import ProcessSettings, load
    from ecgstream.subscribe import follow
    from ops.logging import configure_logging

    process = load(ProcessSettings)
    configure_logging(service="subscribe", level="warning", form=process.log_format)
    kafka = load(KafkaSettings, bootstrap_servers=bootstrap_servers)
    run(follow(kafka, topic.value, patient=patient, from_beginning=from_beginning, as_json=json))
