"""Reading single patients' messages back from a topic: a few consumers that several callers share."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any, Generic, Self

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError, OffsetOutOfRangeError

from bus.connection import (
    BrokerError,
    LetGoError,
    connected,
    new_consumer,
    no_stray_cancellation,
    stopped,
)
from bus.partitioning import partition_of
from bus.settings import KafkaSettings
from bus.stream_search import Found, PatientLog, SamplesGoneError, SearchLimitError, T
from ecg.errors import EcgStreamError

MAX_BYTES = 512 * 1024 * 1024  # that one call reads: an hour of samples of 200 patients in one partition
READERS = 2  # calls that read at the same time; others wait
FETCH_BYTES = 256 * 1024  # most looks want one message, and a fetch brings what lies behind it, too
WAIT_MS = 5_000  # for messages that are known to be there


class LogReaders(Generic[T]):
    """Consumers of one topic, committed messages only, outside any consumer group.

    To be used in ``async with``.

    Parameters
    ----------
    settings : how to reach Kafka
    topic : as ``bus.topics`` names it
    parse : what a message holds, by key and value; None when it cannot be read
    max_bytes : the most that one call reads
    """

    def __init__(
        self,
        settings: KafkaSettings,
        topic: str,
        *,
        parse: Callable[[bytes, bytes | None], T | None],
        max_bytes: int = MAX_BYTES,
    ) -> None:
        self._settings = settings
        self._topic = settings.topic(topic)
        self._parse = parse
        self._max_bytes = max_bytes
        self._turn = asyncio.Semaphore(READERS)
        self._idle: list[AIOKafkaConsumer] = []

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        while self._idle:
            await stopped(self._idle.pop())

    @asynccontextmanager
    async def log(self, patient: str) -> AsyncIterator[PatientLog[T]]:
        """A patient's messages, between the present ends of their partition.

        Raises
        ------
        SamplesGoneError : when what is read leaves the topic at this moment
        BrokerError : when Kafka does not answer, or has no such topic
        """
        async with self._reader() as consumer:
            try:
                with no_stray_cancellation():
                    yield await self._open(consumer, patient.encode())
            except OffsetOutOfRangeError as error:
                raise SamplesGoneError("what was asked for has just left the topic") from error
            except (KafkaError, LetGoError, TimeoutError) as error:
                raise BrokerError(
                    f"Kafka at {self._settings.bootstrap_servers} does not hand out {self._topic}: {error!r}: see "
                    "whether the broker runs"
                ) from error

    @asynccontextmanager
    async def _reader(self) -> AsyncIterator[AIOKafkaConsumer]:
        """A consumer for one call; one that failed is not used again."""
        async with self._turn:
            consumer = self._idle.pop() if self._idle else await connected(self._settings, self._new_consumer)
            try:
                yield consumer
            except EcgStreamError as error:
                await self._give_back(consumer, whole=not isinstance(error, BrokerError))
                raise
            except BaseException:
                await self._give_back(consumer, whole=False)
                raise
            else:
                await self._give_back(consumer, whole=True)

    async def _give_back(self, consumer: AIOKafkaConsumer, *, whole: bool) -> None:
        if whole:
            consumer.unsubscribe()  # an idle one must not go on fetching
            self._idle.append(consumer)
        else:
            await stopped(consumer)

    def _new_consumer(self) -> AIOKafkaConsumer:
        return new_consumer(
            self._settings,
            auto_offset_reset="none",
            max_partition_fetch_bytes=FETCH_BYTES,
            fetch_max_wait_ms=20,
        )

    async def _partitions_of(self, consumer: AIOKafkaConsumer) -> set[int]:
        """The topic's partitions.

        Raises
        ------
        BrokerError : when there is no such topic
        """
        await consumer._client.force_metadata_update()  # noqa: SLF001  # aiokafka offers no public way
        partitions: set[int] | None = consumer.partitions_for_topic(self._topic)
        if not partitions:
            raise BrokerError(
                f"no topic {self._topic}: make it with 'ecgstream topics create', or see ECGSTREAM_TOPIC_PREFIX"
            )
        return partitions

    async def _open(self, consumer: AIOKafkaConsumer, key: bytes) -> "_KafkaLog[T]":
        partitions = await self._partitions_of(consumer)
        place = TopicPartition(self._topic, partition_of(key, len(partitions)))
        consumer.assign([place])
        return _KafkaLog(
            consumer,
            place,
            key,
            parse=self._parse,
            beginning=(await consumer.beginning_offsets([place]))[place],
            end=(await consumer.end_offsets([place]))[place],
            max_bytes=self._max_bytes,
        )


class _KafkaLog(Generic[T]):
    """One partition, of which a patient's messages are seen (``bus.stream_search.PatientLog``)."""

    def __init__(
        self,
        consumer: AIOKafkaConsumer,
        place: TopicPartition,
        key: bytes,
        *,
        parse: Callable[[bytes, bytes | None], T | None],
        beginning: int,
        end: int,
        max_bytes: int,
    ) -> None:
        self._consumer = consumer
        self._place = place
        self._key = key
        self._parse = parse
        self._max_bytes = self._left = max_bytes
        self.beginning = beginning
        self.end = end

    async def scan(self, start: int, stop: int) -> AsyncIterator[Found[T]]:
        """The patient's messages from offset ``start`` up to ``stop``, excluded."""
        if start >= stop:
            return
        self._consumer.seek(self._place, start)
        while start < stop:
            messages = (await self._consumer.getmany(self._place, timeout_ms=WAIT_MS)).get(self._place, ())
            for message in messages:
                if message.offset >= stop:
                    return
                self._count(message)
                if message.key == self._key and (piece := self._parse(self._key, message.value)) is not None:
                    yield Found(message.offset, piece)
            # Not the last message's offset: behind it may lie the mark of a transaction's end, which nobody sees.
            position = await self._consumer.position(self._place)
            if position == start:
                raise TimeoutError(f"nothing came from offset {start} on in {WAIT_MS} ms")
            start = position

    def _count(self, message: Any) -> None:
        self._left -= len(message.value or b"")
        if self._left < 0:
            raise SearchLimitError(
                f"finding it takes more than {self._max_bytes} bytes of {self._place.topic}: ask for a time "
                "that is nearer, or use more partitions"
            )
