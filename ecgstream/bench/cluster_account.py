"""Account of a run on a cluster: what was sent, judged and raised, and when each partition was judged again."""

from collections.abc import Callable
from dataclasses import dataclass, field

from bus import topics
from bus.interfaces import Received
from bus.messages import Verdict
from bus.partitioning import partition_of
from bus.samples import decode
from ecgstream.bench.alert_log import AlertLog
from ecgstream.bench.verdict_log import VerdictLog
from ecgstream.ledger import Ledger

PARTITIONS = 12


@dataclass(slots=True)
class FollowedTopic:
    """Hands the messages of a topic on."""

    topic: str
    take: Callable[[Received], None]


@dataclass(slots=True)
class ClusterAccount:
    """Account of a run: what was sent and judged, and what was told about alarms.

    Attributes
    ----------
    ledger : which windows were due, came, and came twice
    verdicts : the verdicts in the order in which they came, with their times
    alarms : messages of alarms
    """

    ledger: Ledger = field(default_factory=Ledger)
    verdicts: VerdictLog = field(default_factory=VerdictLog)
    alarms: AlertLog = field(default_factory=AlertLog)

    @property
    def logs(self) -> tuple[FollowedTopic, ...]:
        """The topics to follow."""
        return (
            FollowedTopic(topics.SAMPLES, self._sent),
            FollowedTopic(topics.WINDOWS, self._judged),
            FollowedTopic(topics.ANOMALIES, self._reported),
            FollowedTopic(topics.ALERTS, self.alarms.take),
        )

    def _sent(self, message: Received) -> None:
        self.ledger.sent(decode(message.value, key=message.key), message.offset)

    def _judged(self, message: Received) -> None:
        self.verdicts.take(message)
        self.ledger.judged(Verdict.model_validate_json(message.value or b""), None)

    def _reported(self, message: Received) -> None:
        self.ledger.reported(Verdict.model_validate_json(message.value or b""))

    def worked_again_s(self, since_s: float) -> dict[int, float]:
        """Return when each partition's first verdict on samples from after a moment came, seconds after it.

        Parameters
        ----------
        since_s : the moment, wall time in seconds
        """
        found: dict[int, float] = {}
        kept = self.verdicts
        for verdict, came_s, sent_s in zip(kept.verdicts.values(), kept.came_s, kept.ingested_s, strict=True):
            if sent_s >= since_s:
                found.setdefault(partition_of(verdict.patient.encode(), PARTITIONS), came_s - since_s)
        return found
