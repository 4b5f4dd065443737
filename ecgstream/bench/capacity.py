"""Capacity: so many live patients for so long, on a broker of our own, with real topics and the real models."""

import asyncio
import os
import platform
import time
from collections import defaultdict
from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from prometheus_client.parser import text_string_to_metric_families

from bus import topics
from bus.clients import KafkaReader
from bus.samples import decode
from bus.settings import KafkaSettings
from detector.due import Due, DueWindow, StreamId
from detector.partition_state import PartitionState
from detector.results import results_of
from detector.scorer import Scorer
from ecg.errors import EcgStreamError
from ecg.second_filter import FilteredSignal
from ecg.windows import HOP_S, WINDOW_S
from ecgstream.bench.bench_broker import bench_broker, following
from ecgstream.bench.process_usage import ProcessUsage
from ecgstream.bench.verdict_log import VerdictLog
from ecgstream.children import Command
from models import SHIPPED

START_S = 60.0  # no verdict so long after the start: something is wrong
QUIET_S = 5.0  # nothing waits and no verdict has come for so long: what is missing is lost
SAMPLE_EVERY_S = 1.0
KEPT_UP_MESSAGES = 100  # that may wait at the end with very few patients: the looks are a second apart
KERNEL_WINDOWS = 2000  # windows that the bare loop scores, at most


@dataclass(slots=True)
class _Watch:
    """The detectors, looked at every second.

    Attributes
    ----------
    lag : messages waiting, at each look
    lag_at_end : the same when the last message had been sent
    metrics : the detectors' metrics pages at the last look, one after the other
    judged_before : windows judged before the first look
    """

    usages: list[ProcessUsage]
    detectors: list[Command]
    lag: list[float] = field(default_factory=list)
    lag_at_end: float = 0.0
    metrics: str = ""
    judged_before: int = 0

    @property
    def mean_batch(self) -> int:
        """Return how many windows the detector scored in one call, on average."""
        calls = value_of(self.metrics, "ecgstream_detector_batch_windows_count")
        return max(1, round(value_of(self.metrics, "ecgstream_detector_batch_windows_sum") / max(1.0, calls)))

    @property
    def cpu_s(self) -> float:
        """CPU seconds of all of them between the first and the last look."""
        return sum(usage.cpu_s for usage in self.usages)

    def memory(self) -> dict[str, float]:
        """Return their resident memory together at the first look, the last one, and the most, MB."""
        return {when: round(sum(usage.rss[when] for usage in self.usages), 1) for when in ("start", "end", "max")}

    async def follow(self) -> None:
        """Look, for ever."""
        while True:
            pages = [await asyncio.to_thread(detector.page, "metrics") for detector in self.detectors]
            self.metrics = "\n".join(pages)
            for usage in self.usages:
                usage.sample()
            if not self.lag:
                self.judged_before = int(value_of(self.metrics, "ecgstream_detector_windows_total"))
            self.lag.append(value_of(self.metrics, "ecgstream_detector_lag_messages"))
            await asyncio.sleep(SAMPLE_EVERY_S)


@dataclass(frozen=True, slots=True, kw_only=True)
class CapacityPlan:
    """Plan of a run.

    Attributes
    ----------
    patients, duration_s : how many, and for how long: seconds of record time, which at speed 1 are seconds of wall time
    speed : times real pace, or "max"
    records, data : names of the records that are dealt out, and their folder
    chunk_ms : length of a chunk, ms
    detectors : processes that share the partitions
    """

    patients: int
    duration_s: float
    speed: str = "1"
    records: Sequence[str]
    data: Path
    chunk_ms: int = 250
    detectors: int = 1

    def __post_init__(self) -> None:
        if self.duration_s < WINDOW_S:
            raise EcgStreamError(f"duration={self.duration_s:g} s is below the {WINDOW_S} s of a window: replay longer")

    @property
    def messages_s(self) -> float:
        """Messages of all patients in a second of wall time; at full speed, of record time."""
        pace = 1.0 if self.speed == "max" else float(self.speed)
        return self.patients * pace * 1000 / self.chunk_ms

    @property
    def options(self) -> list[str]:
        """The replay's command line."""
        options = {
            "--patients": self.patients,
            "--speed": self.speed,
            "--duration": self.duration_s,
            "--chunk-ms": self.chunk_ms,
            "--data": self.data,
            "--record": ",".join(self.records),
        }
        return ["replay", "--loop", *(str(word) for option in options.items() for word in option)]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Kernel:
    """Cost of the windows without Kafka.

    Attributes
    ----------
    due : ids of all windows that were due
    cpu_ms : CPU of a window, ms
    """

    due: set[str]
    cpu_ms: float


