"""Test doubles: a bus in memory with topics, partitions, keys and offsets as in Kafka, and a clock turned by hand."""

import asyncio
import contextlib
import heapq
from collections.abc import AsyncIterator, Awaitable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Self

from bus.interfaces import Outgoing, Received
from bus.partitioning import partition_of
from bus.progress_store import ProgressRecord, ProgressUnavailableError, keep_last
from bus.reader import POLL_MS, Start
from ops.clock import Clock, SystemClock


@dataclass(slots=True)
class MemoryBus:
    """Holds the messages; every topic exists from the start.

    Parameters
    ----------
    partitions : partition count of every topic
    clock : stamps the messages
    """

    partitions: int = 4
    clock: Clock = field(default_factory=SystemClock)
    _logs: dict[str, list[list[Received]]] = field(default_factory=dict)
    _arrived: asyncio.Event = field(default_factory=asyncio.Event)
    _keyless: int = 0

    def log(self, topic: str, partition: int) -> list[Received]:
        """All messages of a partition, in order; the position in the list is the offset."""
        return self._logs.setdefault(topic, [[] for _ in range(self.partitions)])[partition]

    def messages(self, topic: str) -> list[Received]:
        """All messages of a topic, partition after partition."""
        return [message for partition in range(self.partitions) for message in self.log(topic, partition)]

    def put(self, message: Outgoing) -> Received:
        """Store a message and wake the readers."""
        partition = message.partition
        if partition is None:
            if message.key is None:  # Kafka spreads them; in turn is one way to, and always the same
                partition = self._keyless % self.partitions
                self._keyless += 1
            else:
                partition = partition_of(message.key, self.partitions)
        log = self.log(message.topic, partition)
        received = Received(
            topic=message.topic,
            partition=partition,
            offset=len(log),
            timestamp_ms=self.clock.now_ns() // 1_000_000,
            key=message.key,
            value=message.value,
            headers=tuple(message.headers),
        )
        log.append(received)
        self._arrived.set()
        self._arrived = asyncio.Event()
        return received

    async def arrival(self) -> None:
        """Wait for the next message on any topic."""
        await self._arrived.wait()


class _Client:
    """Opened and closed as a Kafka client is."""

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        pass


class MemoryPublisher(_Client):
    """Publishes to a ``MemoryBus`` (``bus.interfaces.Publisher``)."""

    def __init__(self, bus: MemoryBus) -> None:
        self._bus = bus

    async def send(self, message: Outgoing) -> Awaitable[None]:
        """Store the message at once."""
        self._bus.put(message)
        stored: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        stored.set_result(None)
        return stored

    async def flush(self) -> None:
        """Return: all is stored."""


class MemoryReader(_Client):
    """Follows topics of a ``MemoryBus`` (``bus.interfaces.Reader``); ``start`` as ``KafkaReader`` has it."""

    def __init__(self, bus: MemoryBus, topics: Sequence[str], *, start: Start = "end") -> None:
        self._bus = bus
        self._next = {
            (topic, partition): self._first(topic, partition, start)
            for topic in topics
            for partition in range(bus.partitions)
        }

    async def __aiter__(self) -> AsyncIterator[Received]:
        """Every message, for ever."""
        while True:
            for message in await self.batch():
                yield message

    async def batch(self, *, timeout_ms: int = POLL_MS) -> list[Received]:
        """The next messages, as many as are there; empty when none comes in time."""
        found = self._take()
        if not found:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._bus.arrival(), timeout_ms / 1000)
            found = self._take()
        return found

    async def to_end(self) -> AsyncIterator[Received]:
        """Every message up to the topics' present end."""
        for message in self._take():
            yield message

    def _first(self, topic: str, partition: int, start: Start) -> int:
        log = self._bus.log(topic, partition)
        if isinstance(start, Mapping):
            return start.get((topic, partition), 0)
        if isinstance(start, int):
            return next((message.offset for message in log if message.timestamp_ms >= start), len(log))
        return len(log) if start == "end" else 0

    def _take(self) -> list[Received]:
        found = []
        for (topic, partition), offset in self._next.items():
            log = self._bus.log(topic, partition)
            found += log[offset:]
            self._next[topic, partition] = len(log)
        return found


class MemoryProgressStore:
    """Fetches records of a topic of a ``MemoryBus`` (``bus.progress_store.ProgressStore``).

    Attributes
    ----------
    fetched : how many records were fetched
    """

    def __init__(self, bus: MemoryBus, topic: str) -> None:
        self._bus = bus
        self._topic = topic
        self.fetched = 0

    async def fetch(self, partition: int, wanted: Mapping[int, bytes]) -> Mapping[int, bytes]:
        """Return the values at the offsets, once other tasks have had their turn."""
        await asyncio.sleep(0)
        records = {record.offset: (key, record.value) for key, record in self.compacted(partition).items()}
        for offset, key in wanted.items():
            if offset not in records or records[offset][0] != key:
                raise ProgressUnavailableError(
                    partition, f"{self._topic} holds no record of {key!r} at offset {offset} of partition {partition}"
                )
        self.fetched += len(wanted)
        return {offset: records[offset][1] for offset in wanted}

    def compacted(self, partition: int) -> dict[bytes, ProgressRecord]:
        """The last record of every key, as ``bus.partition.read_compacted`` reads it."""
        records: dict[bytes, ProgressRecord] = {}
        for message in self._bus.log(self._topic, partition):
            keep_last(records, message)
        return records


class FakeClock:
    """A clock that stands still until ``advance`` moves it, and wakes who waits for the time passed."""

    def __init__(self, *, start_ns: int = 1_700_000_000_000_000_000) -> None:
        self._start_ns = start_ns
        self._elapsed_s = 0.0
        self._sleepers: list[tuple[float, int, asyncio.Future[None]]] = []
        self._order = 0

    def now_ns(self) -> int:
        """The start plus all that ``advance`` has moved."""
        return self._start_ns + round(self._elapsed_s * 1e9)

    def monotonic_s(self) -> float:
        """All that ``advance`` has moved, in seconds."""
        return self._elapsed_s

    async def sleep(self, seconds: float) -> None:
        """Wait until ``advance`` has moved the clock that far."""
        if seconds <= 0:
            await asyncio.sleep(0)
            return
        wake: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        heapq.heappush(self._sleepers, (self._elapsed_s + seconds, self._order, wake))
        self._order += 1
        await wake

    async def advance(self, seconds: float) -> None:
        """Move the clock, waking each sleeper at its own time, in order."""
        target = self._elapsed_s + seconds
        while self._sleepers and self._sleepers[0][0] <= target:
            self._elapsed_s, _, wake = heapq.heappop(self._sleepers)
            if not wake.done():
                wake.set_result(None)
            for _ in range(5):  # let the woken task run up to its next wait
                await asyncio.sleep(0)
        self._elapsed_s = target
        await asyncio.sleep(0)
