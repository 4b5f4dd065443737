"""Is everything there? Each check says what it found and, where something is wrong, how to mend it."""

import asyncio
import os
import shutil
import socket
import time
from collections.abc import Awaitable, Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from tempfile import gettempdir

from alerting.settings import AlertingSettings
from bus.settings import KafkaSettings
from detector.settings import DetectorSettings
from ecg.data import check as check_data
from ecg.data import data_directory
from ecg.errors import EcgStreamError
from ecg.excerpts import EXCERPTS
from ecgstream.settings import ProcessSettings

CONNECT_S = 3.0  # a broker that is there answers within a tenth of it
BUILT_NS = 1_750_000_000_000_000_000  # June 2025: no machine that runs this can be older
STEP_S = 0.2  # how long the two clocks are held against each other
CLOCK_ERROR_S = 0.05
APART_S = 5.0  # between the broker's clock and this machine's, the way of a message included
FREE_BYTES = 2 * 2**30  # a day of one patient's samples takes 0.1 GB on the broker
MEMORY_BYTES = 2**30  # Kafka 0.5 GB, each service 0.2 GB


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """Result of a check.

    Attributes
    ----------
    check : what was looked at
    ok : whether it is as it should be
    found : what is there
    remedy : what to do when it is not ok; empty otherwise
    """

    check: str
    ok: bool
    found: str
    remedy: str = ""

    def __str__(self) -> str:
        """The finding as a line."""
        return f"{self.check}: {self.found}" + (f" → {self.remedy}" if self.remedy else "")


async def examine(
    process: ProcessSettings, kafka: KafkaSettings, detector: DetectorSettings, alerting: AlertingSettings
) -> list[Finding]:
    """Every check, in the order in which to mend what they find."""
    checks: list[tuple[str, Callable[[], Awaitable[Finding]]]] = [
        ("java", _java),
        ("memory", _memory),
        ("disk", _disk),
        ("clock", _clock),
        ("health port", lambda: _port(process)),
        ("models", lambda: _models(detector)),
        ("data", lambda: _data(process)),
        ("alarm history", lambda: _alarm_history(alerting)),
        ("alarm channels", lambda: _alarm_channels(alerting)),
    ]
    findings = [await _tried(name, check) for name, check in checks]
    return findings + await _kafka(kafka)


async def _tried(name: str, check: Callable[[], Awaitable[Finding]]) -> Finding:
    """A check's finding; what it raises is one, too: its message ends with the remedy."""
    try:
        return await check()
    except EcgStreamError as error:
        found, _, remedy = str(error).rpartition(": ")
        return Finding(check=name, ok=False, found=found or str(error), remedy=remedy)


async def _java() -> Finding:
    from bus.broker_jars import find_java

    java = await asyncio.to_thread(find_java)
    return Finding(check="java", ok=True, found=f"Java {java.version} at {java.program}")


async def _memory() -> Finding:
    total = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    free = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_AVPHYS_PAGES")
    found = f"{total / 2**30:.1f} GB, {free / 2**30:.1f} GB of it untouched, {os.cpu_count()} processors"
    if total < MEMORY_BYTES:
        return Finding(check="memory", ok=False, found=found, remedy="1 GB is the least for Kafka and the services")
    return Finding(check="memory", ok=True, found=found)


async def _disk() -> Finding:
    place = Path(gettempdir())
    free = shutil.disk_usage(place).free
    found = f"{free / 2**30:.1f} GB free under {place}"
    if free < FREE_BYTES:
        return Finding(check="disk", ok=False, found=found, remedy="free some: the local broker needs 2 GB")
    return Finding(check="disk", ok=True, found=found)


async def _clock() -> Finding:
    wall_ns, began_s = time.time_ns(), time.monotonic()
    await asyncio.sleep(STEP_S)
    drift_s = (time.time_ns() - wall_ns) / 1e9 - (time.monotonic() - began_s)
    if wall_ns < BUILT_NS:
        return Finding(check="clock", ok=False, found=f"{time.ctime()}", remedy="set the clock, best by NTP")
    if abs(drift_s) > CLOCK_ERROR_S:
        return Finding(
            check="clock", ok=False, found=f"it jumped by {drift_s:+.3f} s", remedy="let NTP slew and not step it"
        )
    return Finding(check="clock", ok=True, found=time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime()))


async def _port(process: ProcessSettings) -> Finding:
    host, port = process.health_host, process.health_port
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        with socket.socket(family) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind((host, port))
    except OSError as error:
        return Finding(
            check="health port",
            ok=False,
            found=f"{host}:{port}: {error.strerror}",
            remedy="end what listens there (a service that runs?), or set ECGSTREAM_HEALTH_PORT",
        )
    return Finding(check="health port", ok=True, found=f"{host}:{port or 'any'} is free")


