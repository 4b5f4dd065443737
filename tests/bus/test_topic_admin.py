import asyncio
import socket
import time
from collections.abc import Mapping

import pytest
from aiokafka import AIOKafkaProducer
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType

from bus.clients import BrokerError, KafkaPublisher, KafkaReader, await_topics, connection_arguments, create_topics
from bus.interfaces import Outgoing
from bus.settings import KafkaSettings
from bus.topic_admin import TopicState, admin_of, topic_differences, topic_states
from bus.topics import ALERTS, SAMPLES, TOPICS, WINDOWS, used_by
from tests.support.waiting import DEADLINE_S


async def configured(settings: KafkaSettings, topic: str) -> dict[str, str]:
    async with admin_of(settings) as admin:
        (answer,) = await admin.describe_configs([ConfigResource(ConfigResourceType.TOPIC, topic)])
    ((*_, entries),) = answer.resources
    return {entry[0]: entry[1] for entry in entries}


async def altered(settings: KafkaSettings, topic: str, configs: Mapping[str, str]) -> None:
    """Give a topic these settings and no others."""
    async with admin_of(settings) as admin:
        await admin.alter_configs([ConfigResource(ConfigResourceType.TOPIC, topic, configs=dict(configs))])
    async with asyncio.timeout(DEADLINE_S):
        while True:  # the broker says yes before they hold
            if (await configured(settings, topic)).items() >= configs.items():
                return


@pytest.mark.broker
async def test_all_topics_are_made_and_making_them_again_changes_nothing(settings: KafkaSettings) -> None:
    await asyncio.gather(*(create_topics(settings) for _ in range(3)))
    found = await topic_states(settings, [topic.name for topic in TOPICS])
    assert [len(found[topic.name].ends) for topic in TOPICS] == [settings.partitions] * len(TOPICS)


@pytest.mark.broker
async def test_services_that_start_together_make_the_topics_once(settings: KafkaSettings) -> None:
    fresh = settings.model_copy(update={"topic_prefix": settings.topic_prefix + "together."})
    await asyncio.gather(*(create_topics(fresh) for _ in range(4)))
    assert WINDOWS in await topic_states(fresh, [WINDOWS])


@pytest.mark.broker
async def test_each_topic_is_kept_as_it_says(settings: KafkaSettings) -> None:
    assert (await configured(settings, settings.topic(ALERTS)))["cleanup.policy"] == "compact"
    windows = await configured(settings, settings.topic(WINDOWS))
    assert windows["cleanup.policy"] == "delete"
    assert windows["retention.ms"] == str(7 * 24 * 3_600_000)
    assert windows["message.timestamp.type"] == "LogAppendTime"
    assert [TOPICS[0].configuration(n)["min.insync.replicas"] for n in (1, 2, 3, 5)] == ["1", "1", "2", "4"]


@pytest.mark.broker
async def test_what_differs_is_told_and_brought_in_line(settings: KafkaSettings) -> None:
    assert await topic_differences(settings) == []
    samples = settings.topic(SAMPLES)
    await altered(settings, samples, {"retention.ms": "5", "max.message.bytes": "2000000"})
    found = {(each.topic, each.what): (each.found, each.wanted) for each in await topic_differences(settings)}
    assert found[samples, "retention.ms"] == ("5", str(24 * 3_600_000))
    assert found[samples, "message.timestamp.type"] == ("CreateTime", "LogAppendTime")
    assert {topic for topic, _ in found} == {samples}
    await create_topics(settings)
    assert await topic_differences(settings) == []
    assert (await configured(settings, samples))["max.message.bytes"] == "2000000"  # an operator's own stays
    other = settings.model_copy(update={"partitions": 5, "replication": 3})
    remedies = {each.what: each.remedy for each in await topic_differences(other)}
    assert remedies["partitions"].startswith("set ECGSTREAM_PARTITIONS=4")
    assert remedies["replicas"].startswith("set ECGSTREAM_REPLICATION=1")
    assert remedies["min.insync.replicas"] == "ecgstream topics create"


