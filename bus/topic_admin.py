"""Topics on the cluster: making them, and how they stand."""

import asyncio
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.errors import KafkaError, TopicAlreadyExistsError, for_code

from bus.connection import (
    RETRY_S,
    BrokerError,
    LetGoError,
    connected,
    connection_arguments,
    no_stray_cancellation,
    stopped,
)
from bus.settings import KafkaSettings
from bus.topics import TOPICS, Topic


@dataclass(frozen=True, slots=True, kw_only=True)
class TopicState:
    """How a topic stands.

    Attributes
    ----------
    name : as it is on the cluster
    ends : by partition, the offset behind the last committed message
    beginnings : by partition, the offset of the first message still kept
    """

    name: str
    ends: Mapping[int, int]
    beginnings: Mapping[int, int]

    @property
    def partitions(self) -> int:
        """How many partitions it has."""
        return len(self.ends)

    def lag(self, positions: Mapping[int, int]) -> int:
        """How many offsets lie before the end, given the next offset of each partition.

        A partition without a position counts from its beginning.
        """
        return sum(
            max(0, end - positions.get(partition, self.beginnings[partition])) for partition, end in self.ends.items()
        )


async def create_topics(settings: KafkaSettings) -> None:
    """Make every topic that does not exist yet, and wait until all can be used.

    Raises
    ------
    BrokerError : when Kafka cannot be reached, refuses, or a topic exists with another partition count
    """
    async with _admin(settings) as admin:
        existing = await _partition_counts(admin)
        wrong = {
            name: existing[name]
            for topic in TOPICS
            if existing.get(name := settings.topic(topic.name), settings.partitions) != settings.partitions
        }
        if wrong:
            found = ", ".join(f"{name} has {count}" for name, count in sorted(wrong.items()))
            raise BrokerError(
                f"ECGSTREAM_PARTITIONS={settings.partitions}, but {found} partitions: all topics need the same count "
                "so that a patient stays in one partition: set ECGSTREAM_PARTITIONS to it, or name a fresh "
                "ECGSTREAM_TOPIC_PREFIX"
            )
        missing = [_new_topic(topic, settings) for topic in TOPICS if settings.topic(topic.name) not in existing]
        if missing:
            for name, code, *message in (await admin.create_topics(missing)).topic_errors:
                error = for_code(code)
                # Another service may make the same topics at this moment.
                if code and error is not TopicAlreadyExistsError:
                    raise BrokerError(
                        f"Kafka does not make the topic {name}: {(message or [None])[0] or error.__name__}"
                    )
        await _visible(admin, settings)


async def topic_states(settings: KafkaSettings, names: Iterable[str]) -> dict[str, TopicState]:
    """How topics of ``bus.topics`` stand, by name without prefix; those that do not exist are left out.

    Raises
    ------
    BrokerError : when Kafka cannot be reached
    """
    async with _admin(settings) as admin:
        counts = await _partition_counts(admin)
    arguments = connection_arguments(settings)
    consumer = await connected(
        settings, lambda: AIOKafkaConsumer(**arguments, enable_auto_commit=False, isolation_level="read_committed")
    )
    states = {}
    try:
        for name in names:
            full = settings.topic(name)
            places = [TopicPartition(full, partition) for partition in range(counts.get(full, 0))]
            if not places:
                continue
            ends = await consumer.end_offsets(places)
            beginnings = await consumer.beginning_offsets(places)
            states[name] = TopicState(
                name=full,
                ends={place.partition: offset for place, offset in ends.items()},
                beginnings={place.partition: offset for place, offset in beginnings.items()},
            )
    except KafkaError as error:
        raise BrokerError(f"Kafka at {settings.bootstrap_servers} does not tell its offsets: {error!r}") from error
    finally:
        await stopped(consumer)
    return states


async def list_topics(settings: KafkaSettings) -> dict[str, int]:
    """The partition count of every topic on the cluster, by name.

    Raises
    ------
    BrokerError : when Kafka cannot be reached
    """
    async with _admin(settings) as admin:
        return await _partition_counts(admin)


async def cluster_id(settings: KafkaSettings) -> str:
    """The cluster's own id: offsets that were read on one mean nothing on another.

    Raises
    ------
    BrokerError : when Kafka cannot be reached
    """
    async with _admin(settings) as admin:
        found: str = (await admin.describe_cluster())["cluster_id"]
        return found


@asynccontextmanager
async def _admin(settings: KafkaSettings) -> AsyncIterator[AIOKafkaAdminClient]:
    arguments = connection_arguments(settings)
    admin = await connected(settings, lambda: AIOKafkaAdminClient(**arguments))
    try:
        with no_stray_cancellation():
            yield admin
    except (KafkaError, LetGoError) as error:
        raise BrokerError(f"Kafka at {settings.bootstrap_servers} refuses: {error!r}") from error
    finally:
        await stopped(admin)


def _new_topic(topic: Topic, settings: KafkaSettings) -> NewTopic:
    configs: dict[str, str] = {"cleanup.policy": topic.cleanup}
    if topic.retention_ms is not None:
        configs["retention.ms"] = str(topic.retention_ms)
    if topic.whole_ms:
        configs["min.compaction.lag.ms"] = str(topic.whole_ms)
    return NewTopic(settings.topic(topic.name), settings.partitions, settings.replication, topic_configs=configs)


async def _partition_counts(admin: AIOKafkaAdminClient) -> dict[str, int]:
    return {topic["topic"]: len(topic["partitions"]) for topic in await admin.describe_topics()}


async def _visible(admin: AIOKafkaAdminClient, settings: KafkaSettings) -> None:
    """Wait until every topic has all its partitions, each with a leader."""
    names = [settings.topic(topic.name) for topic in TOPICS]
    try:
        async with asyncio.timeout(settings.connect_timeout_s):
            while True:
                ready = {
                    topic["topic"]
                    for topic in await admin.describe_topics(names)
                    if not topic["error_code"]
                    and len(topic["partitions"]) == settings.partitions
                    and all(partition["leader"] >= 0 for partition in topic["partitions"])
                }
                if ready.issuperset(names):
                    return
                await asyncio.sleep(RETRY_S)
    except TimeoutError as error:
        raise BrokerError(
            f"the topics {', '.join(sorted(set(names) - ready))} have no leader after "
            f"{settings.connect_timeout_s:g} s: see whether all brokers run"
        ) from error
