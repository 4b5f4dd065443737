"""The commands that run one service each, as containers do, and what they stand on."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ecgstream.commands.options import BootstrapServers, Data, HealthPort, Instance, Models, Record, Speed

if TYPE_CHECKING:
    from ecgstream.services import Service


def broker(
    *,
    data: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Where to keep the topics; without it they are thrown away.")
    ] = None,
    port: Annotated[
        int,
        typer.Option(min=0, max=65535, help="Where to listen, several on the ports above it too; 0 takes free ports."),
    ] = 9092,
    nodes: Annotated[
        int, typer.Option(min=1, max=5, metavar="N", help="Brokers: of three, one may be away and nothing stops.")
    ] = 1,
) -> None:
    """Run a real local Kafka with all topics in the foreground; prints its bootstrap address."""
    from structlog import get_logger

    from bus.broker_cluster import bootstrap_of, local_brokers
    from bus.clients import BrokerError, create_topics
    from bus.settings import KafkaSettings
    from ecgstream.running import run
    from ecgstream.settings import ProcessSettings, load
    from ops.logging import configure_logging
    from ops.signals import stop_on_signals

    process, kafka = load(ProcessSettings), load(KafkaSettings)
    configure_logging(service="broker", level=process.log_level, form=process.log_format)

    async def serve() -> None:
        import asyncio

        with stop_on_signals() as stop:
            async with local_brokers(nodes, data_dir=data, port=port or None) as brokers:
                here = {
                    "bootstrap_servers": bootstrap_of(brokers),
                    "replication": min(3, nodes),
                    "security_protocol": "PLAINTEXT",
                }
                try:
                    await create_topics(kafka.model_copy(update=here))
                except BrokerError as error:  # what it kept from before does not fit: it still serves that
                    get_logger(__name__).warning("topics", error=str(error))
                typer.echo(bootstrap_of(brokers))
                asked = asyncio.ensure_future(stop.wait())
                ends = [asyncio.ensure_future(broker.wait()) for broker in brokers]
                await asyncio.wait({asked, *ends}, return_when=asyncio.FIRST_COMPLETED)
                asked.cancel()
                for ended in ends:
                    if ended.done():
                        ended.result()
                    ended.cancel()

    run(serve())


def detect(
    *,
    bootstrap_servers: BootstrapServers = None,
    models: Models = None,
    shadow: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Models that judge beside these into ecg.shadow-windows; they alarm nobody."),
    ] = None,
    instance: Instance = None,
    health_port: HealthPort = None,
    workers: Annotated[
        int, typer.Option(min=1, max=64, metavar="N", help="Processes that share the partitions, one for each core.")
    ] = 1,
) -> None:
    """Judge every window of every patient: ecg.samples in, ecg.windows and ecg.anomalies out."""
    from bus.settings import KafkaSettings
    from detector.service import run as detector
    from detector.settings import DetectorSettings
    from ecg.errors import EcgStreamError
    from ecgstream.running import run
    from ecgstream.services import serve
    from ecgstream.settings import ProcessSettings, load
    from ecgstream.workers import Workers, run_workers
    from ops.logging import configure_logging

    kafka = load(KafkaSettings, bootstrap_servers=bootstrap_servers)
    settings = load(DetectorSettings, models=models, shadow=shadow, instance=instance)
    process = load(ProcessSettings, health_port=health_port)
    if workers > 1:
        if workers > kafka.partitions:
            raise EcgStreamError(
                f"--workers {workers} is more than the {kafka.partitions} partitions (ECGSTREAM_PARTITIONS), and a "
                "partition is one worker's: start fewer, or see 'ecgstream topics grow'"
            )
        configure_logging(service="detector", level=process.log_level, form=process.log_format)
        options = {
            "--bootstrap-servers": kafka.bootstrap_servers,
            "--models": settings.models,
            "--shadow": settings.shadow,
        }
        given = (option for option in options.items() if option[1] is not None)
        arguments = ["detect", *(str(word) for option in given for word in option)]
        run(
            run_workers(
                Workers(
                    count=workers,
                    arguments=arguments,
                    instance=settings.instance,
                    health_port=process.health_port,
                )
            )
        )
        return

    async def work(service: "Service") -> None:
        await detector(kafka, settings, service.stop, registry=service.registry, on_start=service.started)

    run(serve("detector", kafka, process, work))


def alert(
    *,
    bootstrap_servers: BootstrapServers = None,
    instance: Instance = None,
    health_port: HealthPort = None,
) -> None:
    """Raise alarms, few and ranked: ecg.windows and ecg.alert-commands in, ecg.alerts out."""
    from alerting.service import run as alerting
    from alerting.settings import AlertingSettings
    from bus.settings import KafkaSettings
    from ecgstream.running import run
    from ecgstream.services import serve
    from ecgstream.settings import ProcessSettings, load

    kafka = load(KafkaSettings, bootstrap_servers=bootstrap_servers)
    settings = load(AlertingSettings, instance=instance)

    async def work(service: "Service") -> None:
        await alerting(kafka, settings, service.stop, registry=service.registry, on_start=service.started)

    run(serve("alerting", kafka, load(ProcessSettings, health_port=health_port), work))


def web(
    *,
    host: Annotated[str | None, typer.Option(help="Where to listen.  [default: 127.0.0.1]")] = None,
    port: Annotated[int | None, typer.Option(help="Where to listen; 0 takes a free port.  [default: 8000]")] = None,
    bootstrap_servers: BootstrapServers = None,
    models: Models = None,
    health_port: HealthPort = None,
) -> None:
    """Serve the page and the REST interface: patients live, files scored, alarms answered."""
    from alerting.settings import AlertingSettings
    from bus.settings import KafkaSettings
    from detector.settings import DetectorSettings
    from ecgstream.running import run
    from ecgstream.services import serve
    from ecgstream.settings import ProcessSettings, load
    from ops.clock import SystemClock
    from web.safety.audit import AuditTrail
    from web.service import run as page
    from web.settings import WebSettings

    kafka = load(KafkaSettings, bootstrap_servers=bootstrap_servers)
    settings = load(WebSettings, host=host, port=port)
    detector = load(DetectorSettings, models=models)
    alerting = load(AlertingSettings)
    # A file that cannot be written is told at once, not when the broker answers.
    AuditTrail(settings.audit_trail, clock=SystemClock()).close()

    async def work(service: "Service") -> None:
        await page(
            kafka, settings, detector, alerting, service.stop, registry=service.registry, on_start=service.started
        )

    run(serve("web", kafka, load(ProcessSettings, health_port=health_port), work))


def gateway(
    *,
    host: Annotated[str | None, typer.Option(help="Where to listen.  [default: 127.0.0.1]")] = None,
    port: Annotated[int | None, typer.Option(help="Where to listen; 0 takes a free port.  [default: 8010]")] = None,
    devices: Annotated[
        Path | None, typer.Option(metavar="FILE", help="The devices and their tokens: see device-token.")
    ] = None,
    bootstrap_servers: BootstrapServers = None,
    health_port: HealthPort = None,
) -> None:
    """Take real devices' ECG in, by HTTP, WebSocket and MQTT: what they send goes to ecg.samples, once."""
    from bus.settings import KafkaSettings
    from ecgstream.running import run
    from ecgstream.services import serve
    from ecgstream.settings import ProcessSettings, load
    from gateway.service import run as serve_devices
    from gateway.settings import GatewaySettings

    kafka = load(KafkaSettings, bootstrap_servers=bootstrap_servers)
    settings = load(GatewaySettings, host=host, port=port, devices=devices)

    async def work(service: "Service") -> None:
        await serve_devices(kafka, settings, service.stop, registry=service.registry, on_start=service.started)

    run(serve("gateway", kafka, load(ProcessSettings, health_port=health_port), work))


