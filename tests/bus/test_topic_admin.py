import asyncio
import socket

import pytest
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType

from bus.clients import BrokerError, KafkaPublisher, connection_arguments, create_topics
from bus.interfaces import Outgoing
from bus.settings import KafkaSettings
from bus.topic_admin import TopicState, list_topics, topic_states
from bus.topics import ALERTS, SAMPLES, TOPICS, WINDOWS


@pytest.mark.broker
async def test_all_topics_are_made_and_making_them_again_changes_nothing(settings: KafkaSettings) -> None:
    await asyncio.gather(*(create_topics(settings) for _ in range(3)))
    found = await list_topics(settings)
    assert {found[settings.topic(topic.name)] for topic in TOPICS} == {settings.partitions}


@pytest.mark.broker
async def test_services_that_start_together_make_the_topics_once(settings: KafkaSettings) -> None:
    fresh = settings.model_copy(update={"topic_prefix": settings.topic_prefix + "together."})
    await asyncio.gather(*(create_topics(fresh) for _ in range(4)))
    assert settings.topic("together." + WINDOWS) in await list_topics(settings)


@pytest.mark.broker
async def test_each_topic_is_kept_as_it_says(settings: KafkaSettings) -> None:
    admin = AIOKafkaAdminClient(**connection_arguments(settings))
    await admin.start()
    try:
        names = [ConfigResource(ConfigResourceType.TOPIC, settings.topic(name)) for name in (WINDOWS, ALERTS)]
        answers = await admin.describe_configs(names)
    finally:
        await admin.close()
    found = {
        resource[3]: {entry[0]: entry[1] for entry in resource[4]}
        for answer in answers
        for resource in answer.resources
    }
    assert found[settings.topic(ALERTS)]["cleanup.policy"] == "compact"
    assert found[settings.topic(WINDOWS)]["cleanup.policy"] == "delete"
    assert found[settings.topic(WINDOWS)]["retention.ms"] == str(7 * 24 * 3_600_000)


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
            await publisher.send(Outgoing(topic=settings.topic(SAMPLES), key=None, value=b"", partition=number % 2))
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
