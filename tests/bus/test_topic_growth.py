"""More partitions while the system is in use: every patient goes on where it stood."""

import asyncio
from collections import Counter
from collections.abc import Mapping, Sequence

import pytest

from bus import topic_admin, topics
from bus.clients import BrokerError, KafkaPublisher, KafkaReader
from bus.exactly_once import ExactlyOnce
from bus.interfaces import Outgoing, Received
from bus.partition import read_compacted
from bus.partitioning import partition_of
from bus.progress_store import ProgressRecord
from bus.settings import KafkaSettings
from bus.topic_growth import Keeper, grow_topics
from tests.alerting.alerts import alert
from tests.support.waiting import until

PARTITION = b"/partition"
PATIENTS = 40


class Tally:
    """Numbers each patient's messages; its progress is one record a patient, as a service's is."""

    input_topic = topics.SAMPLES
    progress_topic = topics.DETECTOR_PROGRESS

    def __init__(self) -> None:
        self.seen: dict[int, Counter[bytes]] = {}
        self.committed_messages = 0

    def open(self, partition: int, progress: Mapping[bytes, ProgressRecord]) -> int | None:
        self.seen[partition] = Counter({key: int(record.value) for key, record in progress.items() if key != PARTITION})
        return int(progress[PARTITION].value) if PARTITION in progress else None

    def close(self, partition: int) -> None:
        del self.seen[partition]

    async def process(self, batch: Mapping[int, Sequence[Received]]) -> Mapping[int, Sequence[Outgoing]]:
        outputs: dict[int, list[Outgoing]] = {}
        for partition, messages in batch.items():
            seen, out = self.seen[partition], list[Outgoing]()
            for message in messages:
                key = message.key or b""
                seen[key] += 1
                number = str(seen[key]).encode()
                out.append(Outgoing(topic=topics.WINDOWS, key=key, value=number))
                out.append(Outgoing(topic=self.progress_topic, key=key, value=number))
            out.append(Outgoing(topic=self.progress_topic, key=PARTITION, value=str(messages[-1].offset + 1).encode()))
            outputs[partition] = out
        return outputs

    def committed(self, _partition: int, messages: Sequence[Outgoing], _offsets: Sequence[int]) -> None:
        self.committed_messages += sum(message.topic == topics.WINDOWS for message in messages)


def keeper(*, at_rest: bool = True) -> Keeper:
    return Keeper(
        service="tally",
        progress_topic=topics.DETECTOR_PROGRESS,
        partition_key=PARTITION,
        next_offsets=lambda record: {topics.SAMPLES: int(record or 0)},
        at_rest=lambda _: at_rest,
        moved=lambda record: record,
    )


async def send(settings: KafkaSettings, rounds: int) -> None:
    async with KafkaPublisher(settings) as publisher:
        for _ in range(rounds):
            for patient in range(PATIENTS):
                key = f"p{patient}".encode()
                await publisher.send(Outgoing(topic=topics.SAMPLES, key=key, value=b"s"))


async def tallied(settings: KafkaSettings, count: int) -> None:
    tally, stop = Tally(), asyncio.Event()
    task = asyncio.create_task(ExactlyOnce(settings, tally, service="tally").run(stop))
    await until(lambda: tally.committed_messages == count)
    stop.set()
    await task


@pytest.mark.broker
async def test_every_patient_goes_on_where_it_stood(settings: KafkaSettings, monkeypatch: pytest.MonkeyPatch) -> None:
    await send(settings, 3)
    with pytest.raises(BrokerError, match=r"not everything was read \(\d+ messages of .*ecg.samples"):
        await grow_topics(settings, 6, [keeper()], force=False)
    tally, stop = Tally(), asyncio.Event()
    runner = ExactlyOnce(settings, tally, service="tally")
    task = asyncio.create_task(runner.run(stop))
    await until(lambda: tally.committed_messages == 3 * PATIENTS)
    with monkeypatch.context() as patch:
        patch.setattr(topic_admin, "LEAVE_S", 0.1)
        with pytest.raises(BrokerError, match=r"tally still runs: stop every instance"):
            await grow_topics(settings, 6, [keeper()], force=False)
    stop.set()
    await task
    moving = next(f"p{n}" for n in range(PATIENTS) if partition_of(f"p{n}".encode(), 6) >= 4)
    was, goes = (partition_of(moving.encode(), count) for count in (4, 6))
    open_alarm = alert(patient=moving, id=f"{moving}/1/1/abnormal_window")
    async with KafkaPublisher(settings) as publisher:
        for alarm_alert in (open_alarm, alert(patient=moving, id=f"{moving}/0/1/abnormal_window", phase="end")):
            await publisher.send(
                Outgoing(topic=topics.ALERTS, key=alarm_alert.id.encode(), value=alarm_alert.to_bytes(), partition=was)
            )
    with pytest.raises(BrokerError, match="are followed"):
        await grow_topics(settings, 6, [keeper(at_rest=False)], force=False)

    moved = await grow_topics(settings, 6, [keeper()], force=False)
    assert await grow_topics(settings, 6, [keeper()], force=False) == 0  # done is done
    leaving = sum(partition_of(f"p{n}".encode(), 4) != partition_of(f"p{n}".encode(), 6) for n in range(PATIENTS))
    assert moved == leaving + 1
    alerts = topics.ALERTS
    assert open_alarm.id.encode() not in await read_compacted(settings, alerts, was)
    assert list(await read_compacted(settings, alerts, goes)) == [open_alarm.id.encode()]

    grown = settings.model_copy(update={"partitions": 6})
    await send(grown, 2)
    await tallied(grown, 2 * PATIENTS)
    numbers: dict[bytes, list[int]] = {}
    async with KafkaReader(grown, [topics.WINDOWS], start="beginning") as reader:
        async for message in reader.to_end():
            numbers.setdefault(message.key or b"", []).append(int(message.value or b"0"))
    assert {key: sorted(found) for key, found in numbers.items()} == {
        f"p{patient}".encode(): [1, 2, 3, 4, 5] for patient in range(PATIENTS)
    }
    with pytest.raises(BrokerError, match="Kafka cannot take partitions away"):
        await grow_topics(settings, 5, [keeper()], force=False)