def replay(
    *,
    record: Record = None,
    more: Annotated[list[str] | None, typer.Argument(metavar="[R]...", help="More records.")] = None,
    data: Data = None,
    patients: Annotated[int | None, typer.Option(min=1, help="Deal the records out to so many patients.")] = None,
    speed: Speed = None,
    chunk_ms: Annotated[int | None, typer.Option(help="Length of a message, ms of record.  [default: 250]")] = None,
    loop: Annotated[bool, typer.Option("--loop", help="Go on from each record's start, for ever.")] = False,
    duration: Annotated[
        float | None, typer.Option(metavar="S", help="End every patient's stream after S seconds of record time.")
    ] = None,
    bootstrap_servers: BootstrapServers = None,
    health_port: HealthPort = None,
) -> None:
    """Replay recordings as live patients into ecg.samples; by default the six that come with the package."""
    from bus.settings import KafkaSettings
    from ecgstream.recordings import WARD_SELECTION, load_records, names_of, noise_record, records_folder
    from ecgstream.replaying import ProgressView
    from ecgstream.replaying import replay as replay_records
    from ecgstream.running import run
    from ecgstream.services import serve
    from ecgstream.settings import ProcessSettings, load
    from producer.settings import FaultSettings, ReplaySettings

    process = load(ProcessSettings, health_port=health_port)
    kafka = load(KafkaSettings, bootstrap_servers=bootstrap_servers)
    settings = load(
        ReplaySettings, speed=speed, chunk_ms=chunk_ms, loop=loop or None, patients=patients, duration_s=duration
    )
    faults = load(FaultSettings)
    folder = records_folder(data, process)
    records = load_records(names_of([*(record or []), *(more or [])] or [WARD_SELECTION], folder), folder)
    noise = noise_record(faults.noise, process) if faults.noise else None

    async def work(service: "Service") -> None:
        with ProgressView() as view:
            done = await replay_records(
                service, kafka, settings, faults, records=records, noise=noise, progress=view.show
            )
        view.log("stopped" if service.stop.is_set() else "replayed", done)

    run(serve("producer", kafka, process, work))
