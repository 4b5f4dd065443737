"""Exactly-once processing on the real broker: a counter whose state must never be wrong."""

import asyncio
import json
import random
from collections.abc import Mapping, Sequence
from typing import Any

import pytest
from aiokafka import TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, RecordsToDelete

from bus import topics
from bus.broker import LocalBroker
from bus.clients import KafkaPublisher, KafkaReader, connection_arguments, create_topics
from bus.exactly_once import ExactlyOnce, PartitionsChangedError
from bus.interfaces import Outgoing, Received
from bus.partition import PartitionWriter, read_compacted
from bus.progress_store import ProgressRecord, ProgressUnavailableError
from bus.settings import KafkaSettings
from ecg.errors import EcgStreamError
from tests.support.waiting import DEADLINE_S, until

pytestmark = [
    pytest.mark.broker,
    pytest.mark.usefixtures("cut_off"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),  # what is cut off closes nothing
]


class Counter:
    """Numbers each partition's messages: the number shows what was lost, and what was seen twice."""

    input_topic = topics.SAMPLES
    progress_topic = topics.DETECTOR_PROGRESS

    def __init__(self) -> None:
        self.seen: dict[int, int] = {}
        self.committed_messages = 0

    def open(self, partition: int, progress: Mapping[bytes, ProgressRecord]) -> int | None:
        record = progress.get(b"count")
        self.seen[partition] = json.loads(record.value)["seen"] if record else 0
        return json.loads(record.value)["next"] if record else None

    def close(self, partition: int) -> None:
        del self.seen[partition]

    async def process(self, batch: Mapping[int, Sequence[Received]]) -> Mapping[int, Sequence[Outgoing]]:
        outputs: dict[int, list[Outgoing]] = {}
        for partition, messages in batch.items():
            out = outputs[partition] = []
            for message in messages:
                self.seen[partition] += 1
                text = f"{(message.value or b'').decode()}:{self.seen[partition]}"
                out.append(Outgoing(topic=topics.WINDOWS, key=message.key, value=text.encode()))
            await asyncio.sleep(0)
            progress = {"seen": self.seen[partition], "next": messages[-1].offset + 1}
            out.append(Outgoing(topic=topics.DETECTOR_PROGRESS, key=b"count", value=json.dumps(progress).encode()))
        return outputs

    def committed(self, _partition: int, messages: Sequence[Outgoing], _offsets: Sequence[int]) -> None:
        self.committed_messages += len(messages)


class ThreeTopics(Counter):
    """Takes in two topics beside its input; numbers the messages of all together."""

    side_topics: tuple[str, ...] = (topics.ALERT_COMMANDS, topics.URGENT)

    def __init__(self) -> None:
        super().__init__()
        self.next: dict[int, dict[str, int]] = {}

    def open(self, partition: int, progress: Mapping[bytes, ProgressRecord]) -> int | None:
        record = progress.get(b"count")
        kept: dict[str, Any] = json.loads(record.value) if record else {"seen": 0, "next": {}}
        self.seen[partition], self.next[partition] = kept["seen"], kept["next"]
        return self.next[partition].get(self.input_topic)

    def side_offset(self, partition: int, topic: str) -> int | None:
        return self.next[partition].get(topic)

    async def process(self, batch: Mapping[int, Sequence[Received]]) -> Mapping[int, Sequence[Outgoing]]:
        outputs: dict[int, list[Outgoing]] = {}
        for partition, messages in batch.items():
            out = outputs[partition] = []
            for message in messages:
                topic = message.topic
                self.next[partition][topic] = message.offset + 1
                self.seen[partition] += 1
                text = f"{(message.value or b'').decode()}:{self.seen[partition]}"
                out.append(Outgoing(topic=topics.WINDOWS, key=message.key, value=text.encode()))
            progress = {"seen": self.seen[partition], "next": self.next[partition]}
            out.append(Outgoing(topic=topics.DETECTOR_PROGRESS, key=b"count", value=json.dumps(progress).encode()))
        return outputs


