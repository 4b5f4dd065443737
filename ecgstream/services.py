"""Running one service as containers do: logs, health and metrics, signals, and topics that exist."""

import asyncio
import sys
from collections.abc import Awaitable, Callable
from importlib.metadata import version
from typing import Protocol

import structlog
from prometheus_client import CollectorRegistry, GCCollector, Info, PlatformCollector, ProcessCollector

from bus.clients import await_topics
from bus.sample_schemas import WRITER_SCHEMAS
from bus.settings import KafkaSettings
from bus.topics import used_by
from ecgstream.running import unless
from ecgstream.settings import ProcessSettings
from ops.garbage import search_less_often
from ops.health import HealthServer
from ops.logging import configure_logging
from ops.signals import stop_on_signals

log = structlog.get_logger(__name__)


class Runner(Protocol):
    """State of a running service."""

    @property
    def ready(self) -> bool:
        """Return whether it does its work."""


class Service:
    """Context of a service.

    Attributes
    ----------
    stop : set when the service is to end
    registry : where its metrics go
    """

    def __init__(self, stop: asyncio.Event, registry: CollectorRegistry) -> None:
        self.stop = stop
        self.registry = registry
        self._runner: Runner | None = None

    def started(self, runner: Runner) -> None:
        """Note what knows whether the service is ready."""
        self._runner = runner

    def not_ready(self) -> str | None:
        """Return why the service is not ready; None when it is."""
        if self._runner is None:
            return "it is starting"
        return None if self._runner.ready else "its partitions are not all being processed"


async def serve(
    name: str, kafka: KafkaSettings, process: ProcessSettings, work: Callable[[Service], Awaitable[None]]
) -> None:
    """Run a service until SIGTERM, SIGINT or its own end.

    Parameters
    ----------
    name : stands in every line of the log, and says which topics it uses
    kafka : where the topics are; those that are missing are waited for
    process : logs, health endpoint
    work : the service; it returns when it is done, or soon after its ``stop`` is set

    Raises
    ------
    EcgStreamError : when the service cannot start or cannot go on
    """
    configure_logging(service=name, level=process.log_level, form=process.log_format)
    if kafka.schemas_dir is not None:
        WRITER_SCHEMAS.add_all(kafka.schemas_dir)
    registry = own_registry()
    search_less_often()
    with stop_on_signals() as stop:
        service = Service(stop, registry)
        async with HealthServer(
            registry=registry,
            ready=service.not_ready,
            host=process.health_host,
            port=process.health_port,
            unready_limit_s=process.unready_limit_s,
        ) as health:
            log.info("health", host=process.health_host, port=health.port)
            if await unless(stop, await_topics(kafka, used_by(name))):
                await work(service)


def own_registry() -> CollectorRegistry:
    """A registry that holds what every process tells: its build, CPU time, memory, open files, garbage collection."""
    registry = CollectorRegistry()
    Info("ecgstream_build", "Release of ecgstream that runs", registry=registry).info({"version": version("ecgstream")})
    PlatformCollector(registry=registry)
    ProcessCollector(registry=registry)
    if sys.implementation.name == "cpython":
        GCCollector(registry=registry)
    return registry