async def run_capacity(plan: CapacityPlan) -> dict[str, Any]:
    """Replay patients beside the detector and measure.

    Returns
    -------
    the JSON object of ``ecgstream bench capacity --json``

    Raises
    ------
    EcgStreamError : when a service fails
    """
    async with bench_broker() as broker:
        kafka = await broker.kafka()
        async with AsyncExitStack() as stack:
            detectors = [
                await stack.enter_async_context(Command(f"detect-{number}", "detect", kafka=kafka, logs=broker.folder))
                for number in range(plan.detectors)
            ]
            for detector in detectors:
                await detector.ready()
            producer = Command("replay", *plan.options, kafka=kafka, logs=broker.folder)
            verdicts, watch, seconds = await _measure(kafka, producer, detectors)
        kernel = await _bare(kafka, batch=watch.mean_batch)
    return _report(plan, seconds=seconds, verdicts=verdicts, watch=watch, kernel=kernel)


async def _measure(
    kafka: KafkaSettings, producer: Command, detectors: list[Command]
) -> tuple[VerdictLog, _Watch, float]:
    """Let the replay run to its end and the detectors drain what is left."""
    verdicts = VerdictLog()
    watch = _Watch(usages=[ProcessUsage(detector.pid) for detector in detectors], detectors=detectors)
    async with following(kafka, verdicts) as group:
        async with producer:
            await verdicts.wait_for(1, patience_s=START_S, check=producer.check)
            watching = group.create_task(watch.follow())
            began = time.monotonic()
            while producer.running:
                for detector in detectors:
                    await detector.check()
                await asyncio.sleep(SAMPLE_EVERY_S / 5)
            await producer.check()
        seconds = time.monotonic() - began
        watch.lag_at_end = watch.lag[-1] if watch.lag else 0.0
        count, quiet_s = -1, time.monotonic()
        while time.monotonic() - quiet_s < QUIET_S:
            for detector in detectors:
                await detector.check()
            if len(verdicts.verdicts) != count or watch.lag[-1:] != [0.0]:
                count, quiet_s = len(verdicts.verdicts), time.monotonic()
            await asyncio.sleep(SAMPLE_EVERY_S / 5)
        watching.cancel()
    return verdicts, watch, seconds


async def _bare(kafka: KafkaSettings, *, batch: int) -> _Kernel:
    """Decode, step, filter, score and check the samples on the topic in batches like the detector's, without Kafka."""
    scorer, states = Scorer(SHIPPED), defaultdict[int, PartitionState](PartitionState)
    due_ids: set[str] = set()
    waiting: list[Due] = []
    signals: dict[StreamId, FilteredSignal] = {}
    step_s = score_s = 0.0
    scored = ready = 0
    async with KafkaReader(kafka, [topics.SAMPLES], start="beginning") as reader:
        async for message in reader.to_end():
            began_s = time.process_time()
            chunk = decode(message.value, key=message.key)
            due = states[message.partition].accept(chunk, message.offset, now_s=0.0).due
            step_s += time.process_time() - began_s
            windows = [each.id for each in due if isinstance(each, DueWindow)]
            due_ids.update(windows)
            if scored < KERNEL_WINDOWS:
                waiting += due
                ready += len(windows)
            if ready >= batch:
                began_s = time.process_time()
                found = results_of(waiting, scorer, signals)
                score_s += time.process_time() - began_s
                signals |= found.signals
                scored += found.windows
                waiting, ready = [], 0
    return _Kernel(due=due_ids, cpu_ms=1000 * (step_s / max(1, len(due_ids)) + score_s / max(1, scored)))


