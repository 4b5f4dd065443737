"""Messages on one topic of a real broker."""

from bus.clients import KafkaPublisher, KafkaReader
from bus.interfaces import Outgoing
from bus.settings import KafkaSettings
from bus.topics import SAMPLES


async def publish(settings: KafkaSettings, *values: bytes) -> None:
    async with KafkaPublisher(settings) as publisher:
        for value in values:
            await publisher.send(Outgoing(topic=SAMPLES, key=b"p1", value=value))


async def read(settings: KafkaSettings) -> list[bytes | None]:
    async with KafkaReader(settings, [SAMPLES], start="beginning") as reader:
        return [message.value async for message in reader.to_end()]
