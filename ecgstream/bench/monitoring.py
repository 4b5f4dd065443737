"""Cost of being watched: how long a scrape of each service takes, how many series it has, and whether they grow."""

import asyncio
import time
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from ecg.errors import EcgStreamError
from ecgstream.bench.bench_broker import watched_ward
from ecgstream.bench.capacity import CapacityPlan, machine
from ecgstream.bench.process_usage import ProcessUsage
from ecgstream.children import Command

SCRAPE_EVERY_S = 5.0  # as monitoring/prometheus/prometheus.yml has it
WARM_S = 30.0  # series of decisions, priorities and codes appear with the first of each
SPARE_S = 60.0  # the replay goes on behind the measurement


@dataclass(slots=True)
class _Scraped:
    """Scrapes of a service: how long each took, its series, and its process's memory."""

    service: Command
    usage: ProcessUsage
    scrape_ms: list[float] = field(default_factory=list)
    series: list[int] = field(default_factory=list)
    names: set[str] = field(default_factory=set)
    added: set[str] = field(default_factory=set)

    def scrape(self) -> None:
        """Scrape once; blocks."""
        began_s = time.perf_counter()
        page = self.service.page("metrics")
        self.scrape_ms.append(1e3 * (time.perf_counter() - began_s))
        found = {line.rpartition(" ")[0] for line in page.splitlines() if line and not line.startswith("#")}
        self.series.append(len(found))
        if self.names:
            self.added |= found - self.names
        self.names |= found
        self.usage.sample()

    def report(self) -> dict[str, Any]:
        """Return its part of the report; the middle is when half of the scrapes were done."""
        half = len(self.series) // 2
        return {
            "scrapes": len(self.scrape_ms),
            "scrape_ms": {
                "p50": round(float(np.median(self.scrape_ms)), 1),
                "p99": round(float(np.percentile(self.scrape_ms, 99)), 1),
                "max": round(max(self.scrape_ms), 1),
            },
            "series": {
                "start": self.series[0],
                "middle": self.series[half],
                "end": self.series[-1],
                "max": max(self.series),
            },
            "series_added": sorted(self.added),
            "rss_mb": self.usage.rss | {"middle": round(self.usage.rss_mb[half], 1)},
        }


async def run_monitoring(
    plan: CapacityPlan, *, warm_s: float = WARM_S, every_s: float = SCRAPE_EVERY_S
) -> dict[str, Any]:
    """Replay patients through all services, and scrape each of these as Prometheus does.

    Parameters
    ----------
    plan : who is replayed; ``duration_s`` is how long it is scraped
    warm_s : how long before that
    every_s : from one scrape to the next

    Returns
    -------
    the JSON object of ``ecgstream bench monitoring --json``

    Raises
    ------
    EcgStreamError : when a service fails
    """
    longer = replace(plan, duration_s=plan.duration_s + warm_s + SPARE_S)
    async with watched_ward(longer.options) as ward:
        await asyncio.sleep(warm_s)
        watched = {each.name: _Scraped(each, ProcessUsage(each.pid)) for each in ward.services}
        loop = asyncio.get_running_loop()
        began_s = loop.time()
        while loop.time() - began_s < plan.duration_s:
            await ward.check()
            for each in watched.values():
                await asyncio.to_thread(_scrape, each)
            await asyncio.sleep(every_s)
    return {
        "patients": plan.patients,
        "duration_s": plan.duration_s,
        "services": {name: each.report() for name, each in watched.items()},
        "machine": machine(),
    }


def _scrape(service: _Scraped) -> None:
    try:
        service.scrape()
    except OSError as error:
        raise EcgStreamError(
            f"a service did not answer a scrape: {error}: see what else runs on this machine"
        ) from error
