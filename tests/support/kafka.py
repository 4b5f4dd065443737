"""A real Kafka for tests: one named by environment, else a container, else the local broker."""

import asyncio
import contextlib
import gc
import os
import uuid
import warnings
from collections.abc import AsyncIterator, Iterator

import pytest
from aiokafka.admin import AIOKafkaAdminClient

from bus.broker import LocalBroker
from bus.clients import connection_arguments, create_topics
from bus.settings import KafkaSettings
from bus.topics import TOPICS

NAMED = "ECGSTREAM_TEST_BOOTSTRAP_SERVERS"


@pytest.fixture(scope="session")
def kafka() -> Iterator[str]:
    """The bootstrap address of a broker that all tests share."""
    if named := os.environ.get(NAMED):
        yield named
    elif _docker_answers():
        with _container() as bootstrap:
            yield bootstrap
    else:
        # A loop of its own: the fixture outlives the loop of any one test.
        with asyncio.Runner() as runner:
            broker = LocalBroker()
            runner.run(broker.__aenter__())
            try:
                yield broker.bootstrap
            finally:
                runner.run(broker.__aexit__())


@pytest.fixture
async def settings(kafka: str) -> AsyncIterator[KafkaSettings]:
    """Settings for the shared broker, on topics that are this test's alone and exist already."""
    fresh = KafkaSettings(_env_file=None, bootstrap_servers=kafka, topic_prefix=f"test-{uuid.uuid4().hex[:12]}.")
    await create_topics(fresh)
    yield fresh
    if NAMED not in os.environ:
        return  # with the broker, its topics are thrown away
    admin = AIOKafkaAdminClient(**connection_arguments(fresh))
    await admin.start()
    try:
        await admin.delete_topics([fresh.topic(topic.name) for topic in TOPICS])
    finally:
        await admin.close()


@pytest.fixture
def cut_off() -> Iterator[None]:
    """For tests that cut services off as a crash would: nobody closes their connections.

    Collected here, so that no later test is blamed for them.
    """
    yield
    gc.collect()


@pytest.fixture
async def own_broker() -> AsyncIterator[LocalBroker]:
    """A broker for one test alone, which may kill it."""
    async with LocalBroker() as broker:
        yield broker


@pytest.fixture
def own_settings(own_broker: LocalBroker) -> KafkaSettings:
    """Settings for ``own_broker``; its topics do not exist yet."""
    return KafkaSettings(_env_file=None, bootstrap_servers=own_broker.bootstrap)


def _docker_answers() -> bool:
    import docker  # type: ignore[import-untyped]  # it has no types

    with warnings.catch_warnings():
        # Where no engine runs, the client leaves its socket to the garbage collector.
        warnings.simplefilter("ignore", ResourceWarning)
        try:
            client = docker.from_env(timeout=5)
            client.ping()
            client.close()
        except (docker.errors.DockerException, OSError):
            return False
        finally:
            gc.collect()
    return True


@contextlib.contextmanager
def _container() -> Iterator[str]:
    from testcontainers.community.kafka import KafkaContainer

    # As the local broker: a misspelt topic is an error.
    with KafkaContainer().with_kraft().with_env("KAFKA_AUTO_CREATE_TOPICS_ENABLE", "false") as container:
        yield str(container.get_bootstrap_server())
