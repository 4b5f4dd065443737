"""More partitions for topics in use: patients move to other partitions, and what is known of them moves along.

No service may run meanwhile. Whatever interrupts it, running it again finishes it: a record that lies where its key
does not belong is moved, wherever it came from.
"""

import asyncio
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import structlog
from aiokafka import AIOKafkaProducer, TopicPartition
from aiokafka.admin import NewPartitions

from bus import topics
from bus.connection import BrokerError, connected, connection_arguments, new_consumer, stopped
from bus.messages import Alert
from bus.partition import PartitionWriter, read_compacted
from bus.partitioning import partition_of
from bus.settings import KafkaSettings
from bus.topic_admin import admin_of, services_gone, visible
from bus.topics import TOPICS

AT_ONCE = 200  # records in a transaction
READ_MS = 1000

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Keeper:
    """The way a service keeps its progress.

    Attributes
    ----------
    service : its name, as its consumer group has it
    progress_topic : as ``bus.topics`` names it; keys are patients, but those with a "/"
    partition_key : the key of the record about the partition itself
    next_offsets : from that record, by topic, the first message that is not in the progress
    at_rest : whether a patient's record holds all, so that no message has to be read again for it
    moved : a patient's record for another partition, in which no offset of this one means anything
    """

    service: str
    progress_topic: str
    partition_key: bytes
    next_offsets: Callable[[bytes | None], Mapping[str, int]]
    at_rest: Callable[[bytes], bool]
    moved: Callable[[bytes], bytes]


@dataclass(slots=True)
class _Moves:
    """Records to be moved: by topic on the cluster, (key, from, to, value)."""

    records: dict[str, list[tuple[bytes, int, int, bytes]]] = field(default_factory=dict)

    def note(self, topic: str, key: bytes, place: int, target: int, value: bytes) -> None:
        self.records.setdefault(topic, []).append((key, place, target, value))


async def grow_topics(settings: KafkaSettings, partitions: int, keepers: Sequence[Keeper], *, force: bool) -> int:
    """Give every topic so many partitions, and move what is known of patients that get another one.

    Parameters
    ----------
    settings : how to reach Kafka
    partitions : how many each topic has afterwards
    keepers : the services that keep progress
    force : move patients of whom something was not read yet, too: up to some seconds of each are then lost

    Returns
    -------
    how many records were moved

    Raises
    ------
    BrokerError : when a service runs, has not read everything, or Kafka refuses
    """
    grown = settings.model_copy(update={"partitions": partitions})
    async with admin_of(settings) as admin:
        counts = {topic["topic"]: len(topic["partitions"]) for topic in await admin.describe_topics()}
        names = [settings.topic(topic.name) for topic in TOPICS]
        _refuse(counts, names, partitions)
        await services_gone(admin, [settings.topic_prefix + keeper.service for keeper in keepers])
        moves = await _planned(settings, counts, partitions, keepers, force=force)
        small = {name: NewPartitions(partitions) for name in names if counts[name] < partitions}
        if small:
            await admin.create_partitions(small)
        await visible(admin, grown, [topic.name for topic in TOPICS])
    await _carry_out(settings, moves)
    return sum(len(records) for records in moves.records.values())


def _refuse(counts: Mapping[str, int], names: Sequence[str], partitions: int) -> None:
    missing = [name for name in names if name not in counts]
    if missing:
        raise BrokerError(f"no topic {', '.join(missing)}: make them first with 'ecgstream topics create'")
    larger = {name: counts[name] for name in names if counts[name] > partitions}
    if larger:
        named = ", ".join(f"{name} has {count}" for name, count in larger.items())
        raise BrokerError(f"--partitions {partitions}, but {named}: Kafka cannot take partitions away: give more")


