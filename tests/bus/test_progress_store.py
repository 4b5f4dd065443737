"""Single records of a progress topic, fetched by offset from the real broker."""

import pytest
from aiokafka.producer.sender import Sender

from bus import topics
from bus.interfaces import Outgoing
from bus.partition import PartitionWriter, read_compacted
from bus.progress_store import KafkaProgressStore, ProgressUnavailableError
from bus.settings import KafkaSettings

PARTITION = 1


def record(key: str, value: str) -> Outgoing:
    return Outgoing(topic=topics.DETECTOR_PROGRESS, key=key.encode(), value=value.encode())


@pytest.mark.broker
async def test_records_come_by_offset_whatever_was_written_since(settings: KafkaSettings) -> None:
    writer = PartitionWriter(settings, transactional_id=f"{settings.topic_prefix}store", partition=PARTITION)
    await writer.start()
    try:
        first = await writer.commit([record(f"p{n}", f"first {n}") for n in range(60)])
        await writer.commit([record("other", "x" * 5_000) for _ in range(30)])
        second = await writer.commit([record("q", "second")])
        async with KafkaProgressStore(settings, topics.DETECTOR_PROGRESS) as store:
            wanted = {first[n]: f"p{n}".encode() for n in (50, 0, 1, 7)} | {second[0]: b"q"}
            for _ in range(2):  # also backwards
                assert await store.fetch(PARTITION, wanted) == {
                    **{first[n]: f"first {n}".encode() for n in (0, 1, 7, 50)},
                    second[0]: b"second",
                }
            for gone in ({first[3]: b"p4"}, {second[0] + 1: b"q"}):  # another's; where a transaction's mark lies
                with pytest.raises(ProgressUnavailableError, match=r"ecg\.detector-progress"):
                    await store.fetch(PARTITION, gone)
            assert await store.fetch(PARTITION, {first[3]: b"p3"}) == {first[3]: b"first 3"}
        known = await read_compacted(settings, topics.DETECTOR_PROGRESS, PARTITION)
        assert (known[b"p3"].offset, known[b"q"].offset) == (first[3], second[0])
    finally:
        await writer.stop()


@pytest.mark.broker
async def test_a_lot_goes_out_in_one_request_not_in_a_row_of_them(
    settings: KafkaSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    requests: list[int] = []
    send = Sender._send_produce_req

    async def counted(self: Sender, node_id: int, batches: dict[object, object]) -> object:
        requests.append(len(batches))
        return await send(self, node_id, batches)

    monkeypatch.setattr(Sender, "_send_produce_req", counted)
    writer = PartitionWriter(settings, transactional_id=f"{settings.topic_prefix}lot", partition=PARTITION)
    await writer.start()
    try:
        await writer.commit([record("first", "until the new topic has its leader")])
        requests.clear()
        offsets = await writer.commit([record(f"p{n}", "x" * 2_000) for n in range(100)])
    finally:
        await writer.stop()
    assert offsets == list(range(offsets[0], offsets[0] + 100))
    assert requests == [1]
