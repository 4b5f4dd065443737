"""Account of what was sent and judged: which verdicts are due, which came, and how late."""

import sys
from collections import Counter
from dataclasses import dataclass, field

import numpy as np

from bus.messages import Alert, Verdict
from bus.samples import Chunk
from detector.due import DueWindow
from detector.partition_state import PartitionState

WindowKey = tuple[str, int, int]  # patient, start of the stream ns, number of the window


@dataclass(slots=True)
class Ledger:
    """Keeps account of a run.

    Which verdicts are due is found by the detector's own pure core on the samples as they lie on the topic; how the
    verdicts came is what the real detector did.

    Attributes
    ----------
    samples : samples sent; those of all leads of one instant count once
    latencies_ms : by verdict, from the last sample handed to the broker to the verdict read, ms
    """

    samples: int = 0
    latencies_ms: list[float] = field(default_factory=list)
    _due: set[WindowKey] = field(default_factory=set)
    _verdicts: Counter[WindowKey] = field(default_factory=Counter)
    _abnormal: set[WindowKey] = field(default_factory=set)
    _anomalies: Counter[WindowKey] = field(default_factory=Counter)
    _alerts: set[str] = field(default_factory=set)
    _patients: set[str] = field(default_factory=set)
    _state: PartitionState = field(default_factory=lambda: PartitionState(max_patients=sys.maxsize))

    def sent(self, chunk: Chunk, offset: int) -> None:
        """Note a chunk that lies on the samples topic."""
        self.samples += len(chunk.samples)
        self._patients.add(chunk.patient)
        due = self._state.accept(chunk, offset, now_s=0.0).due
        windows = (each for each in due if isinstance(each, DueWindow))
        self._due.update((window.stream.patient, window.stream.start_ns, window.window) for window in windows)

    def judged(self, verdict: Verdict, latency_ms: float | None) -> None:
        """Note a verdict, and how late it was read."""
        key = _key(verdict)
        self._verdicts[key] += 1
        if verdict.decision == "abnormal":
            self._abnormal.add(key)
        if latency_ms is not None:
            self.latencies_ms.append(latency_ms)

    def reported(self, anomaly: Verdict) -> None:
        """Note an anomaly."""
        self._anomalies[_key(anomaly)] += 1

    def alerted(self, alert: Alert) -> None:
        """Note a message about an alert."""
        self._alerts.add(alert.id)

    @property
    def missing(self) -> int:
        """Return how many windows have all their samples sent and miss a verdict, or their anomaly."""
        return len((self._due - self._verdicts.keys()) | (self._abnormal - self._anomalies.keys()))

    @property
    def windows(self) -> int:
        """Return how many windows were judged."""
        return len(self._verdicts)

    @property
    def anomalies(self) -> int:
        """Return how many of them are abnormal."""
        return len(self._anomalies)

    @property
    def alerts(self) -> int:
        """Return how many alerts have started."""
        return len(self._alerts)

    @property
    def duplicated(self) -> int:
        """Return how many verdicts and anomalies came once too often."""
        return sum(count - 1 for counts in (self._verdicts, self._anomalies) for count in counts.values())

    def latency_ms(self, percent: float) -> float | None:
        """A percentile of the latencies, ms; None before the first verdict."""
        return round(float(np.percentile(self.latencies_ms, percent)), 1) if self.latencies_ms else None

    def summary(self) -> dict[str, object]:
        """The account as the demo's JSON has it."""
        return {
            "patients": len(self._patients),
            "samples": self.samples,
            "windows": self.windows,
            "anomalies": self.anomalies,
            "alerts": self.alerts,
            "latency_ms": {"p50": self.latency_ms(50), "p99": self.latency_ms(99)},
            "lost": self.missing,
            "duplicated": self.duplicated,
        }


def _key(verdict: Verdict) -> WindowKey:
    return verdict.patient, verdict.stream_start_ns, verdict.window
