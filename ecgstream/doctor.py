"""Is everything there? Each check says what it found and, where something is wrong, how to mend it."""

import asyncio
import os
import shutil
import socket
import time
import urllib.request
from collections.abc import Awaitable, Callable
from dataclasses import asdict
from ipaddress import ip_address
from pathlib import Path
from tempfile import gettempdir

from alerting.settings import AlertingSettings
from bus.connection import addresses
from bus.settings import KafkaSettings
from detector.settings import DetectorSettings
from ecg.data import check as check_data
from ecg.data import data_directory
from ecg.errors import EcgStreamError
from ecg.excerpts import EXCERPTS
from ecgstream.doctor_kafka import examine_kafka
from ecgstream.finding import Finding, tried
from ecgstream.settings import ProcessSettings

BUILT_NS = 1_750_000_000_000_000_000  # June 2025: no machine that runs this can be older
STEP_S = 0.2  # how long the two clocks are held against each other
CLOCK_ERROR_S = 0.05
CONNECT_S = 3.0  # what is there answers within a tenth of it
EVERYWHERE = ("0.0.0.0", "::")  # noqa: S104  # compared, not listened on
FREE_BYTES = 2 * 2**30  # for a broker on this machine: a day of one patient's samples takes 0.1 GB
SERVICE_FREE_BYTES = 2**24  # for a service alone: caches of its libraries
MEMORY_BYTES = 2**30  # Kafka 0.5 GB, each service 0.2 GB
SERVICE_MEMORY_BYTES = 2**28


async def examine(
    process: ProcessSettings, kafka: KafkaSettings, detector: DetectorSettings, alerting: AlertingSettings
) -> list[Finding]:
    """Every check, in the order in which to mend what they find.

    Where Kafka is on another machine or in another container, nothing is asked for that only a broker needs.
    """
    elsewhere = not _local(kafka)
    checks: list[tuple[str, Callable[[], Awaitable[Finding]]]] = [
        ("java", lambda: _java(kafka)),
        ("memory", lambda: _memory(SERVICE_MEMORY_BYTES if elsewhere else MEMORY_BYTES)),
        ("disk", lambda: _disk(SERVICE_FREE_BYTES if elsewhere else FREE_BYTES)),
        ("clock", _clock),
        ("health port", lambda: _port(process)),
        ("models", lambda: _models(detector)),
        ("data", lambda: _data(process)),
        ("alarm history", lambda: _alarm_history(alerting)),
        ("alarm channels", lambda: _alarm_channels(alerting)),
    ]
    findings = [await tried(name, check) for name, check in checks]
    return findings + await examine_kafka(kafka)


def _local(kafka: KafkaSettings) -> bool:
    """Return whether the broker is this machine's, so that this program may have to start it."""
    host = addresses(kafka)[0][0].strip("[]")
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


async def _java(kafka: KafkaSettings) -> Finding:
    from bus.broker_jars import find_java

    try:
        java = await asyncio.to_thread(find_java)
    except EcgStreamError:
        if _local(kafka) and not await _listened_on(*addresses(kafka)[0]):
            raise
        return Finding(check="java", ok=True, found=f"none, and none is needed: Kafka is at {kafka.bootstrap_servers}")
    return Finding(check="java", ok=True, found=f"Java {java.version} at {java.program}")


async def _listened_on(host: str, port: int) -> bool:
    try:
        _, writer = await asyncio.wait_for(asyncio.open_connection(host.strip("[]"), port), CONNECT_S)
    except (OSError, TimeoutError):
        return False
    writer.close()
    return True


async def _memory(needed: int) -> Finding:
    total = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    free = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_AVPHYS_PAGES")
    found = f"{total / 2**30:.1f} GB, {free / 2**30:.1f} GB of it untouched, {os.cpu_count()} processors"
    if total < needed:
        return Finding(check="memory", ok=False, found=found, remedy=f"give it {needed / 2**30:g} GB at least")
    return Finding(check="memory", ok=True, found=found)


async def _disk(needed: int) -> Finding:
    place = Path(gettempdir())
    free = shutil.disk_usage(place).free
    found = f"{free / 2**30:.2f} GB free under {place}"
    if free < needed:
        return Finding(check="disk", ok=False, found=found, remedy=f"free some: {needed / 2**30:.2g} GB are needed")
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
        if await asyncio.to_thread(_ours_answers, host, port):
            return Finding(check="health port", ok=True, found=f"{host}:{port}: a service of this program answers")
        return Finding(
            check="health port",
            ok=False,
            found=f"{host}:{port}: {error.strerror}",
            remedy="end what listens there (a service that runs?), or set ECGSTREAM_HEALTH_PORT",
        )
    return Finding(check="health port", ok=True, found=f"{host}:{port or 'any'} is free")


def _ours_answers(host: str, port: int) -> bool:
    """Return whether a service of this program listens there: in a container, the one beside which this runs."""
    asked = "127.0.0.1" if host in EVERYWHERE else host
    try:
        with urllib.request.urlopen(f"http://{asked}:{port}/metrics", timeout=CONNECT_S) as page:
            return b"ecgstream_" in page.read()
    except (OSError, ValueError):
        return False


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


def as_json(findings: list[Finding]) -> dict[str, object]:
    """The findings as the JSON of ``ecgstream doctor``."""
    return {"ok": all(finding.ok for finding in findings), "checks": [asdict(finding) for finding in findings]}
