"""Log of the verdicts as a read_committed subscriber sees them: which came, when, and which came twice."""

import asyncio
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from bus import topics
from bus.clients import KafkaReader
from bus.messages import Verdict
from bus.settings import KafkaSettings
from detector.transform import INGEST_HEADER

IDLE_S = 0.2


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

    def add(self, value: bytes, ingest_ms: int, *, now_s: float) -> None:
        """Note one message of ``ecg.windows``."""
        verdict = Verdict.model_validate_json(value)
        if verdict.id in self.verdicts:
            self.duplicated += 1
            self.again[verdict.patient] += 1
            return
        self.verdicts[verdict.id] = verdict
        self.latencies_ms.append(now_s * 1000 - ingest_ms)
        self.ingested_s.append(ingest_ms / 1000)
        self.came_s.append(now_s)

    async def follow(self, kafka: KafkaSettings, started: asyncio.Event) -> None:
        """Read verdicts from the beginning, for ever; sets ``started`` once the reader stands."""
        async with KafkaReader(kafka, [topics.WINDOWS], start="beginning") as reader:
            started.set()
            async for message in reader:
                if message.value is not None:
                    self.add(message.value, int(dict(message.headers)[INGEST_HEADER]), now_s=time.time())

    async def wait_for(self, count: int, *, patience_s: float, check: Callable[[], Awaitable[None]]) -> None:
        """Return when ``count`` different verdicts have come, or none has for ``patience_s`` seconds."""
        seen, since_s = -1, time.monotonic()
        while len(self.verdicts) < count:
            await check()
            if len(self.verdicts) > seen:
                seen, since_s = len(self.verdicts), time.monotonic()
            elif time.monotonic() - since_s > patience_s:
                return
            await asyncio.sleep(IDLE_S)
