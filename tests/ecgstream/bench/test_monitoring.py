"""All services scraped for a short while; what is measured in time is not judged here."""

import asyncio
from pathlib import Path

import pytest

from ecg.wfdb_files import TOY_NAME
from ecgstream.bench.capacity import CapacityPlan
from ecgstream.bench.monitoring import run_monitoring

pytestmark = pytest.mark.broker
MOST_SERIES = 2000  # of a service, however many patients there are


def test_every_service_is_scraped_and_has_few_series(tmp_path: Path) -> None:
    plan = CapacityPlan(patients=4, duration_s=5, records=[TOY_NAME], data=tmp_path)
    report = asyncio.run(run_monitoring(plan, warm_s=1.0, every_s=1.0))
    assert set(report["services"]) == {"web", "detect", "alert", "replay"}
    for service in report["services"].values():
        assert service["scrapes"] > 1
        assert 0 < service["series"]["max"] < MOST_SERIES
        assert service["scrape_ms"]["p50"] > 0