async def _models(settings: DetectorSettings) -> Finding:
    from detector.scorer import Scorer

    scorer = await asyncio.to_thread(Scorer, settings.models)
    versions = ", ".join(scorer.versions.values())
    return Finding(check="models", ok=True, found=f"{versions} in {settings.models} fit their manifest")


async def _data(process: ProcessSettings) -> Finding:
    directory = data_directory(process.data_dir)
    states = await asyncio.to_thread(check_data, directory)
    damaged = [f"{state.name}/{file}" for state in states for file in state.damaged]
    there = ", ".join(f"{state.name} {state.records} of {state.expected}" for state in states)
    if damaged:
        return Finding(
            check="data", ok=False, found=f"damaged in {directory}: {', '.join(damaged)}", remedy="ecgstream data fetch"
        )
    # Nothing missing is wrong: the excerpts are always there.
    return Finding(check="data", ok=True, found=f"{there} in {directory}; always there: {', '.join(EXCERPTS)}")


async def _alarm_history(settings: AlertingSettings) -> Finding:
    from alerting.database.engine import address, shown
    from alerting.history.reading import AlarmHistory

    named = settings.alarm_db
    url = address(named.get_secret_value() if named else None)

    def looked() -> str:
        if url.get_backend_name() == "sqlite" and not Path(str(url.database)).exists():
            return "not there yet"  # nothing is wrong: the alert service makes it
        with AlarmHistory(url) as history:
            counts = history.counts()
        return f"{counts['alarms']} alarms, {counts['alarm_events']} messages, {counts['actions']} actions"

    return Finding(check="alarm history", ok=True, found=f"{shown(url)}: {await asyncio.to_thread(looked)}")


async def _alarm_channels(settings: AlertingSettings) -> Finding:
    from alerting.database.engine import address
    from alerting.delivery.channels import load_channels
    from ops.clock import SystemClock

    channels = load_channels(settings.channels)
    url = address(settings.alarm_db.get_secret_value() if settings.alarm_db else None)
    for name, channel in channels.items():
        sender = await asyncio.to_thread(channel.sender, name, clock=SystemClock(), database=url)
        await asyncio.to_thread(sender.close)
    found = ", ".join(f"{name} ({channel.kind})" for name, channel in channels.items())
    return Finding(check="alarm channels", ok=True, found=found or "none: alarms stay on the topic and in the history")


async def _kafka(settings: KafkaSettings) -> list[Finding]:
    from bus.topic_admin import cluster_id, topic_differences
    from bus.topics import TOPICS

    quick = settings.model_copy(update={"connect_timeout_s": min(settings.connect_timeout_s, CONNECT_S)})

    async def broker() -> Finding:
        await cluster_id(quick)
        return Finding(check="broker", ok=True, found=f"Kafka answers at {settings.bootstrap_servers}")

    findings = [await _tried("broker", broker)]
    if not findings[0].ok:
        return findings

    async def topics() -> Finding:
        different = await topic_differences(quick)
        if different:
            return Finding(
                check="topics",
                ok=False,
                found="; ".join(map(str, different)),
                remedy="; ".join(dict.fromkeys(each.remedy for each in different)),
            )
        return Finding(check="topics", ok=True, found=f"{len(TOPICS)} topics of {settings.partitions} partitions each")

    findings.append(await _tried("topics", topics))
    if not findings[-1].ok and "is missing" in findings[-1].found:
        return findings
    return findings + await _samples(quick)


async def _samples(settings: KafkaSettings) -> list[Finding]:
    """Return what the newest samples show: the senders' partitioner, and the broker's clock."""
    from bus.samples_probe import probe_samples

    try:
        probe = await probe_samples(settings)
    except EcgStreamError as error:
        return [Finding(check="senders", ok=False, found=str(error), remedy="see whether the broker runs")]
    wrong = [f"{probe.keyless} without a key"] * bool(probe.keyless)
    wrong += [f"in the wrong partition: {', '.join(probe.misplaced[:5])}"] * bool(probe.misplaced)
    senders = Finding(
        check="senders",
        ok=not wrong,
        found="; ".join(wrong) or f"the newest {probe.messages} messages lie where their keys belong",
        remedy="key each message with its patient id, and set partitioner=murmur2_random (librdkafka, kcat -X); the "
        "detector refuses what lies elsewhere"
        if wrong
        else "",
    )
    ahead_s = probe.broker_ahead_s
    if ahead_s is None:
        found, ok = "not known while nobody sends", True
    else:
        found, ok = (
            f"{abs(ahead_s):.1f} s {'ahead of' if ahead_s > 0 else 'behind'} this machine's",
            abs(ahead_s) <= APART_S,
        )
    clock = Finding(
        check="broker's clock",
        ok=ok,
        found=found,
        remedy="" if ok else "set both clocks by NTP: the broker's time counts",
    )
    return [senders, clock]


def as_json(findings: list[Finding]) -> dict[str, object]:
    """The findings as the JSON of ``ecgstream doctor``."""
    return {"ok": all(finding.ok for finding in findings), "checks": [asdict(finding) for finding in findings]}
