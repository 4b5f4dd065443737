import asyncio
from collections.abc import AsyncIterator

import pytest
from aiokafka.partitioner import DefaultPartitioner
from hypothesis import given
from hypothesis import strategies as st

from bus.clients import KafkaPublisher, KafkaReader, SinceMs, Start
from bus.interfaces import Outgoing, Publisher, Reader, Received
from bus.partitioning import partition_of
from bus.settings import KafkaSettings
from bus.testing import FakeClock, MemoryBus, MemoryPublisher, MemoryReader
from bus.topics import WINDOWS

TOPIC = "ecg.windows"


def outgoing(number: int, *, key: bytes | None = b"p1", partition: int | None = None) -> Outgoing:
    return Outgoing(topic=TOPIC, key=key, value=b"%d" % number, partition=partition, headers=[("n", b"h")])


async def values(messages: AsyncIterator[Received]) -> list[bytes | None]:
    return [message.value async for message in messages]


async def take(reader: Reader, count: int) -> list[Received]:
    taken = []
    async for message in reader:
        taken.append(message)
        if len(taken) == count:
            break
    return taken


async def test_a_patient_stays_in_one_partition_in_order() -> None:
    bus = MemoryBus()
    publisher: Publisher = MemoryPublisher(bus)
    for number in range(20):
        await (await publisher.send(outgoing(number)))
    await publisher.flush()
    got = await take(MemoryReader(bus, [TOPIC], start="beginning"), 20)
    assert [message.value for message in got] == [b"%d" % number for number in range(20)]
    assert [message.offset for message in got] == list(range(20))
    assert {(message.key, message.headers) for message in got} == {(b"p1", (("n", b"h"),))}


async def test_a_reader_waits_for_what_comes() -> None:
    bus = MemoryBus()
    async with MemoryReader(bus, [TOPIC]) as reader, MemoryPublisher(bus) as publisher:
        waiting = asyncio.create_task(take(reader, 2))
        for number in range(2):
            await asyncio.sleep(0)
            await publisher.send(outgoing(number))
        assert [message.value for message in await asyncio.wait_for(waiting, 10)] == [b"0", b"1"]


@pytest.mark.parametrize(
    ("start", "expected"),
    [
        ("beginning", [0, 1, 2, 3]),
        ("end", []),
        (SinceMs(1_700_000_002_000), [2, 3]),
        (SinceMs(1_800_000_000_000), []),
        ({(TOPIC, 0): 3}, [3]),
    ],
)
async def test_where_a_reader_begins(start: Start, expected: list[int]) -> None:
    clock = FakeClock()
    bus = MemoryBus(clock=clock)
    for number in range(4):
        bus.put(outgoing(number, partition=0))
        await clock.advance(1)
    reader = MemoryReader(bus, [TOPIC], start=start)
    assert await values(reader.to_end()) == [b"%d" % number for number in expected]


def test_keyless_messages_are_spread() -> None:
    bus = MemoryBus(partitions=3)
    assert {bus.put(outgoing(number, key=None)).partition for number in range(3)} == {0, 1, 2}
    assert len(bus.messages(TOPIC)) == 3


@given(st.binary(min_size=1, max_size=40), st.integers(1, 50))
def test_keys_are_dealt_out_as_aiokafka_deals_them(key: bytes, partitions: int) -> None:
    numbers = list(range(partitions))
    assert partition_of(key, partitions) == DefaultPartitioner()(key, numbers, numbers)


@pytest.mark.broker
async def test_keys_are_dealt_out_as_on_a_real_kafka(settings: KafkaSettings) -> None:
    bus = MemoryBus(partitions=settings.partitions)
    topic = WINDOWS
    async with KafkaPublisher(settings) as publisher:
        for number in range(200):
            await publisher.send(Outgoing(topic=topic, key=b"patient-%d" % number, value=b""))
    async with KafkaReader(settings, [topic], start="beginning") as reader:
        real = {message.key: message.partition async for message in reader.to_end()}
    assert real == {key: partition_of(key, bus.partitions) for key in real if key}
    assert len(real) == 200
