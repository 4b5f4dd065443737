"""Publisher and reader on a real Kafka."""

import asyncio

import pytest
from aiokafka import AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, RecordsToDelete

from bus.broker import LocalBroker
from bus.clients import (
    BrokerError,
    KafkaPublisher,
    KafkaReader,
    SinceMs,
    Start,
    connection_arguments,
    create_topics,
)
from bus.interfaces import Outgoing, Publisher, Reader, Received
from bus.settings import KafkaSettings
from bus.topics import WINDOWS

pytestmark = pytest.mark.broker

DEADLINE_S = 60.0


async def publish(settings: KafkaSettings, numbers: range, *, partition: int | None = None) -> None:
    async with KafkaPublisher(settings) as publisher:
        for number in numbers:
            message = Outgoing(
                topic=WINDOWS,
                key=b"p1",
                value=b"%d" % number,
                partition=partition,
                headers=[("n", b"h")],
            )
            await publisher.send(message)


async def read(settings: KafkaSettings, start: Start = "beginning") -> list[Received]:
    async with KafkaReader(settings, [WINDOWS], start=start) as reader:
        return [message async for message in reader.to_end()]


async def take(reader: Reader, count: int) -> list[bytes | None]:
    taken: list[bytes | None] = []
    async with asyncio.timeout(DEADLINE_S):
        async for message in reader:
            taken.append(message.value)
            if len(taken) == count:
                break
    return taken


def values(numbers: range) -> list[bytes]:
    return [b"%d" % number for number in numbers]


async def test_what_is_published_is_read_in_order_with_key_and_headers(settings: KafkaSettings) -> None:
    await publish(settings, range(100))
    got = await read(settings)
    assert [message.value for message in got] == values(range(100))
    assert [message.offset for message in got] == list(range(100))
    assert {(message.key, tuple(message.headers)) for message in got} == {(b"p1", (("n", b"h"),))}
    assert len({message.partition for message in got}) == 1


async def test_a_message_is_acknowledged_on_its_own(settings: KafkaSettings) -> None:
    async with KafkaPublisher(settings) as publisher:
        as_services_see_it: Publisher = publisher
        stored = await as_services_see_it.send(Outgoing(topic=WINDOWS, key=b"p1", value=b"0"))
        await asyncio.wait_for(stored, DEADLINE_S)
        assert [message.value for message in await read(settings)] == [b"0"]


async def test_more_than_the_buffer_holds_goes_through(settings: KafkaSettings) -> None:
    message = Outgoing(topic=WINDOWS, key=b"p1", value=bytes(100_000))
    async with KafkaPublisher(settings) as publisher:
        for _ in range(100):  # 10 MB through a buffer of 256 KiB a partition
            await publisher.send(message)
    assert len(await read(settings)) == 100


async def test_a_reader_begins_at_the_end_at_a_time_and_at_offsets(settings: KafkaSettings) -> None:
    await publish(settings, range(10), partition=1)
    topic, got = WINDOWS, await read(settings)
    assert await read(settings, "end") == []
    assert await read(settings, {(topic, 1): 7}) == got[7:]
    since = SinceMs(got[4].timestamp_ms)
    assert await read(settings, since) == [message for message in got if message.timestamp_ms >= since]
    assert await read(settings, SinceMs(got[-1].timestamp_ms + 1)) == []


async def test_a_reader_at_the_end_sees_all_that_comes_after_it_was_opened(settings: KafkaSettings) -> None:
    await publish(settings, range(5))
    async with KafkaReader(settings, [WINDOWS]) as reader:
        await publish(settings, range(5, 8))
        assert await take(reader, 3) == values(range(5, 8))
        positions = await reader.positions()
        assert sorted(positions.values()) == [0, 0, 0, 8]


async def test_only_committed_messages_are_read(settings: KafkaSettings) -> None:
    topic = settings.topic(WINDOWS)
    producer = AIOKafkaProducer(**connection_arguments(settings), transactional_id=f"{topic}-test")
    await producer.start()
    try:
        await producer.begin_transaction()
        await producer.send_and_wait(topic, b"undone", partition=0)
        await producer.abort_transaction()
        await producer.begin_transaction()
        await producer.send_and_wait(topic, b"done", partition=0)
        assert await read(settings) == [], "nothing of a transaction that is open"
        await producer.commit_transaction()
    finally:
        await producer.stop()
    assert [message.value for message in await read(settings)] == [b"done"]


