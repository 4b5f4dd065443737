"""Chaos for the alert service: killed at seeded moments during a busy stream, its database kept.

What must come is known beforehand (``ecgstream.bench.alert_script``). At the end the topic, the alarm history and what
a webhook's receiver was called with are held against it.
"""

import asyncio
import random
import time
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any

import structlog

from alerting.database.engine import address
from alerting.history.reading import AlarmHistory, Wanted
from alerting.rules import AlarmRules
from bus import topics
from bus.clients import KafkaPublisher
from bus.interfaces import Outgoing
from bus.messages import Alert, AlertCommand, Verdict
from ecg.errors import EcgStreamError
from ecgstream.bench.alert_log import AlertLog, MessageKey, key_of, receiving
from ecgstream.bench.alert_script import PatientScript
from ecgstream.bench.bench_broker import bench_broker, following
from ecgstream.children import Command
from ops.clock import SystemClock

PACE_S = 1.0  # wall time from one verdict of a patient to the next: 5 s of the recording
WORK_S = 1.5  # a service that is at work is killed within
EARLY = 0.2  # of the kills come before it is at work
EARLY_S = 2.0  # within, from its start
PATIENCE_S = 60.0  # nothing new for so long: what is missing is lost
SECRET = "of-the-receiver-of-this-run"  # noqa: S105 # it guards nothing
CHANNEL = "chaos"

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertChaosPlan:
    """Plan of a run.

    Attributes
    ----------
    kills, seed : how often the service is killed, and at which moments
    patients : how many patients have verdicts, one a second each
    """

    kills: int
    seed: int
    patients: int = 100


async def run_alert_chaos(
    plan: AlertChaosPlan, recordings: Sequence[Sequence[Verdict]], rules: AlarmRules
) -> dict[str, Any]:
    """Kill the service again and again while patients need it, and tell what came of it.

    Parameters
    ----------
    plan : what happens
    recordings : the verdicts on recordings, dealt out to the patients
    rules : those that the service finds in its environment

    Returns
    -------
    the JSON object of ``ecgstream chaos --service alert --json``

    Raises
    ------
    EcgStreamError : when the service ends by itself, or there is no verdict
    """
    if not recordings or not all(recordings):
        raise EcgStreamError("a recording without a whole window of 5 s has no verdicts: name longer ones")
    scripts = _scripts(plan, recordings, rules)
    published, delivered = AlertLog(), AlertLog()
    async with bench_broker() as broker, receiving(delivered.add, secret=SECRET) as url:
        kafka = await broker.kafka("chaos.")
        database = f"sqlite:///{broker.folder}/alarms.sqlite"
        channels = broker.folder / "channels.toml"
        channels.write_text(f'[channels.{CHANNEL}]\nkind = "webhook"\nurl = "{url}"\nsecret = "{SECRET}"\n')
        environment = {"ECGSTREAM_ALERTING_ALARM_DB": database, "ECGSTREAM_ALERTING_CHANNELS": str(channels)}
        service = Command("alert", "alert", kafka=kafka, logs=broker.folder, environment=environment)
        async with following(kafka, published), service, KafkaPublisher(kafka) as publisher:
            took_s = await _storm(plan, service, scripts, publisher=publisher, published=published)
            expected = [key_of(alert) for script in scripts for alert in script.expected]
            await published.wait_for(expected, patience_s=PATIENCE_S)
            await delivered.wait_for(expected, patience_s=PATIENCE_S)
        kept = await asyncio.to_thread(_history, database)
    return {
        "service": "alert",
        "seed": plan.seed,
        "faults": {"sigkill": plan.kills},
        "patients": plan.patients,
        "verdicts": sum(script.windows for script in scripts),
        "commands": sum(script.commands for script in scripts),
        "alarms": len({key.alarm for key in expected}),
        "expected": len(expected),
        **_held_against(scripts, published.alerts),
        "duplicated": published.repeated,
        "out_of_order": published.disordered,
        "history": _held_against(scripts, kept),
        "deliveries": {
            **_held_against(scripts, delivered.alerts),
            "repeated": delivered.repeated,
            "out_of_order": delivered.disordered,
        },
        "takeover_s": {"p50": round(median(took_s), 3), "max": round(max(took_s), 3)} if took_s else None,
    }


def _scripts(plan: AlertChaosPlan, recordings: Sequence[Sequence[Verdict]], rules: AlarmRules) -> list[PatientScript]:
    scripts = []
    for number in range(plan.patients):
        verdicts = recordings[number % len(recordings)]
        seeded = random.Random(f"{plan.seed}-{number}")  # noqa: S311 # seeded, not secret
        first = seeded.randrange(len(verdicts))
        scripts.append(PatientScript(f"patient-{number:03d}", verdicts, first, rules, seeded))
    return scripts


async def _storm(
    plan: AlertChaosPlan,
    service: Command,
    scripts: Sequence[PatientScript],
    *,
    publisher: KafkaPublisher,
    published: AlertLog,
) -> list[float]:
    """Let the patients live while the service dies; how long it took to be at work again, s, where it was let."""
    clock = SystemClock()

    async def send(message: Verdict | AlertCommand) -> None:
        topic = topics.WINDOWS if isinstance(message, Verdict) else topics.ALERT_COMMANDS
        await publisher.send(Outgoing(topic=topic, key=message.patient.encode(), value=message.to_bytes()))

    async def seen(alert: Alert) -> None:
        await published.wait_for([key_of(alert)], patience_s=PATIENCE_S)

    stop = asyncio.Event()
    seeded = random.Random(plan.seed)  # noqa: S311 # seeded, not secret
    took_s = []
    async with asyncio.TaskGroup() as ward:
        for script in scripts:
            ward.create_task(script.live(stop, send=send, seen=seen, pace_s=PACE_S, now_ns=clock.now_ns))
        for number in range(plan.kills):
            if seeded.random() < EARLY:
                await asyncio.sleep(seeded.uniform(0.0, EARLY_S))
            else:
                since_s = time.monotonic()
                await service.ready()
                took_s.append(time.monotonic() - since_s)
                await asyncio.sleep(seeded.uniform(0.0, WORK_S))
            log.info("kill", number=number)
            await service.kill()
            await service.start()
        await service.ready()
        stop.set()
    return took_s


def _history(database: str) -> dict[MessageKey, Alert]:
    with AlarmHistory(address(database)) as history:
        return {key_of(event): event for alarm in history.every(Wanted()) for event in history.life(alarm.id).events}


def _held_against(scripts: Sequence[PatientScript], found: dict[MessageKey, Alert]) -> dict[str, int]:
    """Return how many messages are lost, another than expected, or unexpected.

    What was told of a time after a patient's last verdict is not looked at: the service saw that nothing came any more.
    """
    expected = {key_of(alert): alert for script in scripts for alert in script.expected}
    ends = {script.patient: script.end_ns for script in scripts}
    return {
        "lost": sum(key not in found for key in expected),
        "different": sum(key in found and found[key] != alert for key, alert in expected.items()),
        "unexpected": sum(
            key not in expected and alert.told_ns <= ends.get(alert.patient, 0) for key, alert in found.items()
        ),
    }
