"""The wall clock, injected: code paces and measures by it, and tests turn it by hand."""

import asyncio
import heapq
import time
from typing import Protocol


class Clock(Protocol):
    """Where a service gets the time from."""

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


class FakeClock:
    """A clock that stands still until ``advance`` moves it, and wakes who waits for the time passed."""

    def __init__(self, *, start_ns: int = 1_700_000_000_000_000_000) -> None:
        self._start_ns = start_ns
        self._elapsed_s = 0.0
        self._sleepers: list[tuple[float, int, asyncio.Future[None]]] = []
        self._order = 0

    def now_ns(self) -> int:
        """The start plus all that ``advance`` has moved."""
        return self._start_ns + round(self._elapsed_s * 1e9)

    def monotonic_s(self) -> float:
        """All that ``advance`` has moved, in seconds."""
        return self._elapsed_s

    async def sleep(self, seconds: float) -> None:
        """Wait until ``advance`` has moved the clock that far."""
        if seconds <= 0:
            await asyncio.sleep(0)
            return
        wake: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        heapq.heappush(self._sleepers, (self._elapsed_s + seconds, self._order, wake))
        self._order += 1
        await wake

    async def advance(self, seconds: float) -> None:
        """Move the clock, waking each sleeper at its own time, in order."""
        target = self._elapsed_s + seconds
        while self._sleepers and self._sleepers[0][0] <= target:
            self._elapsed_s, _, wake = heapq.heappop(self._sleepers)
            if not wake.done():
                wake.set_result(None)
            for _ in range(5):  # let the woken task run up to its next wait
                await asyncio.sleep(0)
        self._elapsed_s = target
        await asyncio.sleep(0)
