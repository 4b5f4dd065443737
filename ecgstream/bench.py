"""Capacity: so many live patients for so long, on a broker of our own, with real topics and the real models."""

import asyncio
import os
import platform
import tempfile
import time
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from prometheus_client.parser import text_string_to_metric_families

from bus import topics
from bus.broker import LocalBroker
from bus.clients import KafkaReader, create_topics
from bus.interfaces import Received
from bus.samples import decode
from bus.settings import KafkaSettings
from detector.scorer import Scorer
from detector.ward import Ward
from ecg.windows import HOP_S
from ecgstream.children import Command
from ecgstream.process_usage import ProcessUsage
from ecgstream.verdict_log import VerdictLog
from models import SHIPPED

PATIENCE_S = 20.0  # no verdict for so long: what is missing is lost
LOOK_EVERY_S = 1.0
SETTLE_S = 10.0  # first figures are taken after the start's burst
KERNEL_WINDOWS = 2000  # windows that the bare loop is measured on, at most
SLICE_MS = 250  # the bare loop takes messages in slices of that length, as a live detector would


@dataclass(slots=True)
class _Watch:
    """The detector, looked at every second.

    Attributes
    ----------
    lag : messages waiting, at each look
    metrics : the detector's metrics page at the last look
    """

    usage: ProcessUsage
    detector: Command
    lag: list[float] = field(default_factory=list)
    metrics: str = ""

    async def follow(self) -> None:
        """Look, for ever."""
        while True:
            self.metrics = await asyncio.to_thread(self.detector.page, "metrics")
            self.usage.look()
            self.lag.append(_value(self.metrics, "ecgstream_detector_lag_messages"))
            await asyncio.sleep(LOOK_EVERY_S)


async def run_capacity(
    *, patients: int, duration_s: float, records: Sequence[str], data: Path | None, chunk_ms: int = 250
) -> dict[str, Any]:
    """Replay live patients beside one detector and measure.

    Parameters
    ----------
    patients, duration_s : how many, and seconds of wall time
    records, data : names of the records that are dealt out, and their folder
    chunk_ms : length of a chunk, ms

    Returns
    -------
    the JSON object of ``ecgstream bench capacity --json``

    Raises
    ------
    EcgStreamError : when a service ends by itself
    """
    with tempfile.TemporaryDirectory(prefix="ecgstream-bench-") as name:
        folder = Path(name)
        async with LocalBroker() as broker:
            kafka = KafkaSettings(_env_file=None, bootstrap_servers=broker.bootstrap)
            await create_topics(kafka)
            words = ["replay", "--patients", str(patients), "--speed", "1", "--loop", "--chunk-ms", str(chunk_ms)]
            words += [word for record in records for word in ("--record", record)]
            words += ["--data", str(data)] if data else []
            producer = Command("replay", *words, kafka=kafka, logs=folder)
            async with Command("detect", "detect", kafka=kafka, logs=folder) as detector:
                await detector.ready()
                verdicts, watch, seconds = await _measure(kafka, producer, detector, duration_s)
            windows, kernel_cpu_s, kernel_windows = await _account(kafka)
    return _report(
        patients=patients,
        duration_s=seconds,
        verdicts=verdicts,
        watch=watch,
        due=windows,
        kernel_ms=kernel_cpu_s / max(1, kernel_windows) * 1000,
    )


async def _measure(
    kafka: KafkaSettings, producer: Command, detector: Command, duration_s: float
) -> tuple[VerdictLog, _Watch, float]:
    verdicts, started = VerdictLog(), asyncio.Event()
    watch = _Watch(usage=ProcessUsage(detector.pid), detector=detector)
    async with asyncio.TaskGroup() as group:
        following = group.create_task(verdicts.follow(kafka, started))
        await started.wait()
        began = time.monotonic()
        async with producer:
            await verdicts.wait_for(1, patience_s=60.0, check=producer.check)
            watching = group.create_task(watch.follow())
            while time.monotonic() - began < duration_s:
                await producer.check()
                await detector.check()
                await asyncio.sleep(0.2)
        seconds = time.monotonic() - began
        sent = await _sent_windows(kafka)
        await verdicts.wait_for(sent, patience_s=PATIENCE_S, check=detector.check)
        watching.cancel()
        following.cancel()
    return verdicts, watch, seconds


