"""Measurements of a running service: how late its event loop wakes, and the state of its gauges."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable

from prometheus_client import Histogram

from ops.clock import Clock

LOOP_PROBE_S = 0.05  # how often the event loop's lag is measured
GAUGES_EVERY_S = 1.0


@contextlib.asynccontextmanager
async def probing(*, clock: Clock, loop_lag: Histogram, gauges: Callable[[], None]) -> AsyncIterator[None]:
    """Measure while in ``async with``.

    Parameters
    ----------
    clock : the clock that both follow
    loop_lag : where the event loop's lag goes, seconds
    gauges : brings the service's gauges up to date; called every second
    """
    probes = [asyncio.create_task(_loop_lag(clock, loop_lag)), asyncio.create_task(_gauges(clock, gauges))]
    try:
        yield
    finally:
        for probe in probes:
            probe.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await probe


async def _loop_lag(clock: Clock, histogram: Histogram) -> None:
    while True:
        began_s = clock.monotonic_s()
        await clock.sleep(LOOP_PROBE_S)
        histogram.observe(max(0.0, clock.monotonic_s() - began_s - LOOP_PROBE_S))


async def _gauges(clock: Clock, gauges: Callable[[], None]) -> None:
    while True:
        gauges()
        await clock.sleep(GAUGES_EVERY_S)
