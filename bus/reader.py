"""Reading from Kafka outside any consumer group; what the brokers refuse is a ``BrokerError``."""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any, Literal, NewType, Self

import structlog
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError, OffsetOutOfRangeError

from bus.connection import (
    RETRY_S,
    BrokerError,
    LetGoError,
    connected,
    new_consumer,
    no_stray_cancellation,
    stopped,
)
from bus.interfaces import Received
from bus.settings import KafkaSettings

POLL_MS = 1000  # how long an idle reader waits before it looks again; a message wakes it at once

SinceMs = NewType("SinceMs", int)  # a time, ms UTC: read from the first message handed over at or after it
Start = Literal["beginning", "end"] | Mapping[tuple[str, int], int] | SinceMs

_log = structlog.get_logger(__name__)


class KafkaReader:
    """Follows all partitions of topics outside any group, committed messages only (``bus.interfaces.Reader``).

    Parameters
    ----------
    settings : how to reach Kafka
    topics : as ``bus.topics`` names them
    start : where to begin: "beginning", "end", a time, or offsets by (topic, partition); partitions without
        an offset begin at the beginning
    """

    def __init__(self, settings: KafkaSettings, topics: Sequence[str], *, start: Start = "end") -> None:
        self._settings = settings
        self._names = {settings.topic(topic): topic for topic in topics}  # as they are on the cluster
        self._start = start
        self._consumer: AIOKafkaConsumer | None = None

    async def __aenter__(self) -> Self:
        # With another reset a reader that retention has overtaken would skip messages and say nothing.
        self._consumer = await connected(self._settings, lambda: new_consumer(self._settings, auto_offset_reset="none"))
        try:
            with no_stray_cancellation():
                self._consumer.assign(await self._partitions())
                await self._seek()
        except (KafkaError, LetGoError) as error:
            await self.__aexit__()
            raise self._broker_error(error) from error
        except BaseException:
            await self.__aexit__()
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        await stopped(self._consumer)
        self._consumer = None

    async def __aiter__(self) -> AsyncIterator[Received]:
        """Every message, for ever; a broker that goes away is waited for."""
        while True:
            for message in await self.batch():
                yield message

    async def batch(self, *, timeout_ms: int = POLL_MS) -> list[Received]:
        """The next messages, as many as are there; empty when none comes in time."""
        consumer = self._running()
        try:
            with no_stray_cancellation():
                batches = await consumer.getmany(timeout_ms=timeout_ms)
        except LetGoError:
            return []
        except OffsetOutOfRangeError as error:
            await self._overtaken(error.args[0])
            return []
        except KafkaError as error:
            raise self._broker_error(error) from error
        return [received(record, self._names[at.topic]) for at, records in batches.items() for record in records]

    async def to_end(self) -> AsyncIterator[Received]:
        """Every message up to the topics' present end."""
        consumer = self._running()
        try:
            with no_stray_cancellation():
                ends = await consumer.end_offsets(consumer.assignment())
        except (KafkaError, LetGoError) as error:
            raise self._broker_error(error) from error
        left = {self._place(at): end for at, end in ends.items() if end}
        while left:
            positions = await self.positions()
            left = {place: end for place, end in left.items() if positions[place] < end}
            if left:
                for message in await self.batch(timeout_ms=100):
                    yield message

    async def positions(self) -> dict[tuple[str, int], int]:
        """The offset of the next message of each (topic, partition)."""
        consumer = self._running()
        try:
            with no_stray_cancellation():
                return {self._place(at): await consumer.position(at) for at in consumer.assignment()}
        except (KafkaError, LetGoError) as error:
            raise self._broker_error(error) from error

    def _place(self, at: TopicPartition) -> tuple[str, int]:
        return self._names[at.topic], at.partition

    def _running(self) -> AIOKafkaConsumer:
        if self._consumer is None:
            raise RuntimeError("use the reader inside 'async with'")
        return self._consumer

    async def _partitions(self) -> list[TopicPartition]:
        consumer = self._running()
        loop = asyncio.get_running_loop()
        deadline = loop.time() + self._settings.connect_timeout_s
        while True:
            # What makes the topics may come a moment later.
            await consumer._client.force_metadata_update()  # noqa: SLF001  # aiokafka offers no public way
            known = await consumer.topics()
            missing = [name for name in self._names if name not in known]
            if not missing:
                break
            if loop.time() >= deadline:
                raise BrokerError(
                    f"no topic {', '.join(missing)} at {self._settings.bootstrap_servers}: "
                    "make them with 'ecgstream topics create', or see ECGSTREAM_TOPIC_PREFIX"
                )
            await asyncio.sleep(RETRY_S)
        return [
            TopicPartition(name, partition)
            for name in self._names
            for partition in sorted(consumer.partitions_for_topic(name) or ())
        ]

    async def _seek(self) -> None:
        consumer = self._running()
        places = sorted(consumer.assignment())
        if self._start == "end":
            # Not seek_to_end: it is lazy, and what came between here and the first read would be missed.
            offsets = await consumer.end_offsets(places)
        elif isinstance(self._start, int):
            found = await consumer.offsets_for_times(dict.fromkeys(places, self._start))
            ends = await consumer.end_offsets(places)
            offsets = {place: hit.offset if (hit := found[place]) else ends[place] for place in places}
        else:
            offsets = await consumer.beginning_offsets(places)
            if isinstance(self._start, Mapping):
                for (topic, partition), offset in self._start.items():
                    offsets[TopicPartition(self._settings.topic(topic), partition)] = offset
        for place, offset in offsets.items():
            consumer.seek(place, offset)

    async def _overtaken(self, offsets: Mapping[TopicPartition, int]) -> None:
        consumer = self._running()
        for place, first in (await consumer.beginning_offsets(list(offsets))).items():
            _log.warning(
                "messages were deleted before they were read",
                topic=place.topic,
                partition=place.partition,
                skipped=first - offsets[place],
            )
            consumer.seek(place, first)

    def _broker_error(self, error: Exception) -> BrokerError:
        return BrokerError(
            f"Kafka at {self._settings.bootstrap_servers} does not hand out {', '.join(self._names)}: {error!r}"
        )


def received(record: Any, topic: str) -> Received:
    """An aiokafka record of a topic of ``bus.topics`` as the rest of the program knows a message."""
    return Received(topic, record.partition, record.offset, record.timestamp, record.key, record.value, record.headers)
