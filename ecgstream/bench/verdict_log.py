"""Log of the verdicts as a read_committed subscriber sees them: which came, when, and which came twice."""

import time
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from bus import topics
from bus.interfaces import Received
from bus.messages import Verdict
from detector.publishing import INGEST_HEADER
from ecgstream.bench.bench_broker import all_come


@dataclass(slots=True)
class VerdictLog:
    """The verdicts read so far.

    Attributes
    ----------
    verdicts : by id, the first of each
    duplicated, again : how many came again, and by patient
    latencies_ms : for each verdict in order, from its last message handed to the broker to being read here
    came_s, ingested_s : monotonic time of reading, and wall time of the last message handed over, per verdict
    """

    verdicts: dict[str, Verdict] = field(default_factory=dict)
    duplicated: int = 0
    again: Counter[str] = field(default_factory=Counter)
    latencies_ms: list[float] = field(default_factory=list)
    ingested_s: list[float] = field(default_factory=list)
    came_s: list[float] = field(default_factory=list)
    topic: str = topics.WINDOWS

    def take(self, message: Received) -> None:
        """Note one verdict."""
        now_s, ingest_ms = time.time(), int(dict(message.headers)[INGEST_HEADER])
        verdict = Verdict.model_validate_json(message.value or b"")
        if verdict.id in self.verdicts:
            self.duplicated += 1
            self.again[verdict.patient] += 1
            return
        self.verdicts[verdict.id] = verdict
        self.latencies_ms.append(now_s * 1000 - ingest_ms)
        self.ingested_s.append(ingest_ms / 1000)
        self.came_s.append(now_s)

    async def wait_for(self, count: int, *, patience_s: float, check: Callable[[], Awaitable[None]]) -> None:
        """Return when ``count`` different verdicts have come, or none has for ``patience_s`` seconds."""
        await all_come(
            lambda: len(self.verdicts) >= count, lambda: len(self.verdicts), patience_s=patience_s, check=check
        )
