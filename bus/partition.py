"""One input partition under exactly-once processing: its transactional producer, and the state that was committed.

Every partition has a transactional id of its own, so that starting the producer ends the predecessor's open
transaction and fences what a stalled predecessor may still send.
"""

import asyncio
import contextlib
from collections.abc import Awaitable, Sequence
from typing import Any

import structlog
from aiokafka import AIOKafkaProducer, TopicPartition

from bus.connection import connection_arguments, new_consumer, no_stray_cancellation, stopped
from bus.interfaces import Outgoing
from bus.progress_store import ProgressRecord, keep_last
from bus.publisher import BATCH_BYTES
from bus.settings import KafkaSettings

TRANSACTION_TIMEOUT_MS = 10_000  # the broker ends a dead instance's transaction after this
READ_TIMEOUT_S = 30.0  # without a message: then the acquisition is tried anew
STOP_S = 5.0  # with the last commit before it, a service ends within the 15 s that it is given
MAX_MESSAGE_BYTES = 1_000_000  # what a Kafka broker takes by default, less the record's overhead

log = structlog.get_logger(__name__)


class PartitionWriter:
    """Writes one partition's outputs, each lot in one transaction.

    Parameters
    ----------
    settings : how to reach Kafka
    transactional_id : the same for the same partition on every instance
    partition : the partition number that every output goes to which names no other
    """

    def __init__(self, settings: KafkaSettings, *, transactional_id: str, partition: int) -> None:
        self._settings = settings
        self._transactional_id = transactional_id
        self._partition = partition
        self._producer: AIOKafkaProducer | None = None

    async def start(self) -> None:
        """Fence the predecessor and end its open transaction."""
        producer = AIOKafkaProducer(
            **connection_arguments(self._settings),
            transactional_id=self._transactional_id,
            transaction_timeout_ms=TRANSACTION_TIMEOUT_MS,
            max_request_size=MAX_MESSAGE_BYTES,
            linger_ms=0,
            # At aiokafka's own 16 kB a lot of 50 verdicts with their progress would take a dozen requests, each waiting
            # for the one before.
            max_batch_size=BATCH_BYTES,
        )
        self._producer = producer
        with no_stray_cancellation():
            await producer.start()

    async def commit(self, messages: Sequence[Outgoing]) -> list[int]:
        """Write messages in one transaction: all become visible to read_committed readers, or none.

        Returns
        -------
        the offset at which each lies; -1 where the broker did not tell
        """
        producer = self._producer
        if producer is None:
            raise RuntimeError("commit() before start()")
        with no_stray_cancellation():
            return await self._commit(producer, messages)

    async def _commit(self, producer: AIOKafkaProducer, messages: Sequence[Outgoing]) -> list[int]:
        await producer.begin_transaction()
        acknowledged: list[Awaitable[Any]] = [
            await producer.send(
                self._settings.topic(message.topic),
                message.value,
                key=message.key,
                partition=self._partition if message.partition is None else message.partition,
                headers=list(message.headers) or None,
            )
            for message in messages
        ]
        # A failed send does not fail the commit: each has to be asked.
        written = await asyncio.gather(*acknowledged)
        await producer.commit_transaction()
        # Of a message that was sent again and had arrived before, the broker may not know the offset.
        return [-1 if metadata.offset is None else metadata.offset for metadata in written]

    async def stop(self) -> None:
        """Let go of the producer, whatever state it is in."""
        producer, self._producer = self._producer, None
        if producer is not None:
            with contextlib.suppress(Exception):
                await stopped(producer, patience_s=STOP_S)


async def read_compacted(settings: KafkaSettings, topic: str, partition: int) -> dict[bytes, ProgressRecord]:
    """The last committed record of every key of a partition, by key; deleted keys are absent.

    To be called after ``PartitionWriter.start``: only then has the predecessor's transaction ended, so that the
    partition's end under read_committed is its true end.
    """
    place = TopicPartition(settings.topic(topic), partition)
    consumer = new_consumer(settings, auto_offset_reset="earliest", fetch_max_wait_ms=50)
    records: dict[bytes, ProgressRecord] = {}
    try:
        await consumer.start()
        consumer.assign([place])
        await consumer.seek_to_beginning(place)
        end = (await consumer.end_offsets([place]))[place]
        async with asyncio.timeout(READ_TIMEOUT_S) as limit:
            while await consumer.position(place) < end:
                found = (await consumer.getmany(timeout_ms=200)).get(place, ())
                if found:  # however much there is, as long as it comes
                    limit.reschedule(asyncio.get_running_loop().time() + READ_TIMEOUT_S)
                for message in found:
                    keep_last(records, message)
    finally:
        await stopped(consumer)
    return records
