"""Detector and alerting on the bus in memory, stepped by hand: a second of the wall clock at a time."""

import dataclasses
from collections import defaultdict
from collections.abc import Iterable

from prometheus_client import CollectorRegistry

from alerting.metrics import AlertingMetrics
from alerting.rules import load_rules
from alerting.transform import AlertingTransform
from bus import topics
from bus.interfaces import Outgoing, Received
from bus.messages import Alert, DeadLetter, Urgent, Verdict
from bus.testing import FakeClock, MemoryBus, MemoryProgressStore
from detector.metrics import DetectorMetrics
from detector.scorer import Scorer
from detector.transform import DetectorTransform

PARTITIONS = 2


class System:
    """Both services over every partition.

    Parameters
    ----------
    scorer : judges the windows

    Attributes
    ----------
    bus : what they work on
    """

    def __init__(self, scorer: Scorer) -> None:
        self._clock = FakeClock()
        self.bus = MemoryBus(partitions=PARTITIONS, clock=self._clock)
        self.detector = DetectorTransform(
            scorer,
            silent_s=60,
            forget_s=86_400,
            store=MemoryProgressStore(self.bus, topics.DETECTOR_PROGRESS),
            partitions=PARTITIONS,
            metrics=DetectorMetrics(CollectorRegistry()),
            clock=self._clock,
        )
        self.alerting = AlertingTransform(load_rules(), AlertingMetrics(CollectorRegistry()), self._clock)
        self._read: dict[tuple[str, str, int], int] = defaultdict(int)
        for partition in range(PARTITIONS):
            self.detector.open(partition, {})
            self.alerting.open(partition, {})

    async def second(self, messages: Iterable[Outgoing], *, turn: bool = True) -> None:
        """Let a second pass, at whose end messages come; without a ``turn`` they wait for the next one."""
        await self._clock.advance(1.0)
        for message in messages:
            self.bus.put(message)
        if not turn:
            return
        await self._turn(self.detector, topics.SAMPLES)
        await self._turn(self.alerting, topics.WINDOWS, *self.alerting.side_topics)

    def end(self) -> None:
        """Let go of the scoring thread."""
        self.detector.shut_down()

    async def _turn(self, transform: DetectorTransform | AlertingTransform, *names: str) -> None:
        batch = {
            partition: [message for name in names for message in self._new(transform, name, partition)]
            for partition in range(PARTITIONS)
        }
        written = await transform.process({partition: found for partition, found in batch.items() if found})
        for partition, out in written.items():
            offsets = [self.bus.put(dataclasses.replace(message, partition=partition)).offset for message in out]
            transform.committed(partition, out, offsets)

    def _new(self, transform: object, topic: str, partition: int) -> list[Received]:
        place = type(transform).__name__, topic, partition
        found = self.bus.log(topic, partition)[self._read[place] :]
        self._read[place] += len(found)
        return found

    # --- what came of it ---

    def verdicts(self, patient: str) -> list[Verdict]:
        """The verdicts on a patient, in order."""
        return [Verdict.model_validate_json(value) for value in self.about(topics.WINDOWS, patient)]

    def urgent(self, patient: str) -> list[Urgent]:
        """Urgent messages about a patient, in order."""
        return [Urgent.model_validate_json(value) for value in self.about(topics.URGENT, patient)]

    def alerts(self, patient: str) -> list[Alert]:
        """Messages of a patient's alarms, in order."""
        shown = [Alert.model_validate_json(m.value) for m in self.bus.messages(topics.ALERTS) if m.value is not None]
        return [alert for alert in shown if alert.patient == patient]

    def letters(self) -> list[DeadLetter]:
        """All dead letters."""
        return [DeadLetter.model_validate_json(m.value or b"") for m in self.bus.messages(topics.DEAD_LETTERS)]

    def about(self, topic: str, patient: str) -> list[bytes]:
        """The values of a topic's messages under a patient's key."""
        return [m.value or b"" for m in self.bus.messages(topic) if m.key == patient.encode()]

    def progress_bytes(self) -> int:
        """Bytes that are kept for a restart."""
        newest = {
            (topic, m.partition, m.key): len(m.value or b"")
            for topic in (topics.DETECTOR_PROGRESS, topics.ALERTING_PROGRESS)
            for m in self.bus.messages(topic)
        }
        return sum(newest.values())