async def produce(settings: KafkaSettings, numbers: range, *, name: str = topics.SAMPLES) -> None:
    async with KafkaPublisher(settings) as publisher:
        for number in numbers:
            await publisher.send(Outgoing(topic=name, key=str(number % 17).encode(), value=str(number).encode()))
        await publisher.flush()


async def collect(settings: KafkaSettings, count: int) -> list[Received]:
    found: list[Received] = []
    async with KafkaReader(settings, [topics.WINDOWS], start="beginning") as reader:
        async with asyncio.timeout(DEADLINE_S):
            while len(found) < count:
                found.extend(await reader.batch())
    return found


def check(found: list[Received], count: int) -> None:
    numbers = sorted(int((message.value or b"").partition(b":")[0]) for message in found)
    assert numbers == list(range(count))
    by_partition: dict[int, list[int]] = {}
    for message in found:
        by_partition.setdefault(message.partition, []).append(int((message.value or b"").partition(b":")[2]))
    for positions in by_partition.values():
        assert positions == list(range(1, len(positions) + 1))


async def test_every_message_takes_effect_once(settings: KafkaSettings) -> None:
    await produce(settings, range(500))
    stop = asyncio.Event()
    runner = ExactlyOnce(settings, Counter(), service="counter")
    task = asyncio.create_task(runner.run(stop))
    check(await collect(settings, 500), 500)
    assert runner.ready
    assert runner.partitions == settings.partitions
    assert runner.lag() == dict.fromkeys(range(settings.partitions), 0)
    stop.set()
    await task


async def test_instances_that_die_lose_and_double_nothing(settings: KafkaSettings) -> None:
    count, seeded = 3000, random.Random(7)
    feeding = asyncio.create_task(produce(settings, range(count)))
    stop = asyncio.Event()

    async def live_and_die() -> None:
        """Be cut off at any moment, as a crash would, again and again."""
        for _ in range(6):
            task = asyncio.create_task(ExactlyOnce(settings, Counter(), service="counter", instance="a").run(stop))
            await asyncio.wait({task}, timeout=seeded.uniform(0.2, 1.0))
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    await asyncio.gather(feeding, live_and_die())
    survivor = asyncio.create_task(ExactlyOnce(settings, Counter(), service="counter", instance="a").run(stop))
    check(await collect(settings, count), count)
    stop.set()
    await survivor


async def test_other_topics_take_effect_once_beside_the_input_whoever_dies(settings: KafkaSettings) -> None:
    count, seeded = 1000, random.Random(8)
    stop = asyncio.Event()

    def instance() -> ExactlyOnce:
        transform = ThreeTopics()
        return ExactlyOnce(settings, transform, side=transform, service="counter", instance="a")

    async def live_and_die() -> None:
        for _ in range(4):
            task = asyncio.create_task(instance().run(stop))
            await asyncio.wait({task}, timeout=seeded.uniform(0.2, 1.0))
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    await asyncio.gather(
        produce(settings, range(count)),
        produce(settings, range(count, 2 * count), name=topics.ALERT_COMMANDS),
        produce(settings, range(2 * count, 3 * count), name=topics.URGENT),
        live_and_die(),
    )
    survivor = asyncio.create_task(instance().run(stop))
    check(await collect(settings, 3 * count), 3 * count)
    stop.set()
    await survivor


