"""Topics into files and back: what a backup holds, and what is refused."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bus import topics
from bus.backup_files import MANIFEST, BackupError, Manifest, read_manifest, read_messages
from bus.clients import BrokerError, KafkaPublisher, KafkaReader
from bus.interfaces import Outgoing
from bus.offsets import Offsets, ProgressBackup
from bus.settings import KafkaSettings
from bus.topic_admin import topic_differences, topic_states
from bus.topic_backup import back_up
from bus.topic_restore import restore

PARTITION = b"/partition"


@given(st.sets(st.integers(0, 50)), st.integers(-1, 60))
def test_translated_offsets_count_the_messages_that_lie_before(old: set[int], offset: int) -> None:
    offsets = Offsets(sorted(old))
    assert offsets.next(offset) == sum(each < offset for each in old)
    assert offsets.there(offset) == (offset in old)
    lies = sum(each <= offset for each in old) - 1
    assert offsets.last(offset) == lies if lies >= 0 or offset < 0 else offsets.last(offset) < -1


@given(st.lists(st.sets(st.integers(0, 50)), max_size=3), st.integers(-1, 60), st.integers(-1, 60))
def test_of_two_messages_that_were_not_restored_it_is_known_which_came_first(
    restores: list[set[int]], one: int, other: int
) -> None:
    one, other = sorted((one, other))
    for old in restores:
        offsets = Offsets(sorted(old))
        before = one, other
        one, other = offsets.last(one), offsets.last(other)
        assert (one == -1) == (before[0] == -1)
        if one != -1:
            assert one <= other
            assert one < other or other >= 0 or before[0] == before[1]


def tally(needed: int) -> ProgressBackup:
    """A service that needs its input from an offset on."""

    def translated(_: bytes, record: bytes, offsets: Mapping[str, Offsets]) -> bytes:
        return str(offsets[topics.SAMPLES].next(int(record))).encode()

    return ProgressBackup(
        service="tally",
        progress_topic=topics.DETECTOR_PROGRESS,
        partition_key=PARTITION,
        needed=lambda _: {topics.SAMPLES: needed},
        translated=translated,
    )


async def send(settings: KafkaSettings, topic: str, *values: bytes, key: bytes = b"p", partition: int = 0) -> None:
    async with KafkaPublisher(settings) as publisher:
        for value in values:
            await publisher.send(
                Outgoing(topic=topic, key=key, value=value, partition=partition, headers=(("came", value),))
            )


async def everything(settings: KafkaSettings, topic: str) -> list[tuple[Any, ...]]:
    async with KafkaReader(settings, [topic], start="beginning") as reader:
        return [(m.offset, m.timestamp_ms, m.key, m.value, tuple(m.headers)) async for m in reader.to_end()]


@pytest.mark.broker
async def test_what_is_needed_comes_back_with_its_times_and_progress_points_at_it(
    settings: KafkaSettings, tmp_path: Path
) -> None:
    folder = tmp_path / "backup"
    await send(settings, topics.SAMPLES, b"0", b"1", b"2", b"3")
    await send(settings, topics.DETECTOR_PROGRESS, b"1", b"3", key=PARTITION)
    was = await everything(settings, topics.SAMPLES)
    made = await back_up(settings, folder, [tally(2)], history_s=-60)
    assert made.messages == 3  # two samples, and the last record of the only key
    fresh = settings.model_copy(update={"topic_prefix": f"{settings.topic_prefix}fresh."})
    assert await restore(fresh, folder, [tally(2)]) == made
    assert await everything(fresh, topics.SAMPLES) == [(n, *each[1:]) for n, each in enumerate(was[2:])]
    assert [each[3] for each in await everything(fresh, topics.DETECTOR_PROGRESS)] == [b"1"]
    # From now on it is the broker's time again that counts.
    assert await topic_differences(fresh) == []
    with pytest.raises(BrokerError, match=r"ecg\.samples.*not empty"):
        await restore(fresh, folder, [tally(2)])


@pytest.mark.broker
async def test_the_past_goes_along_as_far_as_asked(settings: KafkaSettings, tmp_path: Path) -> None:
    await send(settings, topics.WINDOWS, b"0", b"1")
    for history_s, count in ((-60.0, 0), (3600.0, 2)):
        made = await back_up(settings, tmp_path / str(count), [tally(0)], history_s=history_s)
        (stored, *_) = made.topics[topics.WINDOWS]
        assert len(list(read_messages(tmp_path / str(count), stored))) == stored.messages == count


@pytest.mark.broker
async def test_a_backup_of_another_number_of_partitions_is_refused_before_anything_is_made(
    settings: KafkaSettings, tmp_path: Path
) -> None:
    await back_up(settings, tmp_path / "backup", [tally(0)], history_s=0)
    fresh = settings.model_copy(update={"topic_prefix": f"{settings.topic_prefix}other.", "partitions": 5})
    with pytest.raises(BrokerError, match="set ECGSTREAM_PARTITIONS=4"):
        await restore(fresh, tmp_path / "backup", [tally(0)])
    assert not await topic_states(fresh, [topics.SAMPLES])
    more = settings.model_copy(update={"partitions": 3})
    with pytest.raises(BrokerError, match=r"ECGSTREAM_PARTITIONS=3, but .* has 4"):
        await back_up(more, tmp_path / "other", [tally(0)], history_s=0)
    with pytest.raises(BackupError, match="is there already"):
        await back_up(settings, tmp_path / "backup", [tally(0)], history_s=0)


def test_a_folder_without_a_manifest_or_with_a_changed_file_is_no_backup(tmp_path: Path) -> None:
    with pytest.raises(BackupError, match="cut off"):
        read_manifest(tmp_path)
    (tmp_path / "ecg.samples-0.avro").write_bytes(b"other")
    stored = {"file": "ecg.samples-0.avro", "sha256": "0" * 64, "messages": 1}
    manifest = Manifest.model_validate({"made_ns": 0, "prefix": "", "topics": {"ecg.samples": [stored]}})
    (tmp_path / MANIFEST).write_text(manifest.model_dump_json())
    with pytest.raises(BackupError, match="was changed since"):
        read_manifest(tmp_path)
    (tmp_path / MANIFEST).write_text(json.dumps({"version": 2}))
    with pytest.raises(BackupError, match="restore with the one that made it"):
        read_manifest(tmp_path)