@pytest.mark.broker
async def test_topics_that_a_service_uses_are_waited_for_and_not_made(settings: KafkaSettings) -> None:
    absent = settings.model_copy(update={"topic_prefix": settings.topic_prefix + "absent.", "connect_timeout_s": 0.1})
    with pytest.raises(BrokerError, match=r"no topic .*absent\.ecg\.samples .*'ecgstream topics create'"):
        await await_topics(absent, [SAMPLES])
    fresh = absent.model_copy(update={"connect_timeout_s": 60.0})
    waiting = asyncio.create_task(await_topics(fresh, used_by("detector")))
    await create_topics(fresh)
    await waiting
    with pytest.raises(BrokerError, match=r"ECGSTREAM_PARTITIONS=5, but .*ecgstream topics grow"):
        await await_topics(fresh.model_copy(update={"partitions": 5}), [SAMPLES])


@pytest.mark.broker
async def test_no_sender_forges_the_time_at_which_a_message_came(settings: KafkaSettings) -> None:
    topic = settings.topic(SAMPLES)
    before_ms = time.time_ns() // 1_000_000
    producer = AIOKafkaProducer(**connection_arguments(settings))
    await producer.start()
    try:
        await producer.send_and_wait(topic, b"from the past", partition=0, timestamp_ms=1)
    finally:
        await producer.stop()
    async with KafkaReader(settings, [SAMPLES], start="beginning") as reader:
        (message,) = [message async for message in reader.to_end()]
    assert message.timestamp_ms >= before_ms - 1000


@pytest.mark.broker
async def test_another_partition_count_is_refused(settings: KafkaSettings) -> None:
    other = settings.model_copy(update={"partitions": settings.partitions + 1})
    with pytest.raises(BrokerError, match=f"ECGSTREAM_PARTITIONS=5, but .*{settings.topic(SAMPLES)} has 4") as caught:
        await create_topics(other)
    assert "set ECGSTREAM_PARTITIONS to it" in str(caught.value)


@pytest.mark.broker
async def test_more_replicas_than_brokers_are_refused_in_kafkas_words(settings: KafkaSettings) -> None:
    fresh = settings.model_copy(update={"topic_prefix": settings.topic_prefix + "x.", "replication": 9})
    with pytest.raises(BrokerError, match=r"does not make the topic .*replic"):
        await create_topics(fresh)


@pytest.mark.broker
async def test_how_a_topic_stands(settings: KafkaSettings) -> None:
    async with KafkaPublisher(settings) as publisher:
        for number in range(6):
            await publisher.send(Outgoing(topic=SAMPLES, key=None, value=b"", partition=number % 2))
    state = (await topic_states(settings, [SAMPLES]))[SAMPLES]
    assert state == TopicState(
        name=settings.topic(SAMPLES), ends={0: 3, 1: 3, 2: 0, 3: 0}, beginnings={0: 0, 1: 0, 2: 0, 3: 0}
    )
    assert state.partitions == 4
    assert state.lag({0: 1}) == 5
    assert state.lag({0: 3, 1: 9}) == 0
    assert list(await topic_states(settings, [SAMPLES, "ecg.misspelt"])) == [SAMPLES]


async def test_no_broker_is_one_clear_line_within_the_time_that_is_set() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    # The port is free again: nobody answers.
    nobody = KafkaSettings(_env_file=None, bootstrap_servers=f"127.0.0.1:{port}", connect_timeout_s=0.5)
    with pytest.raises(
        BrokerError, match=f"no Kafka at 127.0.0.1:{port} .*: start one with 'ecgstream broker'"
    ) as caught:
        await create_topics(nobody)
    assert "\n" not in str(caught.value)


async def test_something_that_is_no_kafka_is_one_clear_line() -> None:
    callers: list[asyncio.Task[None] | None] = []

    async def mute(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        callers.append(asyncio.current_task())
        await reader.read()
        writer.close()
        await writer.wait_closed()

    server = await asyncio.start_server(mute, "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        wrong = KafkaSettings(_env_file=None, bootstrap_servers=f"127.0.0.1:{port}", connect_timeout_s=0.5)
        with pytest.raises(BrokerError, match=f"no Kafka at 127.0.0.1:{port} "):
            await create_topics(wrong)
        async with asyncio.timeout(10):
            await asyncio.gather(*(caller for caller in callers if caller))
    assert callers
