"""Topics' settings: what they are on the cluster, what differs from what is wanted, and bringing them in line."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.errors import for_code

from bus.connection import RETRY_S, BrokerError
from bus.settings import KafkaSettings
from bus.topics import TOPICS, Topic

_SET_FOR_THE_TOPIC = 1  # where a setting comes from, by Kafka's own number


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """Differences of a topic from its settings.

    Attributes
    ----------
    topic : its name on the cluster
    what : "topic" when it is missing, "partitions", "replicas", or a setting as Kafka names it
    found, wanted : what it is, and what it should be
    """

    topic: str
    what: str
    found: str
    wanted: str

    def __str__(self) -> str:
        if self.what == "topic":
            return f"{self.topic} is missing"
        return f"{self.topic} has {self.what} {self.found}, not {self.wanted}"

    @property
    def remedy(self) -> str:
        """Its remedy."""
        if self.what == "partitions":
            return (
                f"set ECGSTREAM_PARTITIONS={self.found}, or grow all topics together: "
                "ecgstream topics grow --partitions N"
            )
        if self.what == "replicas":
            return f"set ECGSTREAM_REPLICATION={self.found}, or move it with Kafka's kafka-reassign-partitions.sh"
        return "ecgstream topics create"


async def differences(admin: AIOKafkaAdminClient, settings: KafkaSettings) -> list[Difference]:
    """Return what of any topic is not as these settings want it.

    Raises
    ------
    BrokerError : when Kafka refuses
    """
    described = {topic["topic"]: topic["partitions"] for topic in await admin.describe_topics()}
    there = [topic for topic in TOPICS if settings.topic(topic.name) in described]
    configured = await _configurations(admin, [settings.topic(topic.name) for topic in there]) if there else {}
    found = []
    for topic in TOPICS:
        name = settings.topic(topic.name)
        if name not in described:
            found.append(Difference(topic=name, what="topic", found="nothing", wanted=topic.holds))
            continue
        partitions = described[name]
        replicas = min(len(partition["replicas"]) for partition in partitions)
        values = {
            "partitions": (str(len(partitions)), str(settings.partitions)),
            "replicas": (str(replicas), str(settings.replication)),
        } | {
            what: (configured[name].values.get(what, "unknown"), wanted)
            for what, wanted in topic.configuration(settings.replication).items()
        }
        found += [
            Difference(topic=name, what=what, found=is_, wanted=wanted)
            for what, (is_, wanted) in values.items()
            if is_ != wanted
        ]
    return found


@dataclass(frozen=True, slots=True, kw_only=True)
class _Configuration:
    """A topic's settings: all that hold, and which of them were set for this topic."""

    values: Mapping[str, str]
    own: Mapping[str, str]


async def _configurations(admin: AIOKafkaAdminClient, names: Sequence[str]) -> dict[str, _Configuration]:
    answers = await admin.describe_configs([ConfigResource(ConfigResourceType.TOPIC, name) for name in names])
    found = {}
    for answer in answers:
        for code, message, _, name, entries in answer.resources:
            if code:
                raise BrokerError(
                    f"Kafka does not tell the settings of {name}: {message or for_code(code).__name__}: "
                    "let this user DescribeConfigs on it"
                )
            found[name] = _Configuration(
                values={entry[0]: entry[1] for entry in entries},
                own={entry[0]: entry[1] for entry in entries if entry[3] == _SET_FOR_THE_TOPIC},
            )
    return found


async def align(
    admin: AIOKafkaAdminClient,
    settings: KafkaSettings,
    existing: Sequence[Topic],
    *,
    over: Mapping[str, str] = MappingProxyType({}),
) -> None:
    """Bring topics' settings in line, with ``over`` before theirs; what else an operator set for a topic stays."""
    changes = await _out_of_line(admin, settings, existing, over)
    if not changes:
        return
    for answer in await admin.alter_configs(changes):
        for code, message, _, name in answer.resources:
            if code:
                raise BrokerError(
                    f"Kafka does not change the settings of {name}: {message or for_code(code).__name__}: "
                    "let this user AlterConfigs on it"
                )
    try:
        async with asyncio.timeout(settings.connect_timeout_s):
            # The broker says yes before the settings hold.
            while True:
                await asyncio.sleep(RETRY_S)
                if not await _out_of_line(admin, settings, existing, over):
                    return
    except TimeoutError as error:
        raise BrokerError(
            f"Kafka at {settings.bootstrap_servers} has taken new settings of topics, and does not show them after "
            f"{settings.connect_timeout_s:g} s: see the broker's log"
        ) from error


async def _out_of_line(
    admin: AIOKafkaAdminClient, settings: KafkaSettings, topics: Sequence[Topic], over: Mapping[str, str]
) -> list[ConfigResource]:
    found = await _configurations(admin, [settings.topic(topic.name) for topic in topics])
    changes = []
    for topic in topics:
        name, wanted = settings.topic(topic.name), {**topic.configuration(settings.replication), **over}
        if any(found[name].values.get(what) != value for what, value in wanted.items()):
            # The request replaces every setting that the topic has of its own.
            changes.append(ConfigResource(ConfigResourceType.TOPIC, name, configs={**found[name].own, **wanted}))
    return changes
