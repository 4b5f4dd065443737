from prometheus_client import CollectorRegistry, Histogram

from bus.testing import FakeClock
from ops.probes import GAUGES_EVERY_S, LOOP_PROBE_S, probing


async def test_gauges_are_brought_up_to_date_every_second_and_lag_is_measured() -> None:
    clock, registry, calls = FakeClock(), CollectorRegistry(), []
    histogram = Histogram("lag_seconds", "how late", buckets=(0.1, 1.0), registry=registry)
    async with probing(clock=clock, loop_lag=histogram, gauges=lambda: calls.append(clock.monotonic_s())):
        await clock.advance(0)
        await clock.advance(3 * GAUGES_EVERY_S)
    assert calls == [0.0, GAUGES_EVERY_S, 2 * GAUGES_EVERY_S, 3 * GAUGES_EVERY_S]
    assert registry.get_sample_value("lag_seconds_count") == 3 * GAUGES_EVERY_S / LOOP_PROBE_S
    assert registry.get_sample_value("lag_seconds_bucket", {"le": "0.1"}) == 3 * GAUGES_EVERY_S / LOOP_PROBE_S
