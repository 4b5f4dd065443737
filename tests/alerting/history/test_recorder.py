"""The recorder beside the topics: what the database does never stops it for good, and nothing is lost."""

import asyncio
from collections.abc import Callable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

import pytest
import stamina
from prometheus_client import CollectorRegistry
from pydantic import SecretStr
from sqlalchemy import URL

from alerting import service
from alerting.database.engine import HistoryError
from alerting.history import recorder
from alerting.history.reading import AlarmHistory, Wanted
from alerting.history.recorder import Recorder
from alerting.history.store import AlarmStore
from alerting.metrics import AlertingMetrics
from alerting.settings import AlertingSettings
from bus import topics
from bus.clients import KafkaPublisher, KafkaReader
from bus.interfaces import Outgoing, Received
from bus.messages import Alert, AlertCommand
from bus.settings import KafkaSettings
from bus.testing import MemoryBus
from bus.topic_admin import TopicState
from ops.clock import SystemClock
from tests.alerting.alerts import alert
from tests.alerting.history.entries import command
from tests.alerting.verdicts import verdict
from tests.support.waiting import until

KAFKA = KafkaSettings(_env_file=None, topic_prefix="ward7.")
ALERTS, COMMANDS = topics.ALERTS, topics.ALERT_COMMANDS


class LogReader:
    """Reads a memory bus as ``KafkaReader`` reads Kafka."""

    def __init__(self, bus: MemoryBus, names: list[str], start: Mapping[tuple[str, int], int]) -> None:
        self._bus = bus
        self._next = {
            (name, number): start.get((name, number), 0) for name in names for number in range(bus.partitions)
        }

    async def batch(self, *, timeout_ms: int) -> list[Received]:
        await asyncio.sleep(min(timeout_ms, 1) / 1000)  # as long as an idle reader waits, and a turn of the loop
        found = [message for place, at in self._next.items() for message in self._bus.log(*place)[at:]]
        self._next = {place: len(self._bus.log(*place)) for place in self._next}
        return found


@pytest.fixture(autouse=True)
def no_waiting() -> Iterator[None]:
    stamina.set_testing(True, attempts=1000, cap=True)
    yield
    stamina.set_testing(False)


@pytest.fixture
def bus(monkeypatch: pytest.MonkeyPatch) -> MemoryBus:
    """Topics in memory in the place of Kafka."""
    made = MemoryBus(partitions=2)

    async def states(*_: object) -> dict[str, TopicState]:
        return {
            name: TopicState(
                name=KAFKA.topic(name),
                ends={number: len(made.log(name, number)) for number in range(made.partitions)},
                beginnings=dict.fromkeys(range(made.partitions), 0),
            )
            for name in recorder.READ
        }

    async def cluster(_: object) -> str:
        return "memory"

    @asynccontextmanager
    async def reader(_: object, names: list[str], *, start: Mapping[tuple[str, int], int]) -> Any:
        yield LogReader(made, names, start)

    monkeypatch.setattr(recorder, "topic_states", states)
    monkeypatch.setattr(recorder, "cluster_id", cluster)
    monkeypatch.setattr(recorder, "KafkaReader", reader)
    monkeypatch.setattr(recorder, "JITTER_S", 0.0)
    monkeypatch.setattr(recorder, "WAIT_S", 0.0)
    return made


def publish(bus: MemoryBus, *messages: Alert | AlertCommand | bytes) -> None:
    for message in messages:
        if isinstance(message, Alert):
            bus.put(Outgoing(topic=ALERTS, key=message.id.encode(), value=message.to_bytes()))
        elif isinstance(message, AlertCommand):
            bus.put(Outgoing(topic=COMMANDS, key=message.patient.encode(), value=message.to_bytes()))
        else:
            bus.put(Outgoing(topic=ALERTS, key=b"k", value=message or None))


class Life:
    """A recorder at work, and what it counts."""

    def __init__(self, url: URL) -> None:
        self.registry = CollectorRegistry()
        self.recorder = Recorder(KAFKA, url, AlertingMetrics(self.registry), clock=SystemClock())

    def count(self, name: str) -> float:
        return self.registry.get_sample_value(f"ecgstream_alerting_history_{name}") or 0.0

    async def until(self, condition: Callable[[], bool]) -> None:
        """Record until the condition holds."""
        work = asyncio.create_task(self.recorder.run())
        await until(condition)
        self.recorder.leave()
        await work


async def recorded(url: URL) -> Life:
    """A recorder that has read up to the end and left."""
    life = Life(url)
    life.recorder.leave()
    await life.recorder.run()
    return life


def counts(url: URL) -> dict[str, int]:
    with AlarmHistory(url) as history:
        return history.counts()


async def test_what_is_told_is_recorded_and_read_on_after_a_restart(bus: MemoryBus, url: URL) -> None:
    publish(bus, *(alert(sequence=number) for number in range(3)), command(1))
    first = await recorded(url)
    assert (first.count("events_total"), first.count("actions_total")) == (3, 1)
    publish(bus, alert(sequence=3), command(2))
    second = await recorded(url)
    assert (second.count("events_total"), second.count("actions_total")) == (1, 1)
    assert second.count("missing_total") == 0
    assert counts(url) == {"alarms": 1, "alarm_events": 4, "actions": 2}