async def _planned(
    settings: KafkaSettings, counts: Mapping[str, int], partitions: int, keepers: Sequence[Keeper], *, force: bool
) -> _Moves:
    moves, unread, restless = _Moves(), list[str](), 0
    for keeper in keepers:
        topic = settings.topic(keeper.progress_topic)
        for place in range(counts[topic]):
            # It ends what a killed instance left open, and nobody else writes the partition from here on.
            writer = PartitionWriter(
                settings, transactional_id=f"{settings.topic_prefix}{keeper.service}-{place}", partition=place
            )
            try:
                await writer.start()
                records = await read_compacted(settings, keeper.progress_topic, place)
            finally:
                await writer.stop()
            own = records.pop(keeper.partition_key, None)
            for name, offset in keeper.next_offsets(own.value if own else None).items():
                full = settings.topic(name)
                if place < counts[full] and (count := await _leaving(settings, full, place, offset, partitions)):
                    unread.append(f"{count} messages of {full} in partition {place} (by {keeper.service})")
            for key, record in records.items():
                if key.startswith(b"/"):  # no patient: it is about what lies in this partition
                    continue
                target = partition_of(key, partitions)
                if target != place:
                    restless += not keeper.at_rest(record.value)
                    moves.note(topic, key, place, target, keeper.moved(record.value))
    if not force and (unread or restless):
        raise BrokerError(
            f"patients would move of whom not everything was read ({'; '.join(unread) or f'{restless} are followed'}): "
            "stop the senders, let the services run until ECGSTREAM_DETECTOR_SILENT_S has passed, stop them, and try "
            "again; "
            "or add --force, which loses up to some seconds of each"
        )
    await _plan_alerts(settings, counts, partitions, moves)
    return moves


async def _plan_alerts(settings: KafkaSettings, counts: Mapping[str, int], partitions: int, moves: _Moves) -> None:
    """The open alarms: what is told of them next comes in another partition, and must be read after this."""
    topic = settings.topic(topics.ALERTS)
    for place in range(counts[topic]):
        for key, record in (await read_compacted(settings, topics.ALERTS, place)).items():
            alert = Alert.model_validate_json(record.value)
            target = partition_of(alert.patient.encode(), partitions)
            if alert.phase != "end" and target != place:
                moves.note(topic, key, place, target, record.value)


async def _leaving(settings: KafkaSettings, topic: str, partition: int, offset: int, partitions: int) -> int:
    """Count the messages of a partition from an offset on that are of patients who leave it."""
    place = TopicPartition(topic, partition)
    consumer = await connected(settings, lambda: new_consumer(settings))
    try:
        consumer.assign([place])
        end = (await consumer.end_offsets([place]))[place]
        beginning = (await consumer.beginning_offsets([place]))[place]
        consumer.seek(place, max(offset, beginning))
        found = 0
        while await consumer.position(place) < end:
            messages = (await consumer.getmany(place, timeout_ms=READ_MS)).get(place, ())
            found += sum(m.key is not None and partition_of(m.key, partitions) != partition for m in messages)
        return found
    finally:
        await stopped(consumer)


async def _carry_out(settings: KafkaSettings, moves: _Moves) -> None:
    """Write each record to its new place and delete it at its old one, both or neither."""
    producer = await connected(
        settings,
        lambda: AIOKafkaProducer(
            **connection_arguments(settings), transactional_id=f"{settings.topic_prefix}grow", linger_ms=5
        ),
    )
    try:
        for topic, records in moves.records.items():
            for lot in _lots(records):
                await producer.begin_transaction()
                sent = [
                    await producer.send(topic, data, key=key, partition=partition)
                    for key, place, target, value in lot
                    for partition, data in ((target, value), (place, None))
                ]
                await asyncio.gather(*sent)  # a failed send does not fail the commit
                await producer.commit_transaction()
            log.info("moved", topic=topic, records=len(records))
    finally:
        await stopped(producer)


def _lots(records: Sequence[tuple[bytes, int, int, bytes]]) -> Iterator[Sequence[tuple[bytes, int, int, bytes]]]:
    for start in range(0, len(records), AT_ONCE):
        yield records[start : start + AT_ONCE]