async def _sent_windows(kafka: KafkaSettings) -> int:
    """How many whole windows lie on the samples topic."""
    ends: dict[str, float] = defaultdict(float)
    async with KafkaReader(kafka, [kafka.topic(topics.SAMPLES)], start="beginning") as reader:
        async for message in reader.to_end():
            chunk = decode(message.value)
            ends[chunk.patient] = max(ends[chunk.patient], chunk.end_index / chunk.fs_hz)
    return sum(int(end_s // HOP_S) for end_s in ends.values())


async def _account(kafka: KafkaSettings) -> tuple[set[str], float, int]:
    """The ids of all windows that were due, and the CPU of a bare loop over the same samples.

    The bare loop decodes, steps and scores the same windows in batches like a live detector's, with no Kafka, no
    event loop and no messages to write.
    """
    by_partition: dict[int, list[Received]] = defaultdict(list)
    async with KafkaReader(kafka, [kafka.topic(topics.SAMPLES)], start="beginning") as reader:
        async for message in reader.to_end():
            by_partition[message.partition].append(message)
    messages = sorted((m for part in by_partition.values() for m in part), key=lambda m: m.timestamp_ms)
    scorer, ward = Scorer(SHIPPED), Ward()
    slices: dict[int, list[Received]] = defaultdict(list)
    for message in messages:
        slices[message.timestamp_ms // SLICE_MS].append(message)
    due_ids: set[str] = set()
    cpu_s, measured = 0.0, 0
    for part in slices.values():
        began_s = time.process_time()
        due = [w for m in part for w in ward.accept(decode(m.value, key=m.key), m.offset, now_s=0.0)[1]]
        if due and measured < KERNEL_WINDOWS:
            scorer.score(due)
            measured += len(due)
        if measured < KERNEL_WINDOWS:
            cpu_s += time.process_time() - began_s
        due_ids.update(f"{w.patient}/{w.stream_start_ns}/{w.window}" for w in due)
    return due_ids, cpu_s, measured


def _report(
    *, patients: int, duration_s: float, verdicts: VerdictLog, watch: _Watch, due: set[str], kernel_ms: float
) -> dict[str, Any]:
    latencies = np.array(verdicts.latencies_ms[patients:] or verdicts.latencies_ms)  # the first hop starts cold
    watched = len(watch.lag) * LOOK_EVERY_S
    judged = len(verdicts.verdicts) * min(1.0, watched / duration_s)
    cpu_ms = watch.usage.cpu_s / max(1.0, judged) * 1000
    percentile = {f"p{q}".replace(".", ""): round(float(np.percentile(latencies, q)), 1) for q in (50, 99, 99.9)}
    lost = len(due - verdicts.verdicts.keys())
    return {
        "patients": patients,
        "hop_s": HOP_S,
        "duration_s": round(duration_s, 1),
        "kept_up": lost == 0 and _steady(watch.lag),
        "windows": len(verdicts.verdicts),
        "expected_windows": len(due),
        "lost": lost,
        "duplicated": verdicts.duplicated,
        "latency_ms": percentile | {"max": round(float(latencies.max()), 1)},
        "detector_cpu_s": round(watch.usage.cpu_s, 2),
        "cpu_ms_per_window": round(cpu_ms, 3),
        "kernel_cpu_ms_per_window": round(kernel_ms, 3),
        "efficiency": round(kernel_ms / cpu_ms, 3) if cpu_ms else None,
        "lag_messages": {"median": float(np.median(watch.lag)), "max": max(watch.lag)},
        "loop_lag_ms": _quantiles(watch.metrics, "ecgstream_detector_loop_lag_seconds", {"p50": 0.5, "p999": 0.999}),
        "rss_mb": watch.usage.rss,
        "machine": machine(),
    }


def _steady(lag: Sequence[float]) -> bool:
    """Whether the lag of the last third is no more than that of the first, within a second's worth of messages."""
    third = len(lag) // 3
    if third == 0:
        return False
    first, last = np.median(lag[:third]), np.median(lag[-third:])
    return bool(float(last) <= float(first) + 3 * max(1.0, float(np.std(lag[:third]))))


def machine() -> dict[str, Any]:
    """What the figures were measured on."""
    return {
        "processor": platform.processor() or platform.machine(),
        "cores": os.cpu_count(),
        "system": platform.system(),
        "python": platform.python_version(),
    }


def _value(page: str, name: str) -> float:
    return sum(s.value for f in text_string_to_metric_families(page) for s in f.samples if s.name == name)


def _quantiles(page: str, name: str, wanted: dict[str, float]) -> dict[str, float | None]:
    """Upper bounds of a histogram's quantiles, in ms: the edge of the bucket that holds each."""
    buckets = [
        (float(s.labels["le"]), s.value)
        for f in text_string_to_metric_families(page)
        for s in f.samples
        if s.name == f"{name}_bucket"
    ]
    total = buckets[-1][1] if buckets else 0.0
    found: dict[str, float | None] = {}
    for label, quantile in wanted.items():
        edge = next((edge for edge, count in buckets if total and count >= quantile * total), None)
        found[label] = None if edge is None or not np.isfinite(edge) else round(edge * 1000, 3)
    return found
