"""The ward page under load: frames a second, memory, the server's CPU, and how old a sample is on the screen."""

import asyncio
import os
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import psutil

from ecg.errors import EcgStreamError
from ecgstream.bench.bench_broker import watched_ward
from ecgstream.bench.capacity import CapacityPlan, machine
from ecgstream.bench.chromium import chromium
from ecgstream.bench.process_usage import ProcessUsage
from ecgstream.children import Command
from ops.processes import number_here, number_in_proc

if TYPE_CHECKING:
    from playwright.async_api import CDPSession, Page

SHOWN_S = 60.0  # patients that are not on the page by then never will be
WARM_S = 15.0  # before anything is measured: all patients are there, the code is compiled
SPARE_S = 60.0  # the replay goes on behind the measurement: services and page need time to start
SAMPLE_EVERY_S = 1.0
SLICE_S = 5.0  # the page keeps its last 512 figures only: they are read and cleared so often
SIZE = {"width": 1920, "height": 1080}
# The frames of the whole measurement, counted beside what the page says of itself.
_COUNT = """() => {
  const seen = (globalThis.benchFrames = []);
  const frame = (now) => { seen.push(now); requestAnimationFrame(frame); };
  requestAnimationFrame(frame);
}"""
_INTERVALS = "() => globalThis.benchFrames.slice(1).map((now, at) => now - globalThis.benchFrames[at])"
_FIGURES = "() => { const told = globalThis.ecgstream.figures; globalThis.ecgstream.clear(); return told; }"


@dataclass(slots=True)
class _Samples:
    """Figures of the page while it ran.

    Attributes
    ----------
    heap_mb : JavaScript's memory after a collection, at the start and at the end, MB
    slices : the page's own figures, one every few seconds
    intervals_ms : from each frame to the next
    browser_cpu_s : CPU of all the browser's processes at the start and at the end, s
    """

    heap_mb: list[float] = field(default_factory=list)
    slices: list[dict[str, Any]] = field(default_factory=list)
    intervals_ms: list[float] = field(default_factory=list)
    browser_cpu_s: list[float] = field(default_factory=list)


async def run_page(plan: CapacityPlan) -> dict[str, Any]:
    """Watch a ward of replayed patients with a browser and measure.

    Parameters
    ----------
    plan : who is replayed; ``duration_s`` is how long it is measured

    Returns
    -------
    the JSON object of ``ecgstream bench page --json``

    Raises
    ------
    NoBrowserError : when there is no browser
    EcgStreamError : when a service fails, or the page does not show every patient
    """
    longer = replace(plan, duration_s=plan.duration_s + WARM_S + SPARE_S)
    async with chromium() as browser, watched_ward(longer.options) as ward:
        page = await browser.new_page(viewport=SIZE)  # type: ignore[arg-type]  # its own type of dictionary
        await page.goto(f"http://{ward.address}/")
        samples, server, renderer = await _measure(page, ward.web, plan)
        await ward.check()
    return _report(plan, samples, server, renderer)


async def _measure(page: "Page", web: Command, plan: CapacityPlan) -> tuple[_Samples, ProcessUsage, ProcessUsage]:
    shown = 0
    try:
        async with asyncio.timeout(SHOWN_S):
            while shown < plan.patients:
                await asyncio.sleep(SAMPLE_EVERY_S)
                shown = await page.locator(".ward .tile").count()
    except TimeoutError as error:
        raise EcgStreamError(
            f"the page shows {shown} of {plan.patients} patients after {SHOWN_S:g} s: see what else runs here"
        ) from error
    await asyncio.sleep(WARM_S)
    tools = await page.context.new_cdp_session(page)
    samples, server, renderer = _Samples(), ProcessUsage(web.pid), ProcessUsage(_renderer())
    samples.heap_mb.append(await _heap_mb(tools))
    samples.browser_cpu_s.append(_browser_cpu_s())
    await page.evaluate(_FIGURES)
    await page.evaluate(_COUNT)
    loop = asyncio.get_running_loop()
    began_s = sliced_s = loop.time()
    while (now_s := loop.time()) - began_s < plan.duration_s:
        server.sample()
        renderer.sample()
        if now_s - sliced_s >= SLICE_S:
            sliced_s = now_s
            samples.slices.append(await page.evaluate(_FIGURES))
        await asyncio.sleep(SAMPLE_EVERY_S)
    server.sample()
    renderer.sample()
    samples.browser_cpu_s.append(_browser_cpu_s())
    samples.intervals_ms = await page.evaluate(_INTERVALS)
    samples.heap_mb.append(await _heap_mb(tools))
    return samples, server, renderer


def _browser_processes() -> list[psutil.Process]:
    """The processes of the browser; each but the first says of what type it is."""
    children = psutil.Process(number_in_proc(os.getpid())).children(recursive=True)
    return [child for child in children if "chrom" in child.name()]


def _browser_cpu_s() -> float:
    times = [process.cpu_times() for process in _browser_processes()]
    return sum(each.user + each.system for each in times)


def _renderer() -> int:
    """The process that draws the page: the one of its kind that has used most CPU."""
    drawing = [process for process in _browser_processes() if "--type=renderer" in " ".join(process.cmdline())]
    return number_here(max(drawing, key=lambda process: process.cpu_times().user).pid)


async def _heap_mb(tools: "CDPSession") -> float:
    await tools.send("HeapProfiler.collectGarbage")
    usage: dict[str, float] = await tools.send("Runtime.getHeapUsage")
    return round(usage["usedSize"] / 1e6, 2)


def _report(plan: CapacityPlan, samples: _Samples, server: ProcessUsage, renderer: ProcessUsage) -> dict[str, Any]:
    intervals = sorted(samples.intervals_ms)
    seconds = sum(intervals) / 1000
    ages = [slice_["sample_age_ms"] for slice_ in samples.slices if slice_["sample_age_ms"]["p95"] is not None]
    draws = [slice_["draw_ms"]["p95"] for slice_ in samples.slices if slice_["draw_ms"]["p95"] is not None]
    return {
        "patients": plan.patients,
        "chunk_ms": plan.chunk_ms,
        "duration_s": round(seconds, 1),
        "frames_per_s": round(len(intervals) / seconds, 1),
        "frame_ms": {"p50": _at(intervals, 0.5), "p95": _at(intervals, 0.95), "max": _at(intervals, 1.0)},
        "draw_ms_p95": _at(sorted(draws), 0.5),
        # Of the patient whose newest sample on the screen is oldest, in the median and in the worst slice of 5 s.
        "sample_to_screen_beyond_chunk_ms": {
            "p50": _at(sorted(each["p50"] for each in ages), 0.5),
            "p95": _at(sorted(each["p95"] for each in ages), 0.5),
            "p95_worst": _at(sorted(each["p95"] for each in ages), 1.0),
        },
        "heap_mb": {"start": samples.heap_mb[0], "end": samples.heap_mb[-1]},
        "renderer_rss_mb": renderer.rss,
        "renderer_cpu_share": round(renderer.cpu_s / seconds, 3),
        "browser_cpu_share": round((samples.browser_cpu_s[-1] - samples.browser_cpu_s[0]) / seconds, 3),
        "server_cpu_share": round(server.cpu_s / seconds, 3),
        "server_rss_mb": server.rss,
        "machine": machine(),
    }


def _at(values: list[float], share: float) -> float | None:
    """A quantile of sorted values."""
    return round(values[min(len(values) - 1, int(share * len(values)))], 1) if values else None
