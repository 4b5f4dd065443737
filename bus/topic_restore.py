"""A backup of all topics into an empty broker.

A topic that was made anew counts its offsets from 0, without the gaps that marks of transactions and deleted messages
left in the old one. So the offsets that stand in the services' progress are translated: the n-th message that was
restored has offset n. What a detector needs to read again is in the backup, so that it goes on in the middle of a
window.
"""

import asyncio
from array import array
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import structlog
from aiokafka import AIOKafkaProducer, TopicPartition
from aiokafka.errors import KafkaError

from bus.backup_files import Manifest, StoredMessage, read_manifest, read_messages
from bus.connection import BrokerError, LetGoError, connected, connection_arguments, stopped
from bus.offsets import Offsets, ProgressBackup
from bus.partition import MAX_MESSAGE_BYTES
from bus.settings import KafkaSettings
from bus.topic_admin import admin_of, create_topics, services_gone, topic_states
from bus.topic_settings import align
from bus.topics import TOPICS

AT_ONCE = 1000  # messages that wait for the broker's word at a time

log = structlog.get_logger(__name__)


async def restore(settings: KafkaSettings, folder: Path, services: Sequence[ProgressBackup]) -> Manifest:
    """Write a backup into topics that are empty, making those that are missing.

    Messages keep the time at which the first broker got them; topics have the partitions that they had.

    Raises
    ------
    BackupError : when the folder holds no whole backup
    BrokerError : when a service runs, a topic holds messages, somebody writes meanwhile, or Kafka refuses
    """
    manifest = read_manifest(folder)
    if manifest.partitions != settings.partitions:
        raise BrokerError(
            f"ECGSTREAM_PARTITIONS={settings.partitions}, but the backup is of {manifest.partitions} partitions: set "
            f"ECGSTREAM_PARTITIONS={manifest.partitions}; 'ecgstream topics grow' makes more of them afterwards"
        )
    await create_topics(settings)
    async with admin_of(settings) as admin:
        await services_gone(admin, [settings.topic_prefix + service.service for service in services])
    full = [
        state.name for state in (await topic_states(settings, manifest.topics)).values() if any(state.ends.values())
    ]
    if full:
        raise BrokerError(
            f"{', '.join(full)}: not empty, or was used before: restore into a broker without topics, or under a fresh "
            "ECGSTREAM_TOPIC_PREFIX"
        )
    own_time = [topic for topic in TOPICS if topic.name in manifest.topics]
    async with admin_of(settings) as admin:
        await align(admin, settings, own_time, over={"message.timestamp.type": "CreateTime"})
    producer = await connected(
        settings,
        lambda: AIOKafkaProducer(
            **connection_arguments(settings),
            acks="all",
            enable_idempotence=True,
            linger_ms=5,
            max_request_size=MAX_MESSAGE_BYTES,
        ),
    )
    try:
        for partition in range(manifest.partitions):
            await _restore_partition(producer, settings, partition, manifest=manifest, folder=folder, services=services)
    except (KafkaError, LetGoError) as error:
        raise BrokerError(f"Kafka at {settings.bootstrap_servers} does not take the backup: {error!r}") from error
    finally:
        await stopped(producer)
    async with admin_of(settings) as admin:
        await align(admin, settings, own_time)
    return manifest


async def _restore_partition(
    producer: AIOKafkaProducer,
    settings: KafkaSettings,
    partition: int,
    *,
    manifest: Manifest,
    folder: Path,
    services: Sequence[ProgressBackup],
) -> None:
    """Write one partition of every topic, the progress last: without it, nothing says that the rest was read."""
    by_topic = {service.progress_topic: service for service in services}
    offsets: dict[str, Offsets] = {}
    for name in sorted(manifest.topics, key=lambda name: name in by_topic):
        place = TopicPartition(settings.topic(name), partition)
        service = by_topic.get(name)
        written = _Writing(producer, place)
        for message in read_messages(folder, manifest.topics[name][partition]):
            value = message.value
            if service is not None and value is not None:
                value = service.translated(message.key or b"", value, offsets)
            await written.send(message, value, timed=service is None)
        offsets[name] = await written.done()
        log.info("restored", topic=place.topic, partition=partition, messages=manifest.topics[name][partition].messages)


class _Writing:
    """Writing of a partition, each message to the offset that it must get."""

    def __init__(self, producer: AIOKafkaProducer, place: TopicPartition) -> None:
        self._producer = producer
        self._place = place
        self._old = array("q")
        self._under_way: list[Any] = []
        self._acknowledged = 0

    async def send(self, message: StoredMessage, value: bytes | None, *, timed: bool) -> None:
        """Send a message; with the time that it had, where ``timed``."""
        self._old.append(message.offset)
        self._under_way.append(
            await self._producer.send(
                self._place.topic,
                value,
                key=message.key,
                partition=self._place.partition,
                timestamp_ms=message.timestamp_ms if timed else None,
                headers=list(message.headers),
            )
        )
        if len(self._under_way) >= AT_ONCE:
            await self._settle()

    async def done(self) -> Offsets:
        """Wait for the broker's word; where everything lies now."""
        await self._settle()
        return Offsets(self._old)

    async def _settle(self) -> None:
        for each in await asyncio.gather(*self._under_way):
            # Of a message that was sent again and had arrived before, the broker may not know the offset.
            if each.offset not in {None, -1, self._acknowledged}:
                raise BrokerError(
                    f"somebody else writes to {self._place.topic}: stop all senders and services, and restore into a "
                    "broker without topics, or under a fresh ECGSTREAM_TOPIC_PREFIX"
                )
            self._acknowledged += 1
        self._under_way.clear()
