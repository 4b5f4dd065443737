"""The wall clock, injected: code paces and measures by it, and tests turn one by hand (``bus.testing.FakeClock``)."""

import asyncio
import time
from typing import Protocol


class Clock(Protocol):
    """A service's clock."""

    def now_ns(self) -> int:
        """Wall time, integer nanoseconds UTC."""

    def monotonic_s(self) -> float:
        """Seconds on a clock that never jumps; only differences mean anything."""

    async def sleep(self, seconds: float) -> None:
        """Wait that long on this clock."""


class SystemClock:
    """The machine's clock."""

    def now_ns(self) -> int:
        """Wall time, integer nanoseconds UTC."""
        return time.time_ns()

    def monotonic_s(self) -> float:
        """Seconds on the machine's monotonic clock."""
        return time.monotonic()

    async def sleep(self, seconds: float) -> None:
        """Wait that long."""
        await asyncio.sleep(max(0.0, seconds))
