"""The topics: their names, what their messages are, how each is kept, and who reads or writes it. One table."""

from dataclasses import dataclass
from typing import Literal

from bus.messages import Alert, AlertCommand, BeatReview, DeadLetter, Message, Urgent, Verdict

SAMPLES = "ecg.samples"
WINDOWS = "ecg.windows"
ANOMALIES = "ecg.anomalies"
URGENT = "ecg.urgent"
SHADOW_WINDOWS = "ecg.shadow-windows"
ALERTS = "ecg.alerts"
ALERT_COMMANDS = "ecg.alert-commands"
BEAT_REVIEWS = "ecg.beat-reviews"
DEAD_LETTERS = "ecg.dead-letters"
DETECTOR_PROGRESS = "ecg.detector-progress"
ALERTING_PROGRESS = "ecg.alerting-progress"

FOR_EVER = -1  # of people's own work: a few messages a day, each of which says who decided what
_PREFIX = "ecg."
_HOUR_MS = 3_600_000
_DAY_MS = 24 * _HOUR_MS


@dataclass(frozen=True, slots=True, kw_only=True)
class Topic:
    """A topic and how Kafka keeps it.

    Attributes
    ----------
    name : without the prefix of an installation, which the clients of ``bus`` put on and take off
    cleanup : "delete" drops messages after ``retention_ms``; "compact" keeps the last of each key
    retention_ms : how long messages are kept under "delete", ms; ``FOR_EVER`` for always
    whole_ms : how long every message is kept under "compact", before older ones of its key go, ms
    holds : what a message is, in words
    model : of the JSON messages; None for samples, which are Avro, and for what a service keeps for itself
    key : what a message's key is: a patient's id, an alarm's, or that of the message that was put aside
    timed : whether messages have the header that tells when their samples came
    services : those that read or write it: each needs its own topics, and rights on no others
    """

    name: str
    cleanup: Literal["delete", "compact"] = "delete"
    retention_ms: int | None = None
    whole_ms: int = 0
    holds: str
    model: type[Message] | None = None
    key: Literal["patient", "alarm", "original"] = "patient"
    timed: bool = False
    services: tuple[str, ...]

    @property
    def short_name(self) -> str:
        """The name that `ecgstream subscribe` takes."""
        return self.name.removeprefix(_PREFIX)

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
TOPICS: tuple[Topic, ...] = (
    Topic(
        name=SAMPLES,
        retention_ms=_DAY_MS,
        holds="chunks of ECG samples (Avro)",
        services=("producer", "gateway", "detector", "alerting", "web"),
    ),
    Topic(
        name=WINDOWS,
        retention_ms=7 * _DAY_MS,
        holds="the verdict on every window",
        model=Verdict,
        timed=True,
        services=("detector", "alerting", "web"),
    ),
    Topic(
        name=ANOMALIES,
        retention_ms=30 * _DAY_MS,
        holds="the verdicts that are abnormal",
        model=Verdict,
        timed=True,
        services=("detector",),
    ),
    Topic(
        name=URGENT,
        retention_ms=7 * _DAY_MS,
        holds="what kills within minutes, at once",
        model=Urgent,
        timed=True,
        services=("detector", "alerting"),
    ),
    Topic(
        name=SHADOW_WINDOWS,
        retention_ms=7 * _DAY_MS,
        holds="the verdicts of models in the shadow",
        model=Verdict,
        timed=True,
        services=("detector",),
    ),
    # Whole for as long as a database may be away before its alarm history lacks something.
    Topic(
        name=ALERTS,
        cleanup="compact",
        whole_ms=7 * _DAY_MS,
        holds="the last state of every alarm, by alert id",
        model=Alert,
        key="alarm",
        services=("alerting", "web"),
    ),
    Topic(
        name=ALERT_COMMANDS,
        retention_ms=7 * _DAY_MS,
        holds="acknowledge and silence",
        model=AlertCommand,
        services=("alerting", "web"),
    ),
    Topic(
        name=BEAT_REVIEWS,
        retention_ms=FOR_EVER,
        holds="what people decided on beats",
        model=BeatReview,
        services=("web",),
    ),
    Topic(
        name=DEAD_LETTERS,
        retention_ms=30 * _DAY_MS,
        holds="what could not be decoded, and why",
        model=DeadLetter,
        key="original",
        services=("detector", "alerting", "web"),
    ),
    Topic(
        name=DETECTOR_PROGRESS,
        cleanup="compact",
        holds="where the detector stands with each patient",
        services=("detector",),
    ),
    Topic(
        name=ALERTING_PROGRESS,
        cleanup="compact",
        holds="what alerting remembers of each patient",
        services=("alerting",),
    ),
)


def used_by(service: str) -> tuple[str, ...]:
    """Return the names of the topics that a service reads or writes."""
    return tuple(topic.name for topic in TOPICS if service in topic.services)


def readable() -> dict[str, Topic]:
    """Return the topics of JSON messages, which can be followed, by the name that `ecgstream subscribe` takes."""
    return {topic.short_name: topic for topic in TOPICS if topic.model is not None}
