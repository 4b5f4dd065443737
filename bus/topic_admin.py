"""Topics on the cluster: making them, and their states.

All raise ``BrokerError`` when Kafka cannot be reached or refuses, or a topic has another partition count.
"""

import asyncio
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Any

from aiokafka import TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.errors import (
    GroupCoordinatorNotAvailableError,
    KafkaError,
    TopicAlreadyExistsError,
    TopicAuthorizationFailedError,
    for_code,
)
from aiokafka.protocol.fetch import FetchRequest
from aiokafka.protocol.metadata import MetadataRequest

from bus.connection import (
    RETRY_S,
    BrokerError,
    LetGoError,
    connected,
    connection_arguments,
    new_consumer,
    no_stray_cancellation,
    stopped,
)
from bus.settings import KafkaSettings
from bus.topic_settings import Difference, align, differences
from bus.topics import TOPICS, Topic

LEAVE_S = 15.0  # a service that was stopped stays in its group for its session's 6 s
_GONE = {"Empty", "Dead"}


@dataclass(frozen=True, slots=True, kw_only=True)
class TopicState:
    """State of a topic.

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
        """Number of partitions."""
        return len(self.ends)

    def lag(self, positions: Mapping[int, int]) -> int:
        """Count the offsets before the end, given the next offset of each partition.

        A partition without a position counts from its beginning.
        """
        return sum(
            max(0, end - positions.get(partition, self.beginnings[partition])) for partition, end in self.ends.items()
        )


async def create_topics(settings: KafkaSettings) -> None:
    """Make every topic that is missing, bring the settings of the others in line, and wait until all can be used."""
    async with admin_of(settings) as admin:
        existing = await _partition_counts(admin)
        _refuse_other_counts(settings, existing, [topic.name for topic in TOPICS])
        missing = [_new_topic(topic, settings) for topic in TOPICS if settings.topic(topic.name) not in existing]
        if missing:
            for name, code, *message in (await admin.create_topics(missing)).topic_errors:
                error = for_code(code)
                # Another service may make the same topics at this moment.
                if code and error is not TopicAlreadyExistsError:
                    raise BrokerError(
                        f"Kafka does not make the topic {name}: {(message or [None])[0] or error.__name__}"
                    )
        await visible(admin, settings, [topic.name for topic in TOPICS])
        there = [topic for topic in TOPICS if settings.topic(topic.name) in existing]
        if there:
            await align(admin, settings, there)


async def await_topics(settings: KafkaSettings, names: Sequence[str]) -> None:
    """Wait until the topics that a service uses are there; making them is left to ``ecgstream topics create``.

    Needs no more than Kafka's DESCRIBE on these topics.

    Parameters
    ----------
    settings : how to reach Kafka, and for how long to wait
    names : as ``bus.topics`` names them
    """
    async with admin_of(settings) as admin:
        await visible(admin, settings, names)


async def hidden_topics(settings: KafkaSettings) -> list[str]:
    """Return the topics of ``bus.topics`` that this user may not see; whether they are there, only others can tell."""
    async with admin_of(settings) as admin:
        described = await _described(admin, [settings.topic(topic.name) for topic in TOPICS])
    hidden = TopicAuthorizationFailedError.errno
    return [topic.name for topic in TOPICS if described[settings.topic(topic.name)]["error_code"] == hidden]


async def readable(settings: KafkaSettings, name: str) -> bool:
    """Return whether this user may read a topic of ``bus.topics``."""
    async with admin_of(settings) as admin:
        request = FetchRequest(1, 0, 1, 0, [(settings.topic(name), [(0, 0, 1)])])
        answer = await admin._send_request(request)  # noqa: SLF001  # aiokafka offers no public way
    ((_, (partition,)),) = answer.topics
    return bool(partition[1] != TopicAuthorizationFailedError.errno)


async def topic_differences(settings: KafkaSettings) -> list[Difference]:
    """Return what of any topic is not as these settings want it."""
    async with admin_of(settings) as admin:
        return await differences(admin, settings)


def _refuse_other_counts(settings: KafkaSettings, counts: Mapping[str, int], names: Iterable[str]) -> None:
    wrong = {
        name: counts[name]
        for topic in names
        if counts.get(name := settings.topic(topic), settings.partitions) != settings.partitions
    }
    if wrong:
        found = ", ".join(f"{name} has {count}" for name, count in sorted(wrong.items()))
        raise BrokerError(
            f"ECGSTREAM_PARTITIONS={settings.partitions}, but {found} partitions: all topics need the same count "
            "so that a patient stays in one partition: set ECGSTREAM_PARTITIONS to it, grow the topics with "
            "'ecgstream topics grow --partitions N', or name a fresh ECGSTREAM_TOPIC_PREFIX"
        )


async def topic_states(settings: KafkaSettings, names: Iterable[str]) -> dict[str, TopicState]:
    """Return the states of topics of ``bus.topics``, by name; those that do not exist are left out."""
    async with admin_of(settings) as admin:
        counts = await _partition_counts(admin)
    consumer = await connected(settings, lambda: new_consumer(settings))
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


async def cluster_id(settings: KafkaSettings) -> str:
    """The cluster's own id: offsets that were read on one mean nothing on another."""
    async with admin_of(settings) as admin:
        found: str = (await admin.describe_cluster())["cluster_id"]
        return found


