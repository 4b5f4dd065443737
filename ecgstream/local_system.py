"""A Kafka and services of our own on this machine, started together and ended in order."""

import asyncio
from contextlib import AsyncExitStack
from pathlib import Path
from tempfile import TemporaryDirectory

from bus.broker import START_S, LocalBroker
from bus.broker_jars import class_path
from bus.clients import create_topics
from bus.settings import KafkaSettings
from ecgstream.children import Command
from ops.ports import free_ports

STARTED_S = START_S + 30.0  # services start beside the broker, and wait for it and its topics longer than it may take


class LocalSystem:
    """A local broker, and commands of this program that work on it.

    Parameters
    ----------
    commands : the command line of each behind ``ecgstream``; the first word names it
    partitions : of every topic
    data_of_broker : where the broker keeps its topics; None throws them away
    """

    def __init__(self, *commands: tuple[str, ...], partitions: int = 4, data_of_broker: Path | None = None) -> None:
        (self._port,) = free_ports(1)
        self._commands = commands
        self._broker = LocalBroker(port=self._port, data_dir=data_of_broker)
        self._stack = AsyncExitStack()
        self.kafka = local_settings(self._port, partitions=partitions)
        self.services: tuple[Command, ...] = ()

    async def start(self) -> None:
        """Start everything side by side; return when every service is at work.

        Raises
        ------
        EcgStreamError : when the broker or a service does not start
        """
        # First: a slow network takes minutes for Kafka's jars where they are missing, and no service waits so long.
        await class_path()
        logs = Path(self._stack.enter_context(TemporaryDirectory(prefix="ecgstream-logs-")))
        self.services = tuple(Command(each[0], *each, kafka=self.kafka, logs=logs) for each in self._commands)
        self._stack.push_async_callback(self._stop_services)
        # The services load their libraries while Kafka starts; they wait for it by themselves.
        await asyncio.gather(*(service.start() for service in self.services))
        await self._stack.enter_async_context(self._broker)
        # Once more, behind the broker: so the services commit and leave while it still answers.
        self._stack.push_async_callback(self._stop_services)
        await create_topics(self.kafka)
        await asyncio.gather(*(service.ready() for service in self.services))

    async def check(self) -> None:
        """Nothing while all run.

        Raises
        ------
        EcgStreamError : when the broker or a service has ended by itself
        """
        if not self._broker.running:
            await self._broker.wait()
        for service in self.services:
            await service.check()

    async def end(self) -> None:
        """End the services, then the broker."""
        await self._stack.aclose()

    async def _stop_services(self) -> None:
        await asyncio.gather(*(service.stop() for service in self.services))


def local_settings(port: int, *, partitions: int) -> KafkaSettings:
    """Settings for a broker of this machine without TLS or passwords, whatever the environment says of others.

    Parameters
    ----------
    port : where the broker listens
    partitions : of every topic
    """
    return KafkaSettings(
        bootstrap_servers=f"127.0.0.1:{port}",
        partitions=partitions,
        replication=1,
        topic_prefix="",
        security_protocol="PLAINTEXT",
        connect_timeout_s=STARTED_S,
    )
