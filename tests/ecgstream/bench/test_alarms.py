"""The bench of alarms and channels, as short as it can be."""

import pytest

from ecgstream.bench.alarms import AlarmBenchPlan, run_alarms


@pytest.mark.broker
async def test_every_alarm_comes_whatever_the_channels_do() -> None:
    report = await run_alarms(AlarmBenchPlan(alarms_per_hour=360, duration_s=5, slow_s=0.2))
    for run in ("without_channels", "with_channels"):
        assert (report[run]["alarms"], report[run]["lost"]) == (1, 0)
        assert report[run]["latency_ms"]["p99"] > 0
    deliveries = report["with_channels"]["deliveries"]
    assert deliveries["good"]["done"] == 1
    assert deliveries["good"]["waiting"] == deliveries["dead"]["done"] == 0
