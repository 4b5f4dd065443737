"""Many browsers at once: how old samples are on arrival, what the web service costs, and whether alarms are lost."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import httpx
import numpy as np

from bus import topics
from bus.clients import KafkaReader
from bus.messages import Alert
from bus.settings import KafkaSettings
from ecg.errors import EcgStreamError
from ecgstream.bench.bench_broker import watched_ward
from ecgstream.bench.capacity import CapacityPlan, machine, quantiles_ms
from ecgstream.bench.live_clients import API, AlarmMessage, LiveClient, expected
from ecgstream.bench.process_usage import ProcessUsage
from ecgstream.children import Command

START_S = 60.0  # within which all patients must be there
WARM_S = 10.0  # before anything is measured
SPARE_S = 90.0  # the replay goes on behind the measurement
SETTLE_S = 3.0  # at the end: what is on its way arrives
WARD_EVERY = 4  # of so many clients one watches the ward, the others a patient each
SLOW_EVERY = 10  # of so many one is slow
HANG_UP_EVERY, HANG_UP_S = 8, 7.0  # of so many one lets go of its event stream so often
WARD_FS_HZ = 125.0
SAMPLE_EVERY_S = 1.0
LAG_QUANTILES = {"p50": 0.5, "p99": 0.99}  # of the server's event loop: large ones tell of a machine that is too busy


async def run_live(plan: CapacityPlan, *, clients: int) -> dict[str, Any]:
    """Replay patients, let clients watch them, and measure.

    Parameters
    ----------
    plan : who is replayed; ``duration_s`` is how long it is measured
    clients : how many watch; 0 for what it costs that nobody does

    Returns
    -------
    the JSON object of ``ecgstream bench live --json``

    Raises
    ------
    EcgStreamError : when a service fails, or not every patient comes
    """
    longer = replace(plan, duration_s=plan.duration_s + WARM_S + SPARE_S + START_S)
    environment = {
        "ECGSTREAM_WEB_STREAMS_PER_CALLER": str(max(1, 3 * clients)),
        "ECGSTREAM_WEB_READS_PER_MINUTE": str(100 * max(1, clients)),
    }
    async with watched_ward(longer.options, **environment) as ward:
        patients = await _present(ward.address, plan.patients)
        watching = browsers(ward.address, patients, clients)
        usage, seconds, published = await _measure(watching, ward.web, ward.kafka, plan.duration_s)
        await ward.check()
        metrics = await asyncio.to_thread(ward.web.page, "metrics")
    lag_ms = quantiles_ms(metrics, "ecgstream_web_loop_lag_seconds", LAG_QUANTILES)
    return _report(plan, watching, usage, seconds, published) | {"server_loop_lag_ms": lag_ms, "machine": machine()}


def browsers(address: str, patients: Sequence[str], count: int) -> list[LiveClient]:
    """The clients: one of four watches the ward, the others a patient each; one of ten is slow and watches all of it.

    Parameters
    ----------
    address : of the service, host:port
    patients : their ids
    count : how many clients
    """
    found = []
    for number in range(count):
        slow = number % SLOW_EVERY == SLOW_EVERY - 1
        if slow:
            watch: dict[str, Any] = {"patients": None, "leads": "all"}
        elif number % WARD_EVERY == 0:
            watch = {"patients": None, "leads": "first", "fs_hz": WARD_FS_HZ}
        else:
            watch = {"patients": [patients[number % len(patients)]], "leads": "all"}
        hangs_up_s = HANG_UP_S if number % HANG_UP_EVERY == 1 else None
        found.append(LiveClient(address=address, watch=watch, slow=slow, hangs_up_s=hangs_up_s))
    return found


async def _present(address: str, count: int) -> list[str]:
    """The patients, once all are there."""
    async with httpx.AsyncClient(base_url=f"http://{address}{API}") as http:
        try:
            async with asyncio.timeout(START_S):
                while True:
                    found = (await http.get("/patients")).json()["patients"]
                    here = [one["patient"] for one in found if one["last_sample_ns"] is not None]
                    if len(here) >= count:
                        return sorted(here)
                    await asyncio.sleep(SAMPLE_EVERY_S)
        except TimeoutError:
            raise EcgStreamError(f"{len(here)} of {count} patients came in {START_S:g} s: replay fewer") from None


async def _measure(
    watching: list[LiveClient], web: Command, kafka: KafkaSettings, duration_s: float
) -> tuple[ProcessUsage, float, dict[tuple[int, int], AlarmMessage]]:
    usage = ProcessUsage(web.pid)
    loop = asyncio.get_running_loop()
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(one.run()) for one in watching]
        await asyncio.sleep(WARM_S)
        for one in watching:
            one.forget()
        began_s = loop.time()
        while loop.time() - began_s < duration_s:
            usage.sample()
            await asyncio.sleep(SAMPLE_EVERY_S)
        usage.sample()
        seconds = loop.time() - began_s
        published = await _published(kafka)
        await asyncio.sleep(SETTLE_S)
        for task in tasks:
            task.cancel()
    return usage, seconds, published


async def _published(kafka: KafkaSettings) -> dict[tuple[int, int], AlarmMessage]:
    """All messages about alarms, by partition and offset."""
    found = {}
    async with KafkaReader(kafka, [topics.ALERTS], start="beginning") as reader:
        async for message in reader.to_end():
            alert = Alert.model_validate_json(message.value or b"")
            found[message.partition, message.offset] = (alert.id, alert.sequence)
    return found


def _report(
    plan: CapacityPlan,
    watching: list[LiveClient],
    usage: ProcessUsage,
    seconds: float,
    published: dict[tuple[int, int], AlarmMessage],
) -> dict[str, Any]:
    fast = [one for one in watching if not one.slow]
    slow = [one for one in watching if one.slow]
    ages = np.array([age for one in fast for age in one.ages_ms])
    if watching and not len(ages):
        raise EcgStreamError("no samples came: measure longer")
    lost = doubled = missed_hello = 0
    for one in watching:
        if one.since is None:
            missed_hello += 1
            continue
        wanted = expected(one.since, published)
        lost += len(wanted - one.alarms.keys())
        doubled += sum(count - 1 for count in one.alarms.values())
    return {
        "patients": plan.patients,
        "chunk_ms": plan.chunk_ms,
        "duration_s": round(seconds, 1),
        "clients": {"fast": len(fast), "slow": len(slow)},
        # From being handed to Kafka, which is when a chunk's last sample is there, to being in the client.
        "sample_to_client_beyond_chunk_ms": {
            name: round(float(np.percentile(ages, q)), 1) if len(ages) else None
            for name, q in (("p50", 50), ("p95", 95), ("p99", 99), ("max", 100))
        },
        "frames": len(ages),
        "fast_clients": {
            "samples_not_received": sum(one.holes for one in fast),
            "worst_p95_ms": round(max(float(np.percentile(one.ages_ms, 95)) for one in fast if one.ages_ms), 1)
            if fast
            else None,
            "without_samples": sum(not one.samples for one in fast),
        },
        "slow_clients": {
            "samples_not_received": sum(one.holes for one in slow),
            "told_dropped": sum(one.reported_dropped for one in slow),
        },
        "alarms": {
            "messages": len(published),
            "received": sum(one.alarms.total() for one in watching),
            "lost": lost,
            "doubled": doubled,
            "streams_resumed": sum(one.returns for one in watching),
            "streams_without_hello": missed_hello,
        },
        "server_cpu_share": round(usage.cpu_s / seconds, 3),
        "server_rss_mb": usage.rss,
    }
