"""Reading back what a patient's device sent, by the time of the recording.

The samples topic is the store: nothing is kept beside it. It knows when each message was sent, which is not when the
heart beat, since recordings are replayed at any speed; so the place of a time is searched for (``bus.stream_search``).
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Self

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError, OffsetOutOfRangeError

from bus import topics
from bus.connection import BrokerError, connected, connection_arguments, stopped
from bus.memory import partition_of
from bus.recalled import RecalledSamples, put_together
from bus.samples import BadChunkError, check_patient, decode
from bus.settings import KafkaSettings
from bus.stream_search import Found, NoSamplesError, RecallLimitError, SamplesGoneError, find
from ecg.errors import EcgStreamError

__all__ = ["NoSamplesError", "RecallLimitError", "RecalledSamples", "SampleRecall", "SamplesGoneError"]

MAX_SPAN_S = 600.0  # of one call: ten minutes of two leads at 360 Hz are 0.9 MB
MAX_BYTES = 512 * 1024 * 1024  # that one call reads: an hour of 200 patients in one partition
READERS = 2  # calls that read at the same time; others wait
FETCH_BYTES = 256 * 1024  # most looks want one message, and a fetch brings what lies behind it, too
WAIT_MS = 5_000  # for messages that are known to be there
_NS = 1_000_000_000


class SampleRecall:
    """Reads patients' samples back from ``ecg.samples``, committed messages only, outside any consumer group.

    To be used in ``async with``; several tasks may call ``read`` at the same time.

    Parameters
    ----------
    settings : how to reach Kafka
    max_bytes : the most that one call reads
    """

    def __init__(self, settings: KafkaSettings, *, max_bytes: int = MAX_BYTES) -> None:
        self._settings = settings
        self._topic = settings.topic(topics.SAMPLES)
        self._max_bytes = max_bytes
        self._turn = asyncio.Semaphore(READERS)
        self._idle: list[AIOKafkaConsumer] = []

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        while self._idle:
            await stopped(self._idle.pop())

    async def read(self, patient: str, from_ns: int, to_ns: int) -> RecalledSamples:
        """The samples of a stretch of time, by the newest of the patient's streams that has any of it.

        Parameters
        ----------
        patient : the patient id
        from_ns, to_ns : the stretch by the device's clock, ns UTC, its end excluded

        Raises
        ------
        NoSamplesError : when there is none; ``SamplesGoneError`` when the topic's retention may have taken it
        RecallLimitError : when the stretch is too long, or finding it would read too much
        BadChunkError : when the patient id is none
        BrokerError : when Kafka does not answer, or has no such topic
        """
        check_patient(patient)
        if not 0 < to_ns - from_ns <= MAX_SPAN_S * _NS:
            raise RecallLimitError(
                f"a stretch of {(to_ns - from_ns) / _NS:g} s is outside 0 to {MAX_SPAN_S:g} s: ask for it in parts"
            )
        async with self._reader() as consumer:
            try:
                log = await _open(consumer, self._topic, patient.encode(), self._max_bytes)
                return put_together(await find(log, from_ns, to_ns), from_ns, to_ns)
            except OffsetOutOfRangeError as error:
                raise SamplesGoneError("the samples of that time have just left the topic") from error
            except (KafkaError, TimeoutError) as error:
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
        return AIOKafkaConsumer(
            **connection_arguments(self._settings),
            enable_auto_commit=False,
            isolation_level="read_committed",
            auto_offset_reset="none",
            max_partition_fetch_bytes=FETCH_BYTES,
            fetch_max_wait_ms=20,
        )


class _KafkaLog:
    """One partition, of which a patient's messages are seen (``bus.stream_search.PatientLog``)."""

    def __init__(
        self, consumer: AIOKafkaConsumer, place: TopicPartition, key: bytes, *, beginning: int, end: int, max_bytes: int
    ) -> None:
        self._consumer = consumer
        self._place = place
        self._key = key
        self._max_bytes = self._left = max_bytes
        self.beginning = beginning
        self.end = end

    async def scan(self, start: int, stop: int) -> AsyncIterator[Found]:
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
                if message.key == self._key and (found := _found(message)) is not None:
                    yield found
            # Not the last message's offset: behind it may lie the mark of a transaction's end, which nobody sees.
            position = await self._consumer.position(self._place)
            if position == start:
                raise TimeoutError(f"nothing came from offset {start} on in {WAIT_MS} ms")
            start = position

    def _count(self, message: Any) -> None:
        self._left -= len(message.value or b"")
        if self._left < 0:
            raise RecallLimitError(
                f"finding the samples takes more than {self._max_bytes} bytes of {self._place.topic}: ask for a time "
                "that is nearer, or use more partitions"
            )


def _found(message: Any) -> Found | None:
    try:
        return Found(message.offset, decode(message.value, key=message.key))
    except BadChunkError:  # the detector has put it aside
        return None


async def _open(consumer: AIOKafkaConsumer, topic: str, key: bytes, max_bytes: int) -> _KafkaLog:
    """The log of a patient's partition, between its present ends."""
    await consumer._client.force_metadata_update()  # noqa: SLF001  # aiokafka offers no public way
    partitions = consumer.partitions_for_topic(topic)
    if not partitions:
        raise BrokerError(f"no topic {topic}: start a service, which creates it, or see ECGSTREAM_TOPIC_PREFIX")
    place = TopicPartition(topic, partition_of(key, len(partitions)))
    consumer.assign([place])
    beginning = (await consumer.beginning_offsets([place]))[place]
    end = (await consumer.end_offsets([place]))[place]
    return _KafkaLog(consumer, place, key, beginning=beginning, end=end, max_bytes=max_bytes)
