"""Alerting on the real broker."""

import asyncio
import random

import pytest
from prometheus_client import CollectorRegistry

from alerting import service
from alerting.policy import policy
from alerting.rules import load_rules
from alerting.settings import AlertingSettings
from alerting.state import PatientState
from bus import topics
from bus.clients import KafkaPublisher, KafkaReader
from bus.exactly_once import ExactlyOnce
from bus.interfaces import Outgoing
from bus.messages import Alert, AlertCommand, DeadLetter, Decision, Verdict
from bus.settings import KafkaSettings
from ops.clock import SystemClock
from tests.alerting.verdicts import verdict
from tests.support.waiting import DEADLINE_S, until

pytestmark = [
    pytest.mark.broker,
    pytest.mark.usefixtures("cut_off"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),  # what is cut off closes nothing
]

SETTINGS = AlertingSettings(instance="a")
RULES = load_rules()


def ward(patients: int, windows: int) -> list[Verdict]:
    """Seeded verdicts of many patients, window after window."""
    seeded = random.Random(1)
    decision: dict[int, Decision] = dict.fromkeys(range(patients), "normal")
    verdicts = []
    for window in range(windows):
        for patient in range(patients):
            if seeded.random() < 0.3:
                decision[patient] = seeded.choice(("normal", "abnormal", "unusable"))
            verdicts.append(verdict(window, decision[patient], patient=f"p{patient}"))
    return verdicts


def expected(verdicts: list[Verdict]) -> list[Alert]:
    states: dict[str, PatientState | None] = {}
    alerts: list[Alert] = []
    for each in verdicts:
        states[each.patient], actions = policy(states.get(each.patient), each, RULES)
        alerts += [action for action in actions if isinstance(action, Alert)]
    return alerts


def by_patient(alerts: list[Alert]) -> dict[str, list[Alert]]:
    """Each patient's alerts in order: the order between patients is nobody's business."""
    return {who: [alert for alert in alerts if alert.patient == who] for who in {alert.patient for alert in alerts}}


async def publish(settings: KafkaSettings, verdicts: list[Verdict]) -> None:
    async with KafkaPublisher(settings) as publisher:
        for each in verdicts:
            message = Outgoing(topic=topics.WINDOWS, key=each.patient.encode(), value=each.to_bytes())
            await publisher.send(message)


async def read(settings: KafkaSettings, topic: str, count: int) -> list[bytes]:
    values: list[bytes] = []
    async with KafkaReader(settings, [topic], start="beginning") as reader:
        async with asyncio.timeout(DEADLINE_S):
            while len(values) < count:
                values += [message.value or b"" for message in await reader.batch()]
        values += [message.value or b"" async for message in reader.to_end()]
    return values


async def test_instances_that_die_tell_every_alert_once(settings: KafkaSettings) -> None:
    verdicts = ward(patients=20, windows=100)
    alerts = expected(verdicts)
    assert {alert.phase for alert in alerts} >= {"start", "end"}
    seeded = random.Random(2)
    stop = asyncio.Event()
    fifth = len(verdicts) // 5
    for start in range(0, len(verdicts), fifth):
        await publish(settings, verdicts[start : start + fifth])
        runners: list[ExactlyOnce] = []
        life = asyncio.create_task(
            service.run(settings, SETTINGS, stop, registry=CollectorRegistry(), on_start=runners.append)
        )
        await until(lambda runners=runners: bool(runners) and runners[0].ready)  # type: ignore[misc] # a default binds
        await asyncio.wait({life}, timeout=seeded.uniform(0.0, 0.15))  # while it reads, transforms or commits
        life.cancel()
        await asyncio.gather(life, return_exceptions=True)
    registry = CollectorRegistry()
    survivor = asyncio.create_task(service.run(settings, SETTINGS, stop, registry=registry))
    published = [Alert.model_validate_json(value) for value in await read(settings, topics.ALERTS, len(alerts))]
    stop.set()
    await survivor
    assert by_patient(published) == by_patient(alerts)
    open_now = sum(alert.phase == "start" for alert in published) - sum(alert.phase == "end" for alert in published)
    assert open_now > 0
    assert registry.get_sample_value("ecgstream_alerting_patients") == 0, "an instance that has left holds nobody"


async def test_poison_is_put_aside_and_the_gauges_follow(settings: KafkaSettings) -> None:
    topic = topics.WINDOWS
    stop, registry = asyncio.Event(), CollectorRegistry()
    runners: list[ExactlyOnce] = []
    running = asyncio.create_task(
        service.run(settings, AlertingSettings(), stop, registry=registry, on_start=runners.append)
    )
    async with KafkaPublisher(settings) as publisher:
        await publisher.send(Outgoing(topic=topic, key=b"p1", value=b"no verdict"))
    await publish(settings, [verdict(window, "abnormal") for window in (0, 1)])
    (letter,) = await read(settings, topics.DEAD_LETTERS, 1)
    assert DeadLetter.model_validate_json(letter).topic == topic
    (alert,) = await read(settings, topics.ALERTS, 1)
    assert Alert.model_validate_json(alert).phase == "start"

    def gauge(name: str, labels: dict[str, str] | None = None) -> float | None:
        return registry.get_sample_value(f"ecgstream_alerting_{name}", labels or {})

    await until(lambda: gauge("partitions") == settings.partitions)
    await until(lambda: gauge("lag_messages") == 0)
    await until(lambda: gauge("open_alerts", {"kind": "physiological", "priority": "low"}) == 1)
    assert gauge("transactions_total") is not None
    assert runners[0].ready
    stop.set()
    await running


async def test_a_command_reaches_its_patient_and_outlives_a_crash(settings: KafkaSettings) -> None:
    await publish(settings, [verdict(window, "abnormal") for window in (0, 1)])
    stop = asyncio.Event()
    running = asyncio.create_task(service.run(settings, SETTINGS, stop, registry=CollectorRegistry()))
    (started,) = await read(settings, topics.ALERTS, 1)
    alarm = Alert.model_validate_json(started)
    published = AlertCommand(
        id="c1", patient="p1", action="acknowledge", alert=alarm.id, by="Ada", sent_ns=SystemClock().now_ns()
    )
    topic = topics.ALERT_COMMANDS
    async with KafkaPublisher(settings) as publisher:
        await publisher.send(Outgoing(topic=topic, key=b"p1", value=published.to_bytes()))
    _, seen = await read(settings, topics.ALERTS, 2)
    assert Alert.model_validate_json(seen).acknowledged_by == "Ada"
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    async with KafkaPublisher(settings) as publisher:
        await publisher.send(Outgoing(topic=topic, key=b"p1", value=published.to_bytes()))
    survivor = asyncio.create_task(service.run(settings, SETTINGS, stop, registry=CollectorRegistry()))
    letters = await read(settings, topics.DEAD_LETTERS, 1)
    assert ["came before" in DeadLetter.model_validate_json(letter).reason for letter in letters] == [True]
    assert len(await read(settings, topics.ALERTS, 2)) == 2
    stop.set()
    await survivor
