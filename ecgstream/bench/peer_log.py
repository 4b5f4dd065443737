"""Log of the verdicts of any detector, a peer's or the product's, as a read_committed subscriber sees them."""

import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from statistics import median
from typing import Any

import numpy as np

from bus import topics
from bus.interfaces import Received
from detector.publishing import INGEST_HEADER

SAME = 1e-6  # scores that differ by more are different
KEPT_UP_MS = 2000.0  # who keeps up needs no half of it; who falls a tenth behind needs more after half a minute
WARM_UP = "warm-up"  # patient of whom windows are judged before anything is measured


@dataclass(slots=True)
class ScoreLog:
    """The verdicts read so far, those on the warm-up's patient aside.

    Attributes
    ----------
    warm : verdicts on the warm-up's patient
    scores : by window id, the CNN's score of the first verdict
    doubled : verdicts on windows that had one
    latencies_ms : for each window in order, from the timestamp of the message that completed it to the verdict read
    ingested_s, came_s : wall time of both
    """

    warm: int = 0
    scores: dict[str, float | None] = field(default_factory=dict)
    doubled: int = 0
    latencies_ms: list[float] = field(default_factory=list)
    ingested_s: list[float] = field(default_factory=list)
    came_s: list[float] = field(default_factory=list)
    topic: str = topics.WINDOWS

    def take(self, message: Received) -> None:
        """Note one verdict."""
        now_s = time.time()
        fields = json.loads(message.value or b"{}")
        if fields["patient"] == WARM_UP:
            self.warm += 1
            return
        if fields["id"] in self.scores:
            self.doubled += 1
            return
        # The product says it in a header, the peers in the verdict.
        ingest_ms = int(dict(message.headers).get(INGEST_HEADER) or fields["ingest_ms"])
        self.scores[fields["id"]] = fields["cnn"]
        self.latencies_ms.append(now_s * 1000 - ingest_ms)
        self.ingested_s.append(ingest_ms / 1000)
        self.came_s.append(now_s)


def lost(expected: Mapping[str, float | None], log: ScoreLog) -> int:
    """Return how many windows that were due have no verdict."""
    return len(expected.keys() - log.scores.keys())


def different(expected: Mapping[str, float | None], log: ScoreLog) -> int:
    """Return how many verdicts have another score than the samples give, or are on a window that was not due."""
    return sum(not (number in expected and _same(expected[number], score)) for number, score in log.scores.items())


def _same(expected: float | None, found: float | None) -> bool:
    if expected is None or found is None:
        return expected is found
    return abs(expected - found) <= SAME


def kept_up(latencies_ms: Sequence[float]) -> bool:
    """Return whether the last third of the verdicts came in good time."""
    third = len(latencies_ms) // 3
    return third > 0 and median(latencies_ms[-third:]) <= KEPT_UP_MS


def silence_s(killed_s: float, log: ScoreLog) -> float | None:
    """Return how long after a kill the first verdict came whose samples came after it; None where none did."""
    came = [came for came, ingested in zip(log.came_s, log.ingested_s, strict=True) if ingested >= killed_s]
    return round(min(came) - killed_s, 1) if came else None


def latency_ms(log: ScoreLog) -> dict[str, float]:
    """Return percentiles of the latencies, ms."""
    values = np.array(log.latencies_ms)
    found: dict[str, Any] = {f"p{q}": round(float(np.percentile(values, q)), 1) for q in (50, 99)}
    return found | {"max": round(float(values.max()), 1)}
