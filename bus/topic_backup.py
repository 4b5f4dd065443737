"""All topics of an installation into files.

No service that keeps progress may run meanwhile: its progress, and what it wrote with it, must be of one moment.
Senders may go on.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from aiokafka import TopicPartition
from aiokafka.errors import KafkaError

from bus.backup_files import (
    Manifest,
    PartitionFile,
    StoredMessage,
    StoredPartition,
    new_folder,
    write_manifest,
)
from bus.connection import BrokerError, LetGoError, connected, new_consumer, stopped
from bus.offsets import ProgressBackup
from bus.partition import PartitionWriter, read_compacted
from bus.settings import KafkaSettings
from bus.topic_admin import admin_of, await_topics, services_gone
from bus.topics import TOPICS
from ops.clock import Clock, SystemClock

READ_MS = 1000


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
    BrokerError : when a service runs, a topic is missing or has another number of partitions, or Kafka refuses
    BackupError : when the folder is there already or cannot be written
    """
    clock = clock or SystemClock()
    names = [topic.name for topic in TOPICS]
    await await_topics(settings, names)  # of another number of partitions, some would be left out
    async with admin_of(settings) as admin:
        await services_gone(admin, [settings.topic_prefix + service.service for service in services])
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
