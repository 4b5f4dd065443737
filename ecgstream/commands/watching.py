"""The commands that show what happens: the demo and the subscriber."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ecgstream.commands.options import BootstrapServers, Data, Json, Record, Speed

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ecg.records import Record as EcgRecord
    from ecgstream.ledger import Ledger
    from ecgstream.settings import ProcessSettings


PAGE_PORT = 8000  # where the demo serves the page, if nothing else does


def followed(name: str) -> str:
    """A topic that can be followed, by its name without "ecg."."""
    from bus.topics import readable

    if name not in readable():
        raise typer.BadParameter(f"{name!r} is not one of {', '.join(readable())}")
    return name


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
    """Watch real patients live on a real Kafka: everything in one process tree, until the recordings end.

    Without --record: six patients of different kinds, five minutes each, that come with the package.
    """
    from rich.console import Console

    from bus.settings import KafkaSettings
    from ecgstream.local_system import LocalSystem
    from ecgstream.recordings import WARD_SELECTION, names_of, records_folder, what_is_shown
    from ecgstream.running import STDOUT, run, write_json
    from ecgstream.settings import ProcessSettings, load
    from ops.logging import configure_logging
    from ops.ports import free_or
    from producer.settings import FaultSettings, ReplaySettings

    process = load(ProcessSettings)
    configure_logging(service="demo", level="warning", form=process.log_format)
    replay, faults = load(ReplaySettings, speed=speed, patients=patients), load(FaultSettings)
    folder = records_folder(data, process)
    names = names_of(record or [WARD_SELECTION], folder)
    page = free_or(PAGE_PORT)
    system = LocalSystem(
        ("detect",),
        ("alert",),
        ("web", "--host", "127.0.0.1", "--port", str(page)),
        partitions=load(KafkaSettings).partitions,
        data_of_broker=data_of_broker,
    )
    # Standard output belongs to the JSON alone where that is asked for.
    console = Console(stderr=json == STDOUT, highlight=False, soft_wrap=True)

    async def main() -> "Ledger":
        import asyncio

        from ecgstream.running import unless
        from ops.signals import stop_on_signals

        with stop_on_signals() as stop:
            try:
                console.print("ecgstream, not a medical device: starting Kafka, the services and the page ...")
                # What this process needs is loaded while the others start: half of the wait for the first verdict.
                loading = asyncio.create_task(asyncio.to_thread(_loaded, names, folder, faults.noise, process))
                began = await unless(stop, system.start())
                records, noise = await loading
                from ecgstream.demo import DemoOptions
                from ecgstream.demo import demo as run_demo
                from ecgstream.ledger import Ledger

                if not began:
                    return Ledger()
                for line in what_is_shown(names):
                    console.print(line)
                console.print(f"The page is at http://127.0.0.1:{page}/")
                console.print(f"Kafka is at {system.kafka.bootstrap_servers}: follow along in another terminal with")
                address = f"--bootstrap-servers {system.kafka.bootstrap_servers}"
                console.print(f"  ecgstream subscribe alerts --from-beginning {address}")
                options = DemoOptions(records=records, replay=replay, faults=faults, noise=noise, duration_s=duration)
                return await run_demo(system, options, stop, console)
            finally:
                await system.end()

    summary = run(main()).summary()
    if json != STDOUT:
        from ecgstream.wording import summary_line

        console.print(summary_line(summary))
    write_json(summary, json)


def _loaded(
    names: "Sequence[str]", folder: Path, noise: str | None, process: "ProcessSettings"
) -> "tuple[tuple[EcgRecord, ...], EcgRecord | None]":
    """The recordings and the noise, and with them every module that the demo needs."""
    import ecgstream.demo  # noqa: F401  # for its side effect: it is loaded
    from ecgstream.recordings import load_records, noise_record

    return load_records(names, folder), noise_record(noise, process) if noise else None


def subscribe(
    topic: Annotated[
        str,
        typer.Argument(
            parser=followed, help="What to follow: windows, anomalies, urgent, alerts or another JSON topic."
        ),
    ],
    *,
    patient: Annotated[str | None, typer.Option(help="Show this patient only.")] = None,
    from_beginning: Annotated[bool, typer.Option("--from-beginning", help="Begin with the oldest message.")] = False,
    json: Annotated[bool, typer.Option("--json", help="One JSON object a line.")] = False,
    bootstrap_servers: BootstrapServers = None,
) -> None:
    """Follow a topic, readable or as JSON lines, until Ctrl-C."""
    from bus.settings import KafkaSettings
    from bus.topics import readable
    from ecgstream.running import reader_may_leave, run
    from ecgstream.settings import ProcessSettings, load
    from ecgstream.subscribe import follow
    from ops.logging import configure_logging

    process = load(ProcessSettings)
    configure_logging(service="subscribe", level="warning", form=process.log_format)
    kafka = load(KafkaSettings, bootstrap_servers=bootstrap_servers)
    with reader_may_leave():
        run(follow(kafka, readable()[topic], patient=patient, from_beginning=from_beginning, as_json=json))
