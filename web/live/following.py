"""Following a topic for ever: Kafka may come and go, and nothing is read twice or left out."""

import asyncio
from collections.abc import Callable

import structlog

from bus.clients import BrokerError, KafkaReader, Start
from bus.interfaces import Received
from bus.settings import KafkaSettings
from ops.clock import Clock

SLICE = 100  # messages between two looks at the clients
RETRY_S = 2.0

log = structlog.get_logger(__name__)


class Follower:
    """Follows one topic.

    Parameters
    ----------
    topic : as ``bus.topics`` names it
    start : where to begin
    take : is handed every message
    clock : paces
    pace_s : how long to wait between two lots; each comes as one
    after : called after each lot

    Attributes
    ----------
    positions : by (topic, partition), the offset of the next message
    caught_up : whether all has been read that was there at the start
    last_message_s : when the last message came, on the clock's monotonic time
    """

    def __init__(
        self,
        kafka: KafkaSettings,
        topic: str,
        *,
        start: Callable[[], Start],
        take: Callable[[Received], None],
        clock: Clock,
        pace_s: float = 0.0,
        after: Callable[[], None] = lambda: None,
    ) -> None:
        self._kafka = kafka
        self._topic = topic
        self._start = start
        self._take = take
        self._clock = clock
        self._pace_s = pace_s
        self._after = after
        self.positions: dict[tuple[str, int], int] = {}
        self.caught_up = asyncio.Event()
        self.last_message_s = float("-inf")

    async def run(self) -> None:
        """Follow."""
        while True:
            try:
                async with KafkaReader(self._kafka, [self._topic], start=self.positions or self._start()) as reader:
                    self.positions = await reader.positions()
                    await self._read(reader)
            except BrokerError as error:
                log.warning("waiting for Kafka", topic=self._topic, error=str(error))
                await self._clock.sleep(RETRY_S)

    async def _read(self, reader: KafkaReader) -> None:
        count = 0
        async for message in reader.to_end():
            self._took(message)
            count += 1
            if not count % SLICE:
                await asyncio.sleep(0)
        self._after()
        self.caught_up.set()
        while True:
            found = await reader.batch()
            for begin in range(0, len(found), SLICE):
                for message in found[begin : begin + SLICE]:
                    self._took(message)
                await asyncio.sleep(0)
            if found:
                self._after()
                await self._clock.sleep(self._pace_s)

    def _took(self, message: Received) -> None:
        self.positions[message.topic, message.partition] = message.offset + 1
        self.last_message_s = self._clock.monotonic_s()
        self._take(message)