async def test_partitions_move_between_instances(settings: KafkaSettings) -> None:
    count = 2000
    stops = [asyncio.Event(), asyncio.Event()]
    first = asyncio.create_task(ExactlyOnce(settings, Counter(), service="counter").run(stops[0]))
    await produce(settings, range(count // 2))
    dealt: list[str] = []
    runner = ExactlyOnce(settings, Counter(), service="counter", on_rebalance=lambda: dealt.append("anew"))
    second = asyncio.create_task(runner.run(stops[1]))
    await until(lambda: runner.ready and 0 < runner.partitions < settings.partitions)
    stops[0].set()
    await first
    async with KafkaPublisher(settings) as publisher:
        for number in range(count // 2, count):
            await publisher.send(
                Outgoing(topic=topics.SAMPLES, key=str(number % 17).encode(), value=str(number).encode())
            )
    check(await collect(settings, count), count)
    assert dealt  # when the first one left
    stops[1].set()
    await second


async def test_broker_dies_and_comes_back(own_broker: LocalBroker, own_settings: KafkaSettings) -> None:
    await create_topics(own_settings)
    stop = asyncio.Event()
    counter = Counter()
    task = asyncio.create_task(ExactlyOnce(own_settings, counter, service="counter").run(stop))
    await produce(own_settings, range(400))
    await until(lambda: counter.committed_messages > 0)
    await own_broker.kill()
    await own_broker.start()
    await produce(own_settings, range(400, 800))
    check(await collect(own_settings, 800), 800)
    stop.set()
    await task


async def test_a_stop_while_the_broker_is_away_ends(own_broker: LocalBroker, own_settings: KafkaSettings) -> None:
    await create_topics(own_settings)
    stop, counter = asyncio.Event(), Counter()
    task = asyncio.create_task(ExactlyOnce(own_settings, counter, service="counter").run(stop))
    await produce(own_settings, range(400))
    await until(lambda: counter.committed_messages > 0)
    feeding = asyncio.create_task(produce(own_settings, range(400, 20_000)))
    committed = counter.committed_messages
    await until(lambda: counter.committed_messages > committed)
    await own_broker.kill()
    stop.set()
    ended, _ = await asyncio.wait({task}, timeout=DEADLINE_S)
    feeding.cancel()
    await asyncio.gather(feeding, return_exceptions=True)
    assert ended
    assert task.exception() is None


async def test_progress_from_another_input_swallows_nothing_in_silence(settings: KafkaSettings) -> None:
    # The input topic was deleted and made anew, the progress topic was not.
    for partition in range(settings.partitions):
        async with KafkaPublisher(settings) as publisher:
            record = json.dumps({"seen": 1000, "next": 1000}).encode()
            topic = topics.DETECTOR_PROGRESS
            await publisher.send(Outgoing(topic=topic, key=b"count", value=record, partition=partition))
            await publisher.flush()
    await produce(settings, range(100))
    with pytest.raises(EcgStreamError, match="delete the progress topic"):
        async with asyncio.timeout(DEADLINE_S):
            await ExactlyOnce(settings, Counter(), service="counter").run(asyncio.Event())


async def test_a_topic_beside_the_input_that_was_made_anew_is_read_from_its_beginning(settings: KafkaSettings) -> None:
    # As above, with the commands' topic.
    record = json.dumps({"seen": 0, "next": {topics.ALERT_COMMANDS: 1000}}).encode()
    async with KafkaPublisher(settings) as publisher:
        for partition in range(settings.partitions):
            topic = topics.DETECTOR_PROGRESS
            await publisher.send(Outgoing(topic=topic, key=b"count", value=record, partition=partition))
    await produce(settings, range(100), name=topics.ALERT_COMMANDS)
    transform, stop = ThreeTopics(), asyncio.Event()
    task = asyncio.create_task(ExactlyOnce(settings, transform, side=transform, service="counter").run(stop))
    check(await collect(settings, 100), 100)
    stop.set()
    await task


async def test_an_acquisition_that_dies_in_silence_or_never_ends_is_tried_again(
    settings: KafkaSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    tries = [0] * settings.partitions

    async def hindered(kafka: KafkaSettings, topic: str, partition: int) -> dict[bytes, ProgressRecord]:
        tries[partition] += 1
        if partition == 0 and tries[0] == 1:
            raise asyncio.CancelledError
        if partition == 1 and tries[1] == 1:
            await asyncio.Event().wait()
        return await read_compacted(kafka, topic, partition)

    monkeypatch.setattr("bus.exactly_once.read_compacted", hindered)
    await produce(settings, range(100))
    stop = asyncio.Event()
    impatient = settings.model_copy(update={"partition_timeout_s": 3.0})
    runner = ExactlyOnce(impatient, Counter(), service="counter")
    task = asyncio.create_task(runner.run(stop))
    check(await collect(settings, 100), 100)
    assert (runner.ready, runner.partitions, runner.assigned, runner.existing) == (True, 4, 4, 4)
    assert tries[0] >= 2
    assert tries[1] >= 2
    stop.set()
    await task


async def test_a_commit_that_never_ends_is_done_again(settings: KafkaSettings, monkeypatch: pytest.MonkeyPatch) -> None:
    commit = PartitionWriter.commit
    stuck: list[PartitionWriter] = []

    async def hindered(writer: PartitionWriter, messages: Sequence[Outgoing]) -> list[int]:
        if not stuck:
            stuck.append(writer)
            await asyncio.Event().wait()
        return await commit(writer, messages)

    monkeypatch.setattr(PartitionWriter, "commit", hindered)
    await produce(settings, range(100))
    stop = asyncio.Event()
    impatient = settings.model_copy(update={"partition_timeout_s": 3.0})
    failed: list[str] = []
    runner = ExactlyOnce(impatient, Counter(), service="counter", on_commit_failure=lambda: failed.append("once"))
    task = asyncio.create_task(runner.run(stop))
    check(await collect(settings, 100), 100)
    assert stuck
    assert failed == ["once"]
    stop.set()
    await task


async def test_more_partitions_than_it_was_set_up_for_end_it(settings: KafkaSettings) -> None:
    fewer = settings.model_copy(update={"partitions": settings.partitions - 1})
    with pytest.raises(PartitionsChangedError, match=r"has 4 partitions now.*topics grow --partitions 4"):
        async with asyncio.timeout(DEADLINE_S):
            await ExactlyOnce(fewer, Counter(), service="counter").run(asyncio.Event())


async def test_input_that_was_deleted_before_it_was_read_is_counted(settings: KafkaSettings) -> None:
    await produce(settings, range(100))
    places = [TopicPartition(settings.topic(topics.SAMPLES), partition) for partition in range(settings.partitions)]
    admin = AIOKafkaAdminClient(**connection_arguments(settings))
    await admin.start()
    try:
        await admin.delete_records({place: RecordsToDelete(before_offset=5) for place in places})
    finally:
        await admin.close()
    async with KafkaPublisher(settings) as publisher:
        topic = topics.DETECTOR_PROGRESS
        record = json.dumps({"seen": 0, "next": 2}).encode()
        await publisher.send(Outgoing(topic=topic, key=b"count", value=record, partition=0))
    expired: list[int] = []
    stop = asyncio.Event()
    runner = ExactlyOnce(settings, Counter(), service="counter", on_expired=expired.append)
    task = asyncio.create_task(runner.run(stop))
    await collect(settings, 100 - 5 * settings.partitions)
    assert expired == [3]
    stop.set()
    await task


async def test_a_transform_that_fails_ends_the_service(settings: KafkaSettings) -> None:
    class Broken(Counter):
        async def process(self, batch: Mapping[int, Sequence[Received]]) -> Mapping[int, Sequence[Outgoing]]:
            if batch:
                raise RuntimeError("broken")
            return {}

    await produce(settings, range(10))
    with pytest.raises(RuntimeError, match="broken"):
        async with asyncio.timeout(DEADLINE_S):
            await ExactlyOnce(settings, Broken(), service="counter").run(asyncio.Event())


async def test_a_partition_whose_progress_is_not_to_be_had_is_restored_and_the_others_go_on(
    settings: KafkaSettings,
) -> None:
    class Forgetful(Counter):
        failed = 0

        async def process(self, batch: Mapping[int, Sequence[Received]]) -> Mapping[int, Sequence[Outgoing]]:
            if batch.get(0) and self.failed < 2:
                self.failed += 1
                raise ProgressUnavailableError(0, "gone")
            return await super().process(batch)

    await produce(settings, range(100))
    transform, stop = Forgetful(), asyncio.Event()
    task = asyncio.create_task(ExactlyOnce(settings, transform, service="counter").run(stop))
    check(await collect(settings, 100), 100)
    assert transform.failed == 2
    stop.set()
    await task
