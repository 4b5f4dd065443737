"""All topics of an installation into files, and from there into an empty broker.

A topic that was made anew counts its offsets from 0, without the gaps that marks of transactions and deleted messages
left in the old one. So the offsets that stand in the services' progress are translated: the n-th message that was
restored has offset n. What a detector needs to read again is in the backup, so that it goes on in the middle of a
window.

No service that keeps progress may run meanwhile: its progress, and what it wrote with it, must be of one moment.
Senders may go on during a backup.
"""

import asyncio
from array import array
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import structlog
from aiokafka import AIOKafkaProducer, TopicPartition
from aiokafka.errors import KafkaError

from bus.backup_files import (
    Manifest,
    PartitionFile,
    StoredMessage,
    StoredPartition,
    new_folder,
    read_manifest,
    read_messages,
    write_manifest,
)
from bus.connection import BrokerError, LetGoError, connected, connection_arguments, new_consumer, stopped
from bus.offsets import Offsets
from bus.partition import MAX_MESSAGE_BYTES, PartitionWriter, read_compacted
from bus.settings import KafkaSettings
from bus.topic_admin import admin_of, create_topics, services_gone, topic_states
from bus.topic_settings import align
from bus.topics import TOPICS
from ops.clock import Clock, SystemClock

READ_MS = 1000
AT_ONCE = 1000  # messages that wait for the broker's word at a time

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class ProgressBackup:
    """The way a service's progress is saved and translated.

    Attributes
    ----------
    service : its name, as its consumer group has it
    progress_topic : as ``bus.topics`` names it
    partition_key : the key of the record about the partition itself
    needed : from that record, by topic, the first message that the service still has to read, be it again
    translated : a record by its key, with the offsets of each topic of ``needed``, for where the messages lie now
    """

    service: str
    progress_topic: str
    partition_key: bytes
    needed: Callable[[bytes | None], Mapping[str, int]]
    translated: Callable[[bytes, bytes, Mapping[str, Offsets]], bytes]


async def back_up(
    settings: KafkaSettings,
    folder: Path,
    services: Sequence[ProgressBackup],
    *,
    history_s: float,
    clock: Clock | None = None,
) -> Manifest:
    """Write every topic into files.

    Compacted topics are written whole, of the others what a service still has to read and what was handed over in the
    last ``history_s`` seconds.

    Parameters
    ----------
    settings : how to reach Kafka
    folder : is made
    services : all that keep progress
    history_s : s

    Raises
    ------
    BrokerError : when a service runs, or Kafka refuses
    BackupError : when the folder is there already or cannot be written
    """
    clock = clock or SystemClock()
    names = [topic.name for topic in TOPICS]
    async with admin_of(settings) as admin:
        await services_gone(admin, [settings.topic_prefix + service.service for service in services])
    states = await topic_states(settings, names)
    if missing := [settings.topic(name) for name in names if name not in states]:
        raise BrokerError(f"no topic {', '.join(missing)}: see ECGSTREAM_BOOTSTRAP_SERVERS and ECGSTREAM_TOPIC_PREFIX")
    progress = {service.progress_topic for service in services}
    since_ms = round(clock.now_ns() / 1e6 - history_s * 1000)
    with new_folder(folder):
        stored: dict[str, list[StoredPartition]] = {name: [] for name in names}
        for partition in range(settings.partitions):
            needed: dict[str, int] = {}
            for service in services:
                records, own = await _progress(settings, service, partition)
                for topic, offset in service.needed(own).items():
                    needed[topic] = min(offset, needed.get(topic, offset))
                stored[service.progress_topic].append(_written(folder, service.progress_topic, partition, records))
            # The services' outputs are of the moment in which their progress is: nobody has written since.
            for each in TOPICS:
                if each.name not in progress:
                    start = None if each.cleanup == "compact" else (since_ms, needed.get(each.name))
                    stored[each.name].append(await _copied(settings, folder, each.name, partition, start))
        manifest = Manifest(
            made_ns=clock.now_ns(),
            prefix=settings.topic_prefix,
            topics={name: tuple(partitions) for name, partitions in stored.items()},
        )
        write_manifest(folder, manifest)
    return manifest


async def _progress(
    settings: KafkaSettings, service: ProgressBackup, partition: int
) -> tuple[list[StoredMessage], bytes | None]:
    """A partition's progress records in the order in which they were written, and the one about the partition."""
    # It ends what a killed instance left open, so that all that was committed can be seen.
    writer = PartitionWriter(
        settings, transactional_id=f"{settings.topic_prefix}{service.service}-{partition}", partition=partition
    )
    try:
        await writer.start()
        records = await read_compacted(settings, service.progress_topic, partition)
    finally:
        await writer.stop()
    found = [
        StoredMessage(offset=record.offset, timestamp_ms=0, key=key, value=record.value)
        for key, record in sorted(records.items(), key=lambda each: each[1].offset)
    ]
    own = records.get(service.partition_key)
    return found, own.value if own else None


def _written(folder: Path, topic: str, partition: int, messages: Sequence[StoredMessage]) -> StoredPartition:
    with PartitionFile(folder / f"{topic}-{partition}.avro") as file:
        for message in messages:
            file.add(message)
    return file.stored()


async def _copied(
    settings: KafkaSettings, folder: Path, topic: str, partition: int, start: tuple[int, int | None] | None
) -> StoredPartition:
    """A partition up to its present end; from a time, ms UTC, or an offset that is needed, whichever is earlier."""
    place = TopicPartition(settings.topic(topic), partition)
    consumer = await connected(settings, lambda: new_consumer(settings))
    try:
        consumer.assign([place])
        end = (await consumer.end_offsets([place]))[place]
        first = (await consumer.beginning_offsets([place]))[place]
        if start is not None:
            since_ms, needed = start
            found = (await consumer.offsets_for_times({place: max(0, since_ms)}))[place]
            wanted = end if found is None else found.offset
            first = max(first, wanted if needed is None else min(wanted, needed))
        consumer.seek(place, first)
        with PartitionFile(folder / f"{topic}-{partition}.avro") as file:
            while await consumer.position(place) < end:
                for message in (await consumer.getmany(place, timeout_ms=READ_MS)).get(place, ()):
                    if message.offset < end:
                        file.add(_as_stored(message))
        return file.stored()
    except (KafkaError, LetGoError) as error:
        raise BrokerError(
            f"Kafka at {settings.bootstrap_servers} does not hand out {place.topic}: {error!r}"
        ) from error
    finally:
        await stopped(consumer)


def _as_stored(message: Any) -> StoredMessage:
    return StoredMessage(
        offset=message.offset,
        timestamp_ms=message.timestamp,
        key=message.key,
        value=message.value,
        headers=tuple(message.headers),
    )


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