async def test_what_cannot_be_read_or_written_is_passed_over_and_told(bus: MemoryBus, url: URL) -> None:
    publish(bus, alert(), b"no alert", b"", alert(sequence=1, told_ns=2**70), alert(sequence=2))
    bus.put(Outgoing(topic=COMMANDS, key=b"another", value=command(1).to_bytes()))
    life = await recorded(url)
    assert life.count("unreadable_total") == 3
    assert counts(url) == {"alarms": 1, "alarm_events": 2, "actions": 0}
    assert (await recorded(url)).count("unreadable_total") == 0, "once is enough"


async def test_topics_made_anew_are_read_from_their_beginning(bus: MemoryBus, url: URL) -> None:
    publish(bus, *(alert(sequence=number) for number in range(3)))
    await recorded(url)
    for number in range(bus.partitions):
        bus.log(ALERTS, number).clear()
    publish(bus, alert(id="p1/new"))
    await recorded(url)
    assert counts(url)["alarms"] == 2


@contextmanager
def failing(monkeypatch: pytest.MonkeyPatch, name: str) -> Iterator[list[bool]]:
    """A method of the store that fails while the list says so."""
    whole = getattr(AlarmStore, name)
    away = [True]

    def attempted(self: AlarmStore, *arguments: Any) -> Any:
        if away[0]:
            raise HistoryError("the database is away: bring it back")
        return whole(self, *arguments)

    with monkeypatch.context() as patch:
        patch.setattr(AlarmStore, name, attempted)
        yield away


@pytest.mark.parametrize("name", ["open", "places", "record"])
async def test_a_database_that_is_away_is_waited_for(
    bus: MemoryBus, url: URL, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    publish(bus, alert(), command(1))
    life = Life(url)
    with failing(monkeypatch, name) as away:
        work = asyncio.create_task(life.recorder.run())
        await until(lambda: life.count("failures_total") >= 3)
        assert life.count("failing_seconds") > 0
        publish(bus, alert(sequence=1))
        away[0] = False
        await until(lambda: life.count("events_total") == 2)
    assert life.count("failing_seconds") == 0
    life.recorder.leave()
    await work
    assert counts(url) == {"alarms": 1, "alarm_events": 2, "actions": 1}


async def test_a_file_that_is_taken_away_is_made_anew_and_filled_from_kafka(bus: MemoryBus, tmp_path: Path) -> None:
    file = tmp_path / "alarms.sqlite"
    url = URL.create("sqlite+pysqlite", database=str(file))
    publish(bus, alert(), command(1))
    life = Life(url)
    work = asyncio.create_task(life.recorder.run())
    await until(lambda: life.count("events_total") == 1)
    file.unlink()
    publish(bus, alert(sequence=1))
    await until(lambda: life.count("events_total") == 3)
    life.recorder.leave()
    await work
    assert counts(url) == {"alarms": 1, "alarm_events": 2, "actions": 1}
    assert life.count("failures_total") >= 1


async def test_a_fault_of_the_program_does_not_end_the_history(
    bus: MemoryBus, url: URL, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish(bus, alert())
    faults = iter([RuntimeError("a fault"), RuntimeError("another")])
    whole = AlarmStore.record

    def record(self: AlarmStore, *arguments: Any) -> Any:
        for fault in faults:
            raise fault
        return whole(self, *arguments)

    monkeypatch.setattr(AlarmStore, "record", record)
    life = Life(url)
    await life.until(lambda: life.count("events_total") == 1)
    assert life.count("failures_total") == 2


async def test_a_service_that_leaves_records_what_was_told_before(bus: MemoryBus, url: URL) -> None:
    metrics = AlertingMetrics(CollectorRegistry())
    async with Recorder(KAFKA, url, metrics, clock=SystemClock()):
        publish(bus, alert(), alert(sequence=1))
    assert counts(url)["alarm_events"] == 2


@pytest.mark.broker
async def test_the_service_keeps_all_that_it_tells(settings: KafkaSettings, tmp_path: Path) -> None:
    address = f"sqlite:///{tmp_path}/alarms.sqlite"
    stop, registry = asyncio.Event(), CollectorRegistry()
    running = asyncio.create_task(
        service.run(settings, AlertingSettings(alarm_db=SecretStr(address)), stop, registry=registry)
    )
    asked = command(1, alert=None, action="silence", duration_s=60.0)
    async with KafkaPublisher(settings) as publisher:
        for window in range(12):
            each = verdict(window, "abnormal" if window % 4 < 2 else "normal")
            await publisher.send(Outgoing(topic=topics.WINDOWS, key=each.patient.encode(), value=each.to_bytes()))
        await publisher.send(Outgoing(topic=topics.ALERT_COMMANDS, key=b"p1", value=asked.to_bytes()))
    url = URL.create("sqlite+pysqlite", database=f"{tmp_path}/alarms.sqlite")

    def value(name: str) -> float:
        return registry.get_sample_value(f"ecgstream_alerting_history_{name}_total") or 0.0

    await until(lambda: value("actions") == 1 and value("events") >= 2)
    stop.set()
    await running
    async with KafkaReader(settings, [topics.ALERTS], start="beginning") as reader:
        published = [Alert.model_validate_json(message.value or b"") async for message in reader.to_end()]
    with AlarmHistory(url) as history:
        lives = [history.life(each.id) for each in history.every(Wanted())]
    assert {each.id: tuple(one for one in published if one.id == each.id) for each in published} == {
        life.newest.id: life.events for life in lives
    }
