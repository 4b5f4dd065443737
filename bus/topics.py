"""The topics: their names, and how each is kept."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

SAMPLES = "ecg.samples"
WINDOWS = "ecg.windows"
ANOMALIES = "ecg.anomalies"
URGENT = "ecg.urgent"
ALERTS = "ecg.alerts"
ALERT_COMMANDS = "ecg.alert-commands"
DEAD_LETTERS = "ecg.dead-letters"
DETECTOR_PROGRESS = "ecg.detector-progress"
ALERTING_PROGRESS = "ecg.alerting-progress"

_HOUR_MS = 3_600_000
_DAY_MS = 24 * _HOUR_MS


@dataclass(frozen=True, slots=True, kw_only=True)
class Topic:
    """A topic and how Kafka keeps it.

    Attributes
    ----------
    name : the topic's name
    cleanup : "delete" drops messages after ``retention_ms``; "compact" keeps the last of each key
    retention_ms : how long messages are kept under "delete", ms
    whole_ms : how long every message is kept under "compact", before older ones of its key go, ms
    holds : what a message is, in words
    """

    name: str
    cleanup: Literal["delete", "compact"]
    retention_ms: int | None = None
    whole_ms: int = 0
    holds: str

    def configuration(self, replication: int) -> dict[str, str]:
        """The topic's settings as Kafka names them.

        Parameters
        ----------
        replication : replicas of each partition; of three or more, all but one must have what is acknowledged
        """
        found = {
            "cleanup.policy": self.cleanup,
            # The broker's clock, which no sender can forge; the recording's time stands in the messages.
            "message.timestamp.type": "LogAppendTime",
            "min.insync.replicas": str(max(1, replication - 1)),
        }
        if self.retention_ms is not None:
            found["retention.ms"] = str(self.retention_ms)
        if self.whole_ms:
            found["min.compaction.lag.ms"] = str(self.whole_ms)
        return found


# All have the same partition count: a patient's samples, verdicts, progress and alerts share a partition number.
TOPICS = (
    Topic(name=SAMPLES, cleanup="delete", retention_ms=_DAY_MS, holds="chunks of ECG samples (Avro)"),
    Topic(name=WINDOWS, cleanup="delete", retention_ms=7 * _DAY_MS, holds="the verdict on every window"),
    Topic(name=ANOMALIES, cleanup="delete", retention_ms=30 * _DAY_MS, holds="the verdicts that are abnormal"),
    Topic(name=URGENT, cleanup="delete", retention_ms=7 * _DAY_MS, holds="what kills within minutes, at once"),
    # Whole for as long as a database may be away before its alarm history lacks something.
    Topic(name=ALERTS, cleanup="compact", whole_ms=7 * _DAY_MS, holds="the last state of every alarm, by alert id"),
    Topic(name=ALERT_COMMANDS, cleanup="delete", retention_ms=7 * _DAY_MS, holds="acknowledge and silence"),
    Topic(name=DEAD_LETTERS, cleanup="delete", retention_ms=30 * _DAY_MS, holds="what could not be decoded, and why"),
    Topic(name=DETECTOR_PROGRESS, cleanup="compact", holds="where the detector stands with each patient"),
    Topic(name=ALERTING_PROGRESS, cleanup="compact", holds="what alerting remembers of each patient"),
)

# What each service reads or writes: it needs these, and rights on no others.
USED_BY: Mapping[str, tuple[str, ...]] = {
    "producer": (SAMPLES,),
    "detector": (SAMPLES, WINDOWS, ANOMALIES, URGENT, DEAD_LETTERS, DETECTOR_PROGRESS),
    "alerting": (SAMPLES, WINDOWS, URGENT, ALERT_COMMANDS, ALERTS, DEAD_LETTERS, ALERTING_PROGRESS),
    "web": (SAMPLES, WINDOWS, ALERTS, ALERT_COMMANDS, DEAD_LETTERS),
}
