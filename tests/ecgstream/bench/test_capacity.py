"""A short run of the capacity bench; what it measures in time is not judged here."""

import asyncio
from pathlib import Path

import pytest

from ecg.errors import EcgStreamError
from ecg.wfdb_files import TOY_NAME
from ecgstream.bench.capacity import CapacityPlan, run_capacity

pytestmark = pytest.mark.broker


def test_capacity_counts_every_window_once(tmp_path: Path) -> None:
    plan = CapacityPlan(patients=8, duration_s=60, speed="10", records=[TOY_NAME], data=tmp_path, detectors=2)
    report = asyncio.run(run_capacity(plan))
    assert (report["expected_windows"], report["windows"]) == (96, 96)
    assert (report["lost"], report["duplicated"]) == (0, 0)
    assert report["kernel_cpu_ms_per_window"] > 0
    assert report["detector_cpu_s"] > 0
    assert set(report["latency_ms"]) == {"p50", "p99", "p999", "max"}


def test_no_window_is_no_measurement(tmp_path: Path) -> None:
    with pytest.raises(EcgStreamError, match="duration=3 s is below the 5 s of a window"):
        CapacityPlan(patients=8, duration_s=3, records=[TOY_NAME], data=tmp_path)