def _report(
    plan: CapacityPlan, *, seconds: float, verdicts: VerdictLog, watch: _Watch, kernel: _Kernel
) -> dict[str, Any]:
    if not verdicts.latencies_ms:
        raise EcgStreamError(f"no verdict came in {START_S:g} s: see whether the detector judges with 'ecgstream demo'")
    latencies = np.array(verdicts.latencies_ms[plan.patients :] or verdicts.latencies_ms)  # the first hop starts cold
    cpu_ms = watch.cpu_s / max(1, len(verdicts.verdicts) - watch.judged_before) * 1000
    percentiles = {f"p{q}".replace(".", ""): round(float(np.percentile(latencies, q)), 1) for q in (50, 99, 99.9)}
    lost = len(kernel.due - verdicts.verdicts.keys())
    return {
        "patients": plan.patients,
        "detectors": plan.detectors,
        "chunk_ms": plan.chunk_ms,
        "speed": plan.speed,
        "hop_s": HOP_S,
        "duration_s": round(seconds, 1),
        # No more than what came within a second waits when the last message has been sent.
        "kept_up": lost == 0 and watch.lag_at_end <= max(KEPT_UP_MESSAGES, plan.messages_s),
        "windows": len(verdicts.verdicts),
        "expected_windows": len(kernel.due),
        "lost": lost,
        "duplicated": verdicts.duplicated,
        "latency_ms": percentiles | {"max": round(float(latencies.max()), 1)},
        "detector_cpu_s": round(watch.cpu_s, 2),
        "cpu_ms_per_window": round(cpu_ms, 3),
        "kernel_cpu_ms_per_window": round(kernel.cpu_ms, 3),
        "efficiency": round(kernel.cpu_ms / cpu_ms, 3) if cpu_ms else None,
        "mean_batch": watch.mean_batch,
        "lag_messages": {
            "median": float(np.median(watch.lag)),
            "max": max(watch.lag),
            "at_end": watch.lag_at_end,
        },
        "loop_lag_ms": quantiles_ms(watch.metrics, "ecgstream_detector_loop_lag_seconds", {"p50": 0.5, "p999": 0.999}),
        "rss_mb": watch.memory(),
        "machine": machine(),
    }


def machine() -> dict[str, Any]:
    """Return what the figures were measured on."""
    return {
        "processor": platform.processor() or platform.machine(),
        "cores": os.cpu_count(),
        "system": platform.system(),
        "python": platform.python_version(),
    }


def value_of(page: str, name: str) -> float:
    """A metric on a service's page, summed over its labels."""
    return sum(s.value for f in text_string_to_metric_families(page) for s in f.samples if s.name == name)


def quantiles_ms(page: str, name: str, wanted: dict[str, float]) -> dict[str, float | None]:
    """Upper bounds of a histogram's quantiles, in ms: the edge of the bucket that holds each."""
    by_edge = defaultdict[float, float](float)
    for family in text_string_to_metric_families(page):
        for sample in family.samples:
            if sample.name == f"{name}_bucket":
                by_edge[float(sample.labels["le"])] += sample.value
    buckets = sorted(by_edge.items())
    total = buckets[-1][1] if buckets else 0.0
    found: dict[str, float | None] = {}
    for label, quantile in wanted.items():
        edge = next((edge for edge, count in buckets if total and count >= quantile * total), None)
        found[label] = None if edge is None or not np.isfinite(edge) else round(edge * 1000, 3)
    return found
