"""Three brokers on this machine: what is acknowledged outlives one of them, and nothing waits for it."""

import asyncio
from pathlib import Path

import pytest

from bus.broker_cluster import bootstrap_of, local_brokers
from bus.clients import create_topics
from bus.settings import KafkaSettings
from bus.topic_admin import topic_differences
from ecg.errors import EcgStreamError
from tests.bus.one_topic import publish, read
from tests.support.waiting import DEADLINE_S


@pytest.mark.broker
async def test_each_of_three_brokers_may_be_lost_in_turn(tmp_path: Path) -> None:
    async with local_brokers(3, data_dir=tmp_path) as brokers:
        settings = KafkaSettings(_env_file=None, bootstrap_servers=bootstrap_of(brokers), partitions=3, replication=3)
        await create_topics(settings)
        async with asyncio.timeout(DEADLINE_S):
            while await topic_differences(settings):  # one broker hears of new topics a moment later than another
                pass
        sent: list[bytes | None] = []
        for number, broker in enumerate(brokers):
            await broker.kill()
            value = b"without broker %d" % number
            await publish(settings, value)
            sent.append(value)
            assert await read(settings) == sent
            await broker.start()
    async with local_brokers(3, data_dir=tmp_path) as brokers:
        settings = settings.model_copy(update={"bootstrap_servers": bootstrap_of(brokers)})
        assert await read(settings) == sent, "a named directory keeps the data of all three"
    with pytest.raises(EcgStreamError, match="holds the data of 3 brokers, not of 1: start as many, or name another"):
        async with local_brokers(1, data_dir=tmp_path):
            pass
