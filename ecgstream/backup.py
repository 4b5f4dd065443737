"""Progress of detector and alerting in a backup, and the alarm history's places after a restore."""

import json
from collections.abc import Mapping

from sqlalchemy import URL

from alerting import progress as alerting_progress
from alerting.history.recorder import READ
from alerting.history.store import AlarmStore, Place
from alerting.transform import SERVICE as ALERTING
from bus import topics
from bus.offsets import Offsets, ProgressBackup
from bus.settings import KafkaSettings
from bus.topic_admin import cluster_id
from detector import progress as detector_progress
from detector.partition_state import PARTITION_KEY as DETECTOR_PARTITION_KEY
from detector.partition_state import SERVICE as DETECTOR
from ecgstream.growth import alerting_offsets


def progress_backups() -> tuple[ProgressBackup, ...]:
    """Every service that keeps progress."""
    return (
        ProgressBackup(
            service=DETECTOR,
            progress_topic=topics.DETECTOR_PROGRESS,
            partition_key=DETECTOR_PARTITION_KEY,
            needed=_detector_needs,
            translated=_detector_translated,
        ),
        ProgressBackup(
            service=ALERTING,
            progress_topic=topics.ALERTING_PROGRESS,
            partition_key=alerting_progress.PARTITION_KEY,
            needed=alerting_offsets,
            translated=_alerting_translated,
        ),
    )


def _detector_needs(record: bytes | None) -> Mapping[str, int]:
    return {topics.SAMPLES: int(json.loads(record)["resume_offset"]) if record else 0}


def _detector_translated(key: bytes, record: bytes, offsets: Mapping[str, Offsets]) -> bytes:
    samples = offsets[topics.SAMPLES]
    if key != DETECTOR_PARTITION_KEY:
        return detector_progress.translated(record, samples)
    fields = json.loads(record)
    return json.dumps(fields | {name: samples.next(fields[name]) for name in ("resume_offset", "next_offset")}).encode()


def _alerting_translated(key: bytes, record: bytes, offsets: Mapping[str, Offsets]) -> bytes:
    if key != alerting_progress.PARTITION_KEY:
        return record  # it names no offset
    read = alerting_progress.PartitionProgress.model_validate_json(record)
    moved = {alerting_progress.OFFSETS[topic]: offsets[topic].next(offset) for topic, offset in read.offsets.items()}
    return read.model_copy(update=moved).model_dump_json().encode()


async def forget_places(kafka: KafkaSettings, history: URL) -> None:
    """Let an alarm history read the restored topics from their beginning; what it has, it passes over.

    A broker that was wiped may have the id that it had: the history would take its old place for one in new topics.

    Raises
    ------
    HistoryError : when the database does not answer
    """
    store = AlarmStore(history, cluster=await cluster_id(kafka))
    try:
        store.open()
        store.begin_again(
            [Place(kafka.topic(topic), partition) for topic in READ for partition in range(kafka.partitions)]
        )
    finally:
        store.close()
