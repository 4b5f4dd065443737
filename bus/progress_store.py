"""Single records of a progress topic, fetched by offset: what a service need not keep in memory.

A compacted topic keeps the last record of each key where it was written, so whoever knows that offset knows enough.
"""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol, Self

from aiokafka import TopicPartition
from aiokafka.errors import KafkaError

from bus.connection import BrokerError, LetGoError, new_consumer, no_stray_cancellation, stopped
from bus.settings import KafkaSettings

FETCH_S = 5.0  # without a record: the partition is then restored, which waits for a broker that is away
READ_ON = 16  # records up to this far on came with the last one: no new request is needed
FETCH_BYTES = 131_072  # a broker gives a larger record, too
FETCH_MS = 10  # a request at the topic's end is in the way of the next seek for this long


@dataclass(frozen=True, slots=True, kw_only=True)
class ProgressRecord:
    """A record of a progress topic and its offset there."""

    offset: int
    value: bytes


def keep_last(records: dict[bytes, ProgressRecord], message: Any) -> None:
    """Take a message of a compacted topic in: the last record of a key stays, and none where it was deleted.

    Parameters
    ----------
    records : by key; changed
    message : anything with key, value and offset; without a key it is no record
    """
    if message.key is None:
        return
    if message.value is None:
        records.pop(message.key, None)
    else:
        records[message.key] = ProgressRecord(offset=message.offset, value=message.value)


class ProgressUnavailableError(BrokerError):
    """A progress record that is not to be had: its partition has to be restored from what the topic holds."""

    def __init__(self, partition: int, message: str) -> None:
        super().__init__(message)
        self.partition = partition


class ProgressStore(Protocol):
    """Fetches records of one progress topic."""

    async def fetch(self, partition: int, wanted: Mapping[int, bytes]) -> Mapping[int, bytes]:
        """Return the values of committed records by offset; ``wanted`` names each one's offset and key.

        Raises
        ------
        ProgressUnavailableError : when a record is not there, is another key's, or does not come in time
        """


class KafkaProgressStore:
    """Fetches records from Kafka (``ProgressStore``) with one consumer, which starts when it is first needed."""

    def __init__(self, settings: KafkaSettings, topic: str) -> None:
        self._settings = settings
        self._topic = settings.topic(topic)
        self._consumer: Any = None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._let_go()

    async def fetch(self, partition: int, wanted: Mapping[int, bytes]) -> Mapping[int, bytes]:
        """See ``ProgressStore``."""
        found: dict[int, bytes] = {}
        try:
            with no_stray_cancellation():
                async with asyncio.timeout(FETCH_S) as limit:
                    await self._read(TopicPartition(self._topic, partition), wanted, found, limit)
        except (KafkaError, LetGoError, TimeoutError) as error:
            await self._let_go()  # what state it is in is not known
            raise ProgressUnavailableError(
                partition,
                f"{self._topic} gave {len(found)} of {len(wanted)} records of partition {partition}, and none within "
                f"{FETCH_S:g} s: see whether Kafka answers at {self._settings.bootstrap_servers} ({error!r})",
            ) from error
        return found

    async def _read(
        self, place: TopicPartition, wanted: Mapping[int, bytes], found: dict[int, bytes], limit: asyncio.Timeout
    ) -> None:
        consumer = await self._running()
        begins = None
        try:
            for offset, key in sorted(wanted.items()):
                if begins is None or not 0 <= offset - begins < READ_ON:
                    begins = offset
                    consumer.seek(place, offset)
                    consumer.resume(place)
                # Where the log begins later or was made anew, the consumer goes to its beginning.
                while begins <= (message := await consumer.getone(place)).offset < offset:
                    pass
                if message.offset != offset or message.key != key or message.value is None:
                    raise ProgressUnavailableError(
                        place.partition,
                        f"{place.topic} holds no record of {key.decode(errors='replace')!r} at offset {offset} of "
                        f"partition {place.partition} any more (offset {message.offset} came instead): "
                        "something other than compaction deletes from it: see its settings with "
                        "'ecgstream topics check'",
                    )
                found[offset] = message.value
                begins = offset + 1
                limit.reschedule(asyncio.get_running_loop().time() + FETCH_S)
        finally:
            consumer.pause(place)

    async def _running(self) -> Any:
        if self._consumer is None:
            consumer = self._consumer = new_consumer(
                self._settings,
                auto_offset_reset="earliest",
                fetch_max_wait_ms=FETCH_MS,
                max_partition_fetch_bytes=FETCH_BYTES,
            )
            await consumer.start()
            places = [TopicPartition(self._topic, partition) for partition in range(self._settings.partitions)]
            consumer.assign(places)
            for place in places:
                consumer.seek(place, 0)
            consumer.pause(*places)
        return self._consumer

    async def _let_go(self) -> None:
        consumer, self._consumer = self._consumer, None
        if consumer is not None:
            await stopped(consumer)
