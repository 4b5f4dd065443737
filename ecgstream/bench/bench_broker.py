"""The broker of a bench, the logs that follow its topics, and the services that are watched on it."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Protocol

from bus.broker import LocalBroker
from bus.broker_cluster import bootstrap_of, local_brokers
from bus.clients import KafkaReader, create_topics
from bus.interfaces import Received
from bus.settings import KafkaSettings
from ecgstream.children import Command
from ops.ports import free_ports

IDLE_S = 0.2


@dataclass(frozen=True, slots=True)
class BenchBroker:
    """Brokers, and a folder for what the services write; all are gone after the bench."""

    brokers: tuple[LocalBroker, ...]
    folder: Path

    @property
    def local(self) -> LocalBroker:
        """The broker, or the first of several."""
        return self.brokers[0]

    async def kafka(self, prefix: str = "", *, partitions: int = 4) -> KafkaSettings:
        """Make every topic under a prefix, with three replicas where there are as many brokers; give the way there."""
        kafka = KafkaSettings(
            _env_file=None,
            bootstrap_servers=bootstrap_of(self.brokers),
            topic_prefix=prefix,
            partitions=partitions,
            replication=min(3, len(self.brokers)),
        )
        await create_topics(kafka)
        return kafka


@asynccontextmanager
async def bench_broker(count: int = 1) -> AsyncIterator[BenchBroker]:
    """Run a broker, or several as one cluster, while in ``async with``."""
    with TemporaryDirectory(prefix="ecgstream-bench-") as folder:
        async with local_brokers(count) as brokers:
            yield BenchBroker(brokers, Path(folder))


class TopicLog(Protocol):
    """Record of a topic's messages."""

    topic: str

    def take(self, message: Received) -> None:
        """Note one message that has a value."""


@asynccontextmanager
async def following(kafka: KafkaSettings, *logs: TopicLog) -> AsyncIterator[asyncio.TaskGroup]:
    """Let logs take in their topics from the beginning on while in ``async with``; gives a group for other tasks."""
    async with asyncio.TaskGroup() as group:
        tasks = []
        for log in logs:
            stands = asyncio.Event()
            tasks.append(group.create_task(_follow(kafka, log, stands)))
            await stands.wait()
        yield group
        for task in tasks:
            task.cancel()


async def _follow(kafka: KafkaSettings, log: TopicLog, stands: asyncio.Event) -> None:
    async with KafkaReader(kafka, [log.topic], start="beginning") as reader:
        stands.set()
        async for message in reader:
            if message.value is not None:
                log.take(message)


async def all_come(
    done: Callable[[], bool],
    count: Callable[[], int],
    *,
    patience_s: float,
    check: Callable[[], Awaitable[None]] | None = None,
) -> None:
    """Return when all has come, or when what has come did not grow for ``patience_s`` seconds."""
    before, since_s = -1, time.monotonic()
    while not done():
        if check is not None:
            await check()
        if count() > before:
            before, since_s = count(), time.monotonic()
        elif time.monotonic() - since_s > patience_s:
            return
        await asyncio.sleep(IDLE_S)


@dataclass(frozen=True, slots=True)
class WatchedWard:
    """Services around a replay, with the page."""

    kafka: KafkaSettings
    web: Command
    address: str  # of the page, host:port
    services: Sequence[Command]

    async def check(self) -> None:
        """Raise what a service ended with."""
        for each in self.services:
            await each.check()


@asynccontextmanager
async def watched_ward(replay: Sequence[str], **environment: str) -> AsyncIterator[WatchedWard]:
    """Run detector, alerting and page on a broker of their own while patients are replayed.

    Parameters
    ----------
    replay : the options of the replay
    environment : of the page's service

    Raises
    ------
    EcgStreamError : when a service does not start
    """
    async with bench_broker() as broker, AsyncExitStack() as stack:
        kafka = await broker.kafka()
        (port,) = free_ports(1)
        web = Command(
            *("web", "web", "--host", "127.0.0.1", "--port", str(port)),
            kafka=kafka,
            logs=broker.folder,
            environment=environment,
        )
        others = [("detect", "detect"), ("alert", "alert"), ("replay", *replay)]
        services = [web, *(Command(*each, kafka=kafka, logs=broker.folder) for each in others)]
        for each in services:
            await stack.enter_async_context(each)
        await asyncio.gather(*(each.ready() for each in services))
        yield WatchedWard(kafka, web, f"127.0.0.1:{port}", services)
