"""Growth of the progress of detector and alerting with the topics."""

import json
from collections.abc import Mapping

from alerting import progress as alerting_progress
from alerting.transform import SERVICE as ALERTING
from bus import topics
from bus.topic_growth import Keeper
from detector import progress as detector_progress
from detector.partition_state import PARTITION_KEY as DETECTOR_PARTITION_KEY
from detector.partition_state import SERVICE as DETECTOR
from detector.progress import Dormant


def keepers() -> tuple[Keeper, ...]:
    """Every service that keeps progress."""
    return (
        Keeper(
            service=DETECTOR,
            progress_topic=topics.DETECTOR_PROGRESS,
            partition_key=DETECTOR_PARTITION_KEY,
            next_offsets=_detector_offsets,
            at_rest=lambda record: Dormant.of(record).parked_ns is not None,
            moved=detector_progress.moved,
        ),
        Keeper(
            service=ALERTING,
            progress_topic=topics.ALERTING_PROGRESS,
            partition_key=alerting_progress.PARTITION_KEY,
            next_offsets=alerting_offsets,
            at_rest=lambda _: True,
            moved=lambda record: record,  # it names no offset
        ),
    )


def _detector_offsets(record: bytes | None) -> Mapping[str, int]:
    return {topics.SAMPLES: int(json.loads(record)["next_offset"]) if record else 0}


def alerting_offsets(record: bytes | None) -> Mapping[str, int]:
    """Return where alerting reads on, by topic, from its record about a partition."""
    read = alerting_progress.PartitionProgress.model_validate_json(record).offsets if record else {}
    return dict.fromkeys(alerting_progress.OFFSETS, 0) | read
