"""Cost of delivery for the alarms: the topic's latency and the memory, with channels that are good, slow and dead.

A real broker and a real alert service; patients whose alarms start and end by turns. It runs twice: without channels,
and with three.
"""

import asyncio
import math
import time
from collections.abc import Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from alerting.database.engine import address
from alerting.delivery.review import tally
from bus import topics
from bus.clients import KafkaPublisher
from bus.interfaces import Outgoing, Received
from bus.messages import Alert, Continuity, Finding, Quality, Verdict
from bus.settings import KafkaSettings
from ecg.windows import HOP_S
from ecgstream.bench.alert_log import receiving
from ecgstream.bench.bench_broker import all_come, bench_broker, following
from ecgstream.bench.capacity import machine
from ecgstream.bench.process_usage import ProcessUsage
from ecgstream.children import Command
from ops.ports import free_ports

NS = 1_000_000_000
ALARM_EVERY_S = 2 * HOP_S  # a window that starts it, and one that ends it
SAMPLE_EVERY_S = 1.0
DRAIN_S = 30.0  # for the good channel to get the last message, and the topic
SECRET = "known-to-this-benchmark-alone"  # noqa: S105 # of a webhook on this machine, for as long as this lasts
RULES = """
[rules.ventricular_run]
end_clean_s = 5
[rules.abnormal_window]
enabled = false
[rules.unusual_window]
enabled = false
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class AlarmBenchPlan:
    """Plan of a run.

    Attributes
    ----------
    alarms_per_hour : how many start
    duration_s : of each of the two runs, s
    slow_s : how long the slow channel takes for a call, s
    """

    alarms_per_hour: int
    duration_s: float
    slow_s: float

    @property
    def patients(self) -> int:
        """As many as it takes."""
        return math.ceil(self.alarms_per_hour * ALARM_EVERY_S / 3600)

    @property
    def windows(self) -> int:
        """Of each patient."""
        return math.ceil(self.duration_s / HOP_S)

    @property
    def alarms(self) -> int:
        """Return that start: with every other window."""
        return self.patients * math.ceil(self.windows / 2)


@dataclass(slots=True)
class _Run:
    """One run: when each verdict was sent and its alarm was read, and what the service used."""

    sent_s: dict[str, float] = field(default_factory=dict)
    latencies_ms: list[float] = field(default_factory=list)
    rss: dict[str, float] = field(default_factory=dict)
    cpu_s: float = 0.0
    deliveries: dict[str, dict[str, int]] = field(default_factory=dict)
    topic: str = topics.ALERTS

    def take(self, message: Received) -> None:
        """Note when the message that an alarm starts with is there."""
        alert = Alert.model_validate_json(message.value or b"")
        if alert.phase == "start" and alert.verdict in self.sent_s:
            self.latencies_ms.append((time.monotonic() - self.sent_s[alert.verdict]) * 1000)

    def report(self) -> dict[str, Any]:
        """It as a JSON object."""
        found = np.array(self.latencies_ms)
        latency = {f"p{q}": round(float(np.percentile(found, q)), 1) for q in (50, 99)} if found.size else {}
        return {
            "alarms": len(self.sent_s),
            "lost": len(self.sent_s) - len(self.latencies_ms),
            "latency_ms": latency | {"max": round(float(found.max()), 1) if found.size else None},
            "rss_mb": self.rss,
            "cpu_s": round(self.cpu_s, 1),
            "deliveries": self.deliveries,
        }


async def run_alarms(plan: AlarmBenchPlan) -> dict[str, Any]:
    """Measure without channels, and with a good, a slow and a dead one.

    Returns
    -------
    the JSON object of ``ecgstream bench alarms --json``

    Raises
    ------
    EcgStreamError : when the broker or the service fails
    """
    return {
        "alarms_per_hour": plan.alarms_per_hour,
        "patients": plan.patients,
        "duration_s": plan.duration_s,
        "slow_s": plan.slow_s,
        "without_channels": (await _run(plan, channels=False)).report(),
        "with_channels": (await _run(plan, channels=True)).report(),
        "machine": machine(),
    }


async def _run(plan: AlarmBenchPlan, *, channels: bool) -> _Run:
    run = _Run()
    async with AsyncExitStack() as stack:
        broker = await stack.enter_async_context(bench_broker())
        kafka, folder = await broker.kafka(), broker.folder
        (folder / "rules.toml").write_text(RULES)
        database = f"sqlite:///{folder}/alarms.sqlite"
        environment = {"ECGSTREAM_ALERTING_RULES": str(folder / "rules.toml"), "ECGSTREAM_ALERTING_ALARM_DB": database}
        if channels:
            urls = {"dead": f"http://127.0.0.1:{free_ports(1)[0]}/"}
            for name, seconds in (("good", 0.0), ("slow", plan.slow_s)):
                urls[name] = await stack.enter_async_context(receiving(_wait_for(seconds), secret=SECRET))
            (folder / "channels.toml").write_text("".join(_channel(*each) for each in urls.items()))
            environment["ECGSTREAM_ALERTING_CHANNELS"] = str(folder / "channels.toml")
        async with Command("alert", "alert", kafka=kafka, logs=folder, environment=environment) as service:
            await service.ready()
            await _measure(plan, kafka, service, run)
            if channels:
                run.deliveries = await _drained(database, due=plan.alarms)
    return run


async def _measure(plan: AlarmBenchPlan, kafka: KafkaSettings, service: Command, run: _Run) -> None:
    usage = ProcessUsage(service.pid)
    async with following(kafka, run) as group:
        watching = group.create_task(_watch(usage, service))
        await _send(plan, kafka, run)
        await all_come(lambda: len(run.latencies_ms) >= plan.alarms, lambda: len(run.latencies_ms), patience_s=DRAIN_S)
        watching.cancel()
    run.rss, run.cpu_s = usage.rss, usage.cpu_s


async def _send(plan: AlarmBenchPlan, kafka: KafkaSettings, run: _Run) -> None:
    """Each patient's windows at real pace, the patients spread over time."""
    began_ns, began_s = time.time_ns(), time.monotonic()
    due = sorted(
        (window * HOP_S + patient * ALARM_EVERY_S / plan.patients, patient, window)
        for patient in range(plan.patients)
        for window in range(plan.windows)
    )
    async with KafkaPublisher(kafka, linger_ms=0) as publisher:
        for due_s, patient, window in due:
            await asyncio.sleep(max(0.0, began_s + due_s - time.monotonic()))
            verdict = _verdict(f"p{patient}", began_ns + patient, window)
            if verdict.findings:
                run.sent_s[verdict.id] = time.monotonic()
            await publisher.send(Outgoing(topic=topics.WINDOWS, key=verdict.patient.encode(), value=verdict.to_bytes()))


