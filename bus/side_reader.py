"""Topics beside a service's input: the partitions that the group gave for the input, read without a group.

A consumer group does not promise one member the same partitions of two topics. So the group deals out the input
alone, and who holds one of its partitions reads the same one of each topic here.
"""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from aiokafka import TopicPartition

from bus.connection import LetGoError, connected, new_consumer, no_stray_cancellation, stopped
from bus.interfaces import Received
from bus.reader import received
from bus.settings import KafkaSettings

Place = tuple[str, int]  # a topic as ``bus.topics`` names it, and a partition

MAX_RECORDS = 100  # in a turn: the input must not wait


class Span(NamedTuple):
    """A partition's offsets: the oldest, and the one behind the newest."""

    beginning: int
    end: int

    def resume(self, offset: int | None) -> int:
        """Return where to go on from the offset that was next once; None for one that was never read.

        A topic that ends before it was made anew: what it has, has not been read.
        """
        return self.beginning if offset is None or offset > self.end else max(offset, self.beginning)


class SideReader:
    """Reads partitions of some topics from given offsets on."""

    def __init__(self, settings: KafkaSettings, topics: Sequence[str]) -> None:
        self._settings = settings
        self._names = {settings.topic(topic): topic for topic in topics}
        self._consumer: Any = None
        self._next: dict[Place, int] = {}

    async def start(self) -> None:
        """Connect."""
        self._consumer = await connected(
            self._settings,
            lambda: new_consumer(self._settings, auto_offset_reset="earliest", max_poll_records=MAX_RECORDS),
        )

    async def stop(self) -> None:
        """Disconnect."""
        await stopped(self._consumer)

    async def spans(self, partition: int) -> dict[str, Span]:
        """By topic, what it has of a partition."""
        places = [TopicPartition(name, partition) for name in self._names]
        beginnings = await self._consumer.beginning_offsets(places)
        ends = await self._consumer.end_offsets(places)
        return {self._names[place.topic]: Span(int(beginnings[place]), int(ends[place])) for place in places}

    async def read(self, wanted: Mapping[int, Mapping[str, int]]) -> dict[Place, list[Received]]:
        """Return what has come of some partitions, without waiting.

        Parameters
        ----------
        wanted : by partition, the next offset of each topic; what was not wanted before is begun there
        """
        places = {(topic, number): offset for number, offsets in wanted.items() for topic, offset in offsets.items()}
        if places != self._next:
            # Assigning moves the positions of the partitions that stay, too.
            self._consumer.assign([self._at(place) for place in places])
            for place, offset in places.items():
                self._consumer.seek(self._at(place), offset)
            self._next = places
        if not places:
            return {}
        found: dict[Place, list[Received]] = {}
        try:
            with no_stray_cancellation():
                fetched = await self._consumer.getmany(timeout_ms=0)
        except LetGoError:
            return {}  # nothing is lost: what it would have brought comes with the next turn
        for at, messages in fetched.items():
            place = self._names[at.topic], at.partition
            fresh = [received(message, place[0]) for message in messages if message.offset >= self._next[place]]
            if fresh:
                found[place] = fresh
                self._next[place] = fresh[-1].offset + 1
        return found

    def _at(self, place: Place) -> TopicPartition:
        topic, partition = place
        return TopicPartition(self._settings.topic(topic), partition)
