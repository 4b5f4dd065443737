"""Publisher and reader on a real Kafka."""

import pytest

from bus.clients import KafkaPublisher, KafkaReader
from bus.interfaces import Outgoing
from bus.settings import KafkaSettings
from bus.topics import WINDOWS

pytestmark = pytest.mark.broker


async def test_what_is_published_is_read_in_order_with_key_and_headers(settings: KafkaSettings) -> None:
    topic = settings.topic(WINDOWS)
    async with KafkaPublisher(settings) as publisher:
        for number in range(100):
            await publisher.send(
                Outgoing(topic=topic, key=b"p1", value=b"%d" % number, headers=[("trace", b"t%d" % number)])
            )
    async with KafkaReader(settings, [topic], start="beginning") as reader:
        got = [message async for message in reader.to_end()]
    assert [message.value for message in got] == [b"%d" % number for number in range(100)]
    assert {message.key for message in got} == {b"p1"}
    assert len({message.partition for message in got}) == 1
    assert list(got[7].headers) == [("trace", b"t7")]
    assert [message.offset for message in got] == list(range(100))