async def test_a_reader_that_retention_overtook_goes_on_and_says_so(
    settings: KafkaSettings, capsys: pytest.CaptureFixture[str]
) -> None:
    await publish(settings, range(10), partition=0)
    topic = settings.topic(WINDOWS)
    admin = AIOKafkaAdminClient(**connection_arguments(settings))
    await admin.start()
    try:
        await admin.delete_records({TopicPartition(topic, 0): RecordsToDelete(before_offset=6)})
    finally:
        await admin.close()
    async with KafkaReader(settings, [WINDOWS], start={(WINDOWS, 0): 2}) as reader:
        assert await take(reader, 4) == values(range(6, 10))
    assert "skipped=4" in capsys.readouterr().out


async def test_publisher_and_reader_survive_a_broker_that_goes_away_and_comes_back(own_broker: LocalBroker) -> None:
    settings = KafkaSettings(_env_file=None, bootstrap_servers=own_broker.bootstrap)
    await create_topics(settings)
    async with (
        KafkaPublisher(settings) as publisher,
        KafkaReader(settings, [WINDOWS], start="beginning") as reader,
    ):
        await publisher.send(Outgoing(topic=WINDOWS, key=b"p1", value=b"0"))
        assert await take(reader, 1) == [b"0"]
        await own_broker.kill()
        rest = asyncio.create_task(take(reader, 9))
        for number in range(1, 10):
            await publisher.send(Outgoing(topic=WINDOWS, key=b"p1", value=b"%d" % number))
        await own_broker.start()
        await asyncio.wait_for(publisher.flush(), DEADLINE_S)
        assert await rest == values(range(1, 10)), "each once, in order"


async def test_a_broker_that_stays_away_is_one_clear_error(own_broker: LocalBroker) -> None:
    settings = KafkaSettings(_env_file=None, bootstrap_servers=own_broker.bootstrap)
    await create_topics(settings)
    async with KafkaPublisher(settings, delivery_timeout_s=1) as publisher:
        await own_broker.kill()
        stored = await publisher.send(Outgoing(topic=WINDOWS, key=b"p1", value=b"0"))
        with pytest.raises(BrokerError, match=r"taken nothing for ecg\.windows in 1 s|does not take a message"):
            await stored
        with pytest.raises(BrokerError, match=r"not acknowledged everything|taken nothing|does not take a message"):
            await publisher.flush()
        await own_broker.start()  # so that the publisher can end in order


async def test_a_message_too_large_is_told(settings: KafkaSettings) -> None:
    async with KafkaPublisher(settings) as publisher:
        with pytest.raises(BrokerError, match=r"a message of 2000000 bytes .* is too large"):
            await publisher.send(Outgoing(topic=WINDOWS, key=b"p1", value=bytes(2_000_000)))


async def test_a_topic_that_does_not_exist_is_told(settings: KafkaSettings) -> None:
    impatient = settings.model_copy(update={"connect_timeout_s": 1.0})
    with pytest.raises(BrokerError, match=r"no topic \S*ecg\.misspelt at"):
        await KafkaReader(impatient, ["ecg.misspelt"]).__aenter__()
    async with KafkaPublisher(settings, delivery_timeout_s=1) as publisher:
        with pytest.raises(BrokerError, match=r"ecg\.misspelt"):
            await publisher.send(Outgoing(topic="ecg.misspelt", key=b"p1", value=b"0"))


@pytest.mark.parametrize("compression", ["gzip", "lz4", "snappy", "zstd"])
async def test_messages_are_read_however_a_device_compressed_them(settings: KafkaSettings, compression: str) -> None:
    producer = AIOKafkaProducer(**connection_arguments(settings), compression_type=compression)
    await producer.start()
    try:
        await producer.send_and_wait(settings.topic(WINDOWS), b"x" * 10_000, key=b"p")
    finally:
        await producer.stop()
    async with KafkaReader(settings, [WINDOWS], start="beginning") as reader:
        assert [message.value async for message in reader.to_end()] == [b"x" * 10_000]
