"""Many browsers for a short while; what is measured in time is not judged here."""

import asyncio
from pathlib import Path

import pytest

from ecg.wfdb_files import TOY_NAME
from ecgstream.bench import live
from ecgstream.bench.capacity import CapacityPlan

pytestmark = pytest.mark.broker


def test_many_browsers_are_told_of_every_alarm_and_fast_ones_have_every_sample(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(live, "WARM_S", 1.0)
    plan = CapacityPlan(patients=4, duration_s=6, records=[TOY_NAME], data=tmp_path)
    report = asyncio.run(live.run_live(plan, clients=10))
    assert report["clients"] == {"fast": 9, "slow": 1}
    assert report["frames"] > 9 * 4
    assert report["fast_clients"]["samples_not_received"] == report["fast_clients"]["without_samples"] == 0
    alarms = report["alarms"]
    assert alarms["messages"] > 0
    assert (alarms["lost"], alarms["doubled"], alarms["streams_without_hello"]) == (0, 0, 0)