async def services_gone(admin: AIOKafkaAdminClient, groups: Sequence[str]) -> None:
    """Wait a while until consumer groups, named as on the cluster, have no member; ``BrokerError`` where one stays."""
    busy: list[str] = []
    try:
        async with asyncio.timeout(LEAVE_S):
            while True:
                with suppress(GroupCoordinatorNotAvailableError):  # no group ever was, or the broker has just started
                    # One by one: aiokafka 0.14 cannot read an answer about several.
                    answers = [answer for group in groups for answer in await admin.describe_consumer_groups([group])]
                    busy = [group[1] for answer in answers for group in answer.groups if group[2] not in _GONE]
                    if not busy:
                        return
                await asyncio.sleep(RETRY_S)
    except TimeoutError as error:
        named = f"{', '.join(busy)} still runs" if busy else "Kafka does not tell which services run"
        raise BrokerError(f"{named}: stop every instance of every service first") from error


@asynccontextmanager
async def admin_of(settings: KafkaSettings) -> AsyncIterator[AIOKafkaAdminClient]:
    """A connected admin client; what Kafka refuses it is a ``BrokerError``."""
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
    return NewTopic(
        settings.topic(topic.name),
        settings.partitions,
        settings.replication,
        topic_configs=topic.configuration(settings.replication),
    )


async def _partition_counts(admin: AIOKafkaAdminClient) -> dict[str, int]:
    return {topic["topic"]: len(topic["partitions"]) for topic in await admin.describe_topics()}


async def visible(admin: AIOKafkaAdminClient, settings: KafkaSettings, names: Sequence[str]) -> None:
    """Wait until topics of ``bus.topics`` have all their partitions, each with a leader."""
    wanted = [settings.topic(name) for name in names]
    described: dict[str, Any] = {}
    try:
        async with asyncio.timeout(settings.connect_timeout_s):
            while True:
                described = await _described(admin, wanted)
                hidden = [
                    name for name in wanted if described[name]["error_code"] == TopicAuthorizationFailedError.errno
                ]
                if hidden:
                    raise BrokerError(f"this user may not see {', '.join(hidden)}: let it Describe (and use) them")
                counts = {name: len(found["partitions"]) for name, found in described.items() if _usable(found)}
                if len(counts) == len(wanted):
                    _refuse_other_counts(settings, counts, names)
                    return
                await asyncio.sleep(RETRY_S)
    except TimeoutError as error:
        missing = [name for name in wanted if name not in described or not described[name]["partitions"]]
        if missing or not described:
            raise BrokerError(
                f"no topic {', '.join(missing)} at {settings.bootstrap_servers} within "
                f"{settings.connect_timeout_s:g} s: make them with 'ecgstream topics create', or see "
                "ECGSTREAM_TOPIC_PREFIX"
            ) from error
        raise BrokerError(
            f"the topics {', '.join(name for name in wanted if not _usable(described[name]))} have no leader after "
            f"{settings.connect_timeout_s:g} s: see whether all brokers run"
        ) from error


async def _described(admin: AIOKafkaAdminClient, names: Sequence[str]) -> dict[str, Any]:
    # The client's own describe_topics lets a broker that makes topics by itself make those that are missing.
    request = MetadataRequest(list(names), allow_auto_topic_creation=False)
    answer = await admin._send_request(request)  # noqa: SLF001  # aiokafka offers no public way
    return {topic["topic"]: topic for topic in answer.to_object()["topics"]}


def _usable(described: Mapping[str, Any]) -> bool:
    partitions = described["partitions"]
    return not described["error_code"] and bool(partitions) and all(each["leader"] >= 0 for each in partitions)
