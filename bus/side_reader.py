"""A second topic beside a service's input: the partitions that the group gave for the input, read without a group.

A consumer group does not promise one member the same partitions of two topics. So the group deals out the input
alone, and who holds one of its partitions reads the same one here.
"""

from collections.abc import Mapping
from typing import Any

from aiokafka import AIOKafkaConsumer, TopicPartition

from bus.connection import connected, connection_arguments, stopped
from bus.interfaces import Received
from bus.reader import received
from bus.settings import KafkaSettings

MAX_RECORDS = 100  # in a turn: the input must not wait


class SideReader:
    """Reads partitions of a topic from given offsets on.

    Parameters
    ----------
    settings : how to reach Kafka
    topic : as ``bus.topics`` names it
    """

    def __init__(self, settings: KafkaSettings, topic: str) -> None:
        self._settings = settings
        self._topic = settings.topic(topic)
        self._consumer: Any = None
        self._next: dict[int, int] = {}

    async def start(self) -> None:
        """Connect.

        Raises
        ------
        BrokerError : when no broker answers
        """
        self._consumer = await connected(
            self._settings,
            lambda: AIOKafkaConsumer(
                **connection_arguments(self._settings),
                group_id=None,
                enable_auto_commit=False,
                auto_offset_reset="earliest",
                isolation_level="read_committed",
                max_poll_records=MAX_RECORDS,
            ),
        )

    async def stop(self) -> None:
        """Disconnect."""
        await stopped(self._consumer)

    async def beginning(self, partition: int) -> int:
        """The oldest offset that a partition still has."""
        place = TopicPartition(self._topic, partition)
        return int((await self._consumer.beginning_offsets([place]))[place])

    async def read(self, wanted: Mapping[int, int]) -> dict[int, list[Received]]:
        """What has come of some partitions, without waiting; empty where nothing has.

        Parameters
        ----------
        wanted : by partition, the next offset; a partition that was not wanted before is begun there
        """
        if wanted != self._next:
            # Assigning moves the positions of the partitions that stay, too.
            places = {number: TopicPartition(self._topic, number) for number in wanted}
            self._consumer.assign(list(places.values()))
            for number, offset in wanted.items():
                self._consumer.seek(places[number], offset)
            self._next = dict(wanted)
        if not wanted:
            return {}
        found: dict[int, list[Received]] = {}
        for place, messages in (await self._consumer.getmany(timeout_ms=0)).items():
            fresh = [received(message) for message in messages if message.offset >= self._next[place.partition]]
            if fresh:
                found[place.partition] = fresh
                self._next[place.partition] = fresh[-1].offset + 1
        return found
