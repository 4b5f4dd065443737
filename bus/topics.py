"""The topics: their names, what their messages are, how each is kept, and who reads or writes it. One table."""

from dataclasses import dataclass
from typing import Literal, NamedTuple

from bus.messages import Alert, AlertCommand, DeadLetter, Message, Urgent, Verdict

SAMPLES = "ecg.samples"
WINDOWS = "ecg.windows"
ANOMALIES = "ecg.anomalies"
URGENT = "ecg.urgent"
ALERTS = "ecg.alerts"
ALERT_COMMANDS = "ecg.alert-commands"
DEAD_LETTERS = "ecg.dead-letters"
DETECTOR_PROGRESS = "ecg.detector-progress"
ALERTING_PROGRESS = "ecg.alerting-progress"

_PREFIX = "ecg."
_HOUR_MS = 3_600_000
_DAY_MS = 24 * _HOUR_MS


class Operation(NamedTuple):
    """What ecgstream does with a topic, for the AsyncAPI document; others do the other part."""

    name: str
    action: Literal["send", "receive"]
    summary: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Topic:
    """A topic and how Kafka keeps it.

    Attributes
    ----------
    name : without the prefix of an installation, which the clients of ``bus`` put on and take off
    cleanup : "delete" drops messages after ``retention_ms``; "compact" keeps the last of each key
    retention_ms : how long messages are kept under "delete", ms
    whole_ms : how long every message is kept under "compact", before older ones of its key go, ms
    holds : what a message is, in words
    details : the same at more length, for the AsyncAPI document; empty where ``holds`` says it all
    model : of the JSON messages; None for samples, which are Avro, and for what a service keeps for itself
    key : what a message's key is: a patient's id, an alarm's, or that of the message that was put aside
    timed : whether messages have the header that tells when their samples came
    operation : what ecgstream does with it; None for what a service keeps for itself
    services : those that read or write it: each needs its own topics, and rights on no others
    """

    name: str
    cleanup: Literal["delete", "compact"]
    retention_ms: int | None = None
    whole_ms: int = 0
    holds: str
    details: str = ""
    model: type[Message] | None = None
    key: Literal["patient", "alarm", "original"] = "patient"
    timed: bool = False
    operation: Operation | None = None
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
        cleanup="delete",
        retention_ms=_DAY_MS,
        holds="chunks of ECG samples (Avro)",
        details="Chunks of consecutive ECG samples, as devices or the replay hand them over.",
        operation=Operation("takeSamples", "receive", "The detector judges what devices or the replay send."),
        services=("producer", "detector", "alerting", "web"),
    ),
    Topic(
        name=WINDOWS,
        cleanup="delete",
        retention_ms=7 * _DAY_MS,
        holds="the verdict on every window",
        details="The verdict on every window of every patient.",
        model=Verdict,
        timed=True,
        operation=Operation("judgeWindows", "send", "One verdict for each window of 5 seconds."),
        services=("detector", "alerting", "web"),
    ),
    Topic(
        name=ANOMALIES,
        cleanup="delete",
        retention_ms=30 * _DAY_MS,
        holds="the verdicts that are abnormal",
        details="The verdicts whose decision is abnormal.",
        model=Verdict,
        timed=True,
        operation=Operation("reportAnomalies", "send", "The same verdict again when it is abnormal."),
        services=("detector",),
    ),
    Topic(
        name=URGENT,
        cleanup="delete",
        retention_ms=7 * _DAY_MS,
        holds="what kills within minutes, at once",
        details="Asystole, ventricular flutter or fibrillation, and ventricular tachycardia, each second in which the "
        "newest four show it, without waiting for the window to end.",
        model=Urgent,
        timed=True,
        operation=Operation("tellAtOnce", "send", "What kills within minutes, told in the second in which it is seen."),
        services=("detector", "alerting"),
    ),
    Topic(
        name=ALERTS,
        cleanup="compact",
        whole_ms=7 * _DAY_MS,  # for as long as a database may be away before its alarm history lacks something
        holds="the last state of every alarm, by alert id",
        details="The life of every alarm. Compacted, so that the last state of each is kept.",
        model=Alert,
        key="alarm",
        operation=Operation("raiseAlerts", "send", "The start, every change and the end of each alarm."),
        services=("alerting", "web"),
    ),
    Topic(
        name=ALERT_COMMANDS,
        cleanup="delete",
        retention_ms=7 * _DAY_MS,
        holds="acknowledge and silence",
        details="What people do about alarms: acknowledge, silence, unsilence. One that cannot be done (an unknown "
        "alarm, a time from the future, an id that came before) goes to the dead letters with the reason.",
        model=AlertCommand,
        operation=Operation(
            "takeCommands", "receive", "Anybody may acknowledge an alarm, silence it, or give it its sound back."
        ),
        services=("alerting", "web"),
    ),
    Topic(
        name=DEAD_LETTERS,
        cleanup="delete",
        retention_ms=30 * _DAY_MS,
        holds="what could not be decoded, and why",
        details="What a service could not decode, with the reason and where it came from.",
        model=DeadLetter,
        key="original",
        operation=Operation("putAside", "send", "A message that cannot be decoded; the stream goes on."),
        services=("detector", "alerting", "web"),
    ),
    Topic(
        name=DETECTOR_PROGRESS,
        cleanup="compact",
        holds="where the detector stands with each patient",
        details="Where the detector stands with each patient. The detector's own; its form may change without notice.",
        services=("detector",),
    ),
    Topic(
        name=ALERTING_PROGRESS,
        cleanup="compact",
        holds="what alerting remembers of each patient",
        details="What alerting remembers of each patient. Its own; its form may change without notice.",
        services=("alerting",),
    ),
)


def used_by(service: str) -> tuple[str, ...]:
    """Return the names of the topics that a service reads or writes."""
    return tuple(topic.name for topic in TOPICS if service in topic.services)


def readable() -> dict[str, Topic]:
    """Return the topics of JSON messages, which can be followed, by the name that `ecgstream subscribe` takes."""
    return {topic.short_name: topic for topic in TOPICS if topic.model is not None}
