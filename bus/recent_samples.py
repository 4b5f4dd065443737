"""The newest samples that are stored of patients, read back from the end of the topic.

Who asks while a partition is read is answered by the next reading, together with all others who have: when a thousand
devices come back at once, their partition is read a few times and not a thousand.
"""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Self

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError, OffsetOutOfRangeError

from bus import topics
from bus.connection import BrokerError, LetGoError, no_stray_cancellation
from bus.log_reading import WAIT_MS, LogReaders
from bus.partitioning import partition_of
from bus.samples import BadChunkError, Chunk, decode
from bus.settings import KafkaSettings
from bus.stream_search import SearchLimitError

STEP = 256  # messages: the first look back; each further one reaches four times as far
MAX_BYTES = 256 * 1024 * 1024  # that one reading takes in

Enough = Callable[[Sequence[Chunk]], bool]


@dataclass(frozen=True, slots=True, kw_only=True)
class Recent:
    """Newest chunks of a patient.

    Attributes
    ----------
    chunks : in the order of the topic
    read_bytes : messages that were read for it; what served several is shared out among them
    """

    chunks: Sequence[Chunk]
    read_bytes: int


@dataclass(slots=True, kw_only=True)
class _Request:
    key: bytes
    since_ms: int
    enough: Enough
    answer: "asyncio.Future[Recent]"
    chunks: list[Chunk] = field(default_factory=list)
    read_bytes: int = 0


class RecentSamples(LogReaders[Chunk]):
    """Reads the ends of patients' streams in ``ecg.samples``, outside any consumer group.

    To be used in ``async with``; several tasks may call ``back_to`` at the same time.

    Parameters
    ----------
    settings : how to reach Kafka
    """

    def __init__(self, settings: KafkaSettings) -> None:
        super().__init__(settings, topics.SAMPLES, parse=_chunk_of, max_bytes=MAX_BYTES)
        self._partitions = 0
        self._waiting: dict[int, list[_Request]] = {}
        self._reading: dict[int, asyncio.Task[None]] = {}

    async def __aenter__(self) -> Self:
        async with self._reader() as consumer:
            self._partitions = len(await self._partitions_of(consumer))
        return self

    async def __aexit__(self, *_: object) -> None:
        for task in self._reading.values():
            task.cancel()
        await asyncio.gather(*self._reading.values(), return_exceptions=True)
        await super().__aexit__()

    def partition_of(self, patient: str) -> int:
        """The partition that a patient's samples belong in."""
        return partition_of(patient.encode(), self._partitions)

    async def back_to(self, patient: str, *, since_ms: int, enough: Enough) -> Recent:
        """A patient's newest chunks: of all that any writer was acknowledged by now.

        Parameters
        ----------
        patient : the patient id
        since_ms : what the broker took in before this time is not looked for, ms UTC
        enough : whether what was found so far, the newest, is enough

        Raises
        ------
        SearchLimitError : when that reads more than ``MAX_BYTES``
        BrokerError : when Kafka does not answer
        """
        partition = self.partition_of(patient)
        request = _Request(
            key=patient.encode(), since_ms=since_ms, enough=enough, answer=asyncio.get_running_loop().create_future()
        )
        self._waiting.setdefault(partition, []).append(request)
        if partition not in self._reading:
            self._reading[partition] = asyncio.create_task(self._read(partition), name=f"recent samples {partition}")
        return await request.answer

    async def _read(self, partition: int) -> None:
        """Answer everybody who waits for a partition."""
        try:
            while requests := self._waiting.pop(partition, []):
                try:
                    await self._answer(partition, requests)
                except Exception as error:  # noqa: BLE001 # whoever asked hears of it
                    for request in requests:
                        if not request.answer.done():
                            request.answer.set_exception(error)
        finally:
            del self._reading[partition]

    async def _answer(self, partition: int, requests: list[_Request]) -> None:
        place = TopicPartition(self._topic, partition)
        async with self._reader() as consumer:
            try:
                with no_stray_cancellation():
                    consumer.assign([place])
                    await self._search(consumer, place, requests)
            except OffsetOutOfRangeError as error:
                raise BrokerError(f"{self._topic} lost what was just read: its retention is too short") from error
            except (KafkaError, LetGoError, TimeoutError) as error:
                raise BrokerError(
                    f"Kafka at {self._settings.bootstrap_servers} does not hand out {self._topic}: {error!r}: see "
                    "whether the broker runs"
                ) from error

    async def _search(self, consumer: AIOKafkaConsumer, place: TopicPartition, requests: list[_Request]) -> None:
        """Read backwards, stretch by stretch, until everybody has enough."""
        beginning = (await consumer.beginning_offsets([place]))[place]
        stop, step, left = (await consumer.end_offsets([place]))[place], STEP, MAX_BYTES
        while requests:
            start = max(beginning, stop - step)
            messages = await _messages(consumer, place, start, stop)
            size = sum(len(message.value or b"") for message in messages)
            left -= size
            oldest_ms = messages[0].timestamp if messages else 0
            found: dict[bytes, list[Chunk]] = {request.key: [] for request in requests}
            for message in messages:
                if message.key in found and (chunk := _chunk_of(message.key, message.value)) is not None:
                    found[message.key].append(chunk)
            remaining = []
            for request in requests:
                request.chunks[:0] = found[request.key]
                request.read_bytes += size // len(requests)
                if (
                    (request.chunks and request.enough(request.chunks))
                    or start <= beginning
                    or (messages and oldest_ms < request.since_ms)
                ):
                    _give(request)
                else:
                    remaining.append(request)
            requests = remaining
            if requests and left < 0:
                raise SearchLimitError(f"what is looked for lies more than {MAX_BYTES} bytes back in {place.topic}")
            stop, step = start, 4 * step


def _give(request: _Request) -> None:
    if not request.answer.done():  # whoever asked may have left
        request.answer.set_result(Recent(chunks=request.chunks, read_bytes=request.read_bytes))


async def _messages(consumer: AIOKafkaConsumer, place: TopicPartition, start: int, stop: int) -> list[Any]:
    """The messages of a stretch of a partition, its end excluded."""
    found: list[Any] = []
    if start >= stop:
        return found
    consumer.seek(place, start)
    while start < stop:
        messages = (await consumer.getmany(place, timeout_ms=WAIT_MS)).get(place, ())
        found += [message for message in messages if message.offset < stop]
        # Not the last message's offset: behind it may lie the mark of a transaction's end, which nobody sees.
        position = await consumer.position(place)
        if position == start:
            raise TimeoutError(f"nothing came from offset {start} on in {WAIT_MS} ms")
        start = position
    return found


def _chunk_of(key: bytes, value: bytes | None) -> Chunk | None:
    try:
        return decode(value, key=key)
    except BadChunkError:  # the detector has put it aside
        return None
