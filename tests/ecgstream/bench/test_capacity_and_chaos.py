"""Capacity and chaos: short runs of the real thing. What they measure in time is not judged here."""

import asyncio
from pathlib import Path

import pytest

from ecg.errors import EcgStreamError
from ecg.wfdb_files import TOY_NAME, toy_record
from ecgstream.bench import live
from ecgstream.bench.capacity import CapacityPlan, run_capacity
from ecgstream.bench.chaos import ChaosPlan, run_chaos

pytestmark = pytest.mark.broker


def test_capacity_counts_every_window_once(tmp_path: Path) -> None:
    plan = CapacityPlan(patients=8, duration_s=60, speed="10", records=[TOY_NAME], data=tmp_path)
    report = asyncio.run(run_capacity(plan))
    assert (report["expected_windows"], report["windows"]) == (96, 96)
    assert (report["lost"], report["duplicated"]) == (0, 0)
    assert report["kernel_cpu_ms_per_window"] > 0
    assert report["detector_cpu_s"] > 0
    assert set(report["latency_ms"]) == {"p50", "p99", "p999", "max"}


def test_many_browsers_are_judge_record_every_alarm_and_fast_ones_have_every_sample(
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


def test_no_window_is_no_measurement(tmp_path: Path) -> None:
    with pytest.raises(EcgStreamError, match="duration=3 s is below the 5 s of a window"):
        CapacityPlan(patients=8, duration_s=3, records=[TOY_NAME], data=tmp_path)


def test_nothing_is_lost_doubled_or_changed_when_things_die() -> None:
    plan = ChaosPlan(faults=3, seed=3, kinds=("sigkill", "broker_restart", "duplicate_send"), patients=4, record_s=120)
    report = asyncio.run(run_chaos(plan, [toy_record()]))
    assert sum(report["faults"].values()) == 3
    assert report["expected"] == 96
    assert (report["lost"], report["duplicated"], report["different"], report["unexpected"]) == (0, 0, 0, 0)


def test_unknown_fault_is_refused() -> None:
    with pytest.raises(EcgStreamError, match=r"kinds=flood .* choose from sigkill"):
        ChaosPlan(faults=1, seed=0, kinds=("flood",))