async def _watch(usage: ProcessUsage, service: Command) -> None:
    while True:
        usage.sample()
        await service.check()
        await asyncio.sleep(SAMPLE_EVERY_S)


async def _drained(database: str, *, due: int) -> dict[str, dict[str, int]]:
    """Return what was delivered, once the good channel has the start of every alarm and nothing waits for it."""
    url, until_s = address(database), time.monotonic() + DRAIN_S
    while True:
        found = await asyncio.to_thread(tally, url)
        good = found.get("good", {"done": 0, "waiting": 0})
        if (good["done"] >= due and not good["waiting"]) or time.monotonic() > until_s:
            return found
        await asyncio.sleep(SAMPLE_EVERY_S / 5)


def _verdict(patient: str, start_ns: int, window: int) -> Verdict:
    """A window with a ventricular run, or a normal one, by turns."""
    begins_ns = start_ns + window * HOP_S * NS
    run = Finding(kind="ventricular_run", start_ns=begins_ns + NS, end_ns=begins_ns + 3 * NS, rate_bpm=110.0, beats=4)
    abnormal = window % 2 == 0
    score = 0.9 if abnormal else 0.1
    return Verdict(
        id=f"{patient}/{start_ns}/{window}",
        patient=patient,
        device="bench",
        stream_start_ns=start_ns,
        window=window,
        start_ns=begins_ns,
        end_ns=begins_ns + HOP_S * NS,
        fs_hz=360.0,
        leads=("MLII",),
        lead="MLII",
        decision="abnormal" if abnormal else "normal",
        cnn=score,
        autoencoder=score,
        autoencoder_error=score,
        fused=score,
        threshold=0.5,
        beats=(),
        findings=(run,) if abnormal else (),
        heart_rate_bpm=80.0,
        quality=Quality(missing=0, flat=0, clipped=0, noise=0),
        continuity=Continuity(),
        reasons=("run of 4 ventricular beats",) if abnormal else (),
        models={},
    )


def _wait_for(seconds: float) -> Callable[[bytes], None]:
    return lambda _: time.sleep(seconds)


def _channel(name: str, url: str) -> str:
    return f'[channels.{name}]\nkind = "webhook"\nurl = "{url}"\nsecret = "{SECRET}"\n'
