"""The strip of each alarm: kept once, as it was sent, and nothing that happens to it touches the alarms."""

import asyncio
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import structlog
from prometheus_client import CollectorRegistry
from pydantic import SecretStr
from sqlalchemy import URL

from alerting import service
from alerting.database.engine import HistoryError
from alerting.history.reading import AlarmHistory
from alerting.history.store import AlarmStore
from alerting.metrics import AlertingMetrics
from alerting.settings import AlertingSettings
from alerting.strips import keeper as strip_keeper
from alerting.strips.alarm_strip import AlarmStrip
from alerting.strips.keeper import StripKeeper
from alerting.strips.store import AFTER_NS, PATIENCE_NS, StripStore, ask_for, read_strip
from bus import topics
from bus.clients import BrokerError, KafkaPublisher
from bus.interfaces import Outgoing
from bus.messages import Alert
from bus.sample_history import NoSamplesError, SampleHistory, SamplesGoneError, SearchLimitError, StoredSamples
from bus.samples import Chunk, encode
from bus.settings import KafkaSettings
from bus.testing import FakeClock
from ecg.records import MISSING
from ops.clock import SystemClock
from tests.alerting.alerts import alert
from tests.alerting.history.entries import ALERTS, entry
from tests.alerting.verdicts import HOP_NS, START_NS, verdict
from tests.support.waiting import until

PUBLISHED_NS = entry(ALERTS, 0, None).published_ns


def samples(count: int = 3600) -> np.ndarray:
    """Two leads, nothing of one of them for a while, and the extremes of int16."""
    made = np.random.default_rng(1).integers(-32768, 32767, (count, 2), np.int16, endpoint=True)
    made[100:200, 1] = MISSING
    return made


def stored(from_ns: int, *, cut: int = 0) -> StoredSamples:
    rows = samples()
    rows[len(rows) - cut :] = MISSING
    return StoredSamples(
        patient="p1",
        device="holter",
        start_ns=from_ns,
        fs_hz=360.0,
        leads=("MLII", "V1"),
        gain=(200.0, 100.5),
        baseline=(1024, 0),
        samples=rows,
        streams=1,
        left_out=0,
    )


class Answers:
    """A recall that gives or raises what it is told to, in turn, and the last for ever."""

    def __init__(self, *answers: Callable[[int], StoredSamples] | Exception) -> None:
        self._answers = list(answers)
        self.asked: list[tuple[str, int, int]] = []

    async def read(self, patient: str, from_ns: int, to_ns: int) -> StoredSamples:
        self.asked.append((patient, from_ns, to_ns))
        answer = self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]
        if isinstance(answer, Exception):
            raise answer
        return answer(from_ns)


class Scene:
    """A database with alarms that wait, and a keeper."""

    def __init__(self, url: URL, *answers: Callable[[int], StoredSamples] | Exception) -> None:
        self.url = url
        self.samples = Answers(*answers)
        self.registry = CollectorRegistry()
        self.clock = FakeClock(start_ns=PUBLISHED_NS + 1000)
        self.keeper = StripKeeper(self.samples, url, AlertingMetrics(self.registry), clock=self.clock)

    def outcome(self, name: str) -> float:
        return self.registry.get_sample_value("ecgstream_alerting_strips_total", {"outcome": name}) or 0.0

    def strip(self, alarm: str) -> AlarmStrip | None:
        with AlarmHistory(self.url) as history:
            return history.strip(alarm)

    def lack(self, alarm: str) -> str:
        with AlarmHistory(self.url) as history:
            return history.lack_of_strip(alarm)

    async def until(self, condition: Callable[[], bool]) -> None:
        work = asyncio.create_task(self.keeper.run())
        try:
            await until(condition)
        finally:
            work.cancel()
            await asyncio.gather(work, return_exceptions=True)


@pytest.fixture(autouse=True)
def no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(strip_keeper, "POLL_S", 0.001)
    monkeypatch.setattr(strip_keeper, "WAIT_S", 0.001)


def recorded(store: AlarmStore, *alerts: Alert) -> None:
    store.record([entry(ALERTS, at, each) for at, each in enumerate(alerts)])


async def test_a_strip_is_kept_as_it_was_sent_and_once(store: AlarmStore, url: URL) -> None:
    first, other = alert(), alert(id="p2/x", patient="p2", onset_ns=START_NS + 1)
    recorded(store, first, alert(sequence=1, phase="update"), other)
    scene = Scene(url, stored)
    await scene.until(lambda: scene.outcome("kept") == 2)
    assert sorted(scene.samples.asked) == [
        ("p1", START_NS - 5_000_000_000, START_NS + 5_000_000_000),
        ("p2", START_NS - 4_999_999_999, START_NS + 5_000_000_001),
    ]
    kept = scene.strip(first.id)
    assert kept is not None
    assert (kept.alarm, kept.patient, kept.leads) == (first.id, "p1", ("MLII", "V1"))
    assert (kept.fs_hz, kept.start_ns) == (360.0, START_NS - 5_000_000_000)
    assert (kept.gain, kept.baseline) == ((200.0, 100.5), (1024, 0))
    assert np.array_equal(kept.samples, samples())
    again = Scene(url, SamplesGoneError("gone"))
    await again.clock.advance(10**9)
    assert await step(again) == 0
    assert scene.strip(first.id) is not None


async def step(scene: Scene) -> int:
    """One look, and none after it."""
    looked: list[int] = []
    whole = scene.keeper.step

    async def once(store: StripStore) -> int:
        looked.append(await whole(store))
        await asyncio.Event().wait()
        return 0

    scene.keeper.step = once  # type: ignore[method-assign] # to end behind the first
    await scene.until(lambda: bool(looked))
    scene.keeper.step = whole  # type: ignore[method-assign] # as it was
    return looked[0]


async def test_it_waits_until_the_stream_has_come_past_the_onset(store: AlarmStore, url: URL) -> None:
    early = alert(onset_ns=START_NS, told_ns=START_NS + AFTER_NS - 4_000_000_000)
    recorded(store, early)
    scene = Scene(url, lambda from_ns: stored(from_ns, cut=1), stored)
    assert await step(scene) == 0, "four seconds are to come"
    await scene.clock.advance(4.0)
    assert await step(scene) == 1
    assert scene.strip(early.id) is None, "the newest sample is not there"
    assert "not made it yet" in scene.lack(early.id)
    assert await step(scene) == 0
    await scene.clock.advance(2.0)
    assert await step(scene) == 1
    assert scene.outcome("kept") == 1


async def test_a_silent_patients_strip_is_what_there_is(store: AlarmStore, url: URL) -> None:
    silent = alert(condition="silent_patient", kind="technical")
    recorded(store, silent)
    scene = Scene(url, lambda from_ns: stored(from_ns, cut=1700))
    assert await step(scene) == 1
    await scene.clock.advance(PATIENCE_NS / 1e9)
    assert await step(scene) == 1
    kept = scene.strip(silent.id)
    assert kept is not None
    assert (kept.samples == MISSING).all(axis=1).sum() == 1700


@pytest.mark.parametrize(
    "why", [SamplesGoneError("left the topic"), SearchLimitError("takes more than"), NoSamplesError("has no samples")]
)
async def test_a_strip_that_cannot_be_had_is_noted_and_not_tried_for_ever(
    store: AlarmStore, url: URL, why: Exception
) -> None:
    recorded(store, alert())
    scene = Scene(url, why)
    await scene.clock.advance(PATIENCE_NS / 1e9)
    await scene.until(lambda: scene.outcome("none") == 1)
    assert await step(scene) == 0
    assert scene.strip(alert().id) is None
    assert scene.lack(alert().id) == str(why)


async def test_what_fails_is_tried_again(store: AlarmStore, url: URL, monkeypatch: pytest.MonkeyPatch) -> None:
    recorded(store, alert(), alert(id="p1/y"))
    scene = Scene(url, BrokerError("away"), stored)
    faults = iter([HistoryError("locked"), RuntimeError("a fault")])
    whole = StripStore.keep

    def keep(self: StripStore, strip: AlarmStrip) -> None:
        for fault in faults:
            raise fault
        whole(self, strip)

    monkeypatch.setattr(StripStore, "keep", keep)
    await scene.until(lambda: scene.outcome("kept") == 2)
    assert next(faults, None) is None
    assert scene.strip(alert().id) is not None
    assert scene.strip("p1/y") is not None


def test_an_alarm_from_before_has_none(store: AlarmStore, url: URL) -> None:
    recorded(store, alert(sequence=3, phase="update"))
    scene = Scene(url, stored)
    assert scene.strip(alert().id) is None
    assert "before strips were kept" in scene.lack(alert().id)


def test_asking_twice_changes_nothing(store: AlarmStore) -> None:
    with store._engine.begin() as connection:
        for _ in range(2):
            ask_for(connection, [(alert(), PUBLISHED_NS)])
        assert read_strip(connection, alert().id) is None


async def test_without_kafka_or_tables_it_waits_in_peace(tmp_path: Path) -> None:
    nowhere = KafkaSettings(_env_file=None, bootstrap_servers="127.0.0.1:9", connect_timeout_s=0.1)
    url = URL.create("sqlite+pysqlite", database=str(tmp_path / "none.sqlite"))
    with structlog.testing.capture_logs() as logs:
        metrics = AlertingMetrics(CollectorRegistry())
        async with SampleHistory(nowhere) as samples, StripKeeper(samples, url, metrics, clock=SystemClock()):
            await until(lambda: len(logs) > 1)
    assert {line["event"] for line in logs} == {"alarm_strips_wait"}
    assert not (tmp_path / "none.sqlite").exists()


@pytest.mark.broker
async def test_the_service_keeps_the_strip_of_what_it_tells(settings: KafkaSettings, tmp_path: Path) -> None:
    stop, registry = asyncio.Event(), CollectorRegistry()
    address = f"sqlite:///{tmp_path}/alarms.sqlite"
    shape = np.random.default_rng(2).integers(-500, 500, (40 * 360, 2), np.int16)
    async with KafkaPublisher(settings) as publisher:
        for second in range(40):
            rows = shape[second * 360 : (second + 1) * 360]
            chunk = Chunk(
                patient="p1",
                device="holter",
                start_ns=START_NS + second * 1_000_000_000,
                start_index=second * 360,
                fs_hz=360.0,
                leads=("MLII", "V1"),
                gain=(200.0, 200.0),
                baseline=(0, 0),
                samples=rows,
            )
            await publisher.send(Outgoing(topic=topics.SAMPLES, key=b"p1", value=encode(chunk), partition=None))
        for window in range(6):
            each = verdict(window, "abnormal" if window in {3, 4} else "normal")
            await publisher.send(Outgoing(topic=topics.WINDOWS, key=each.patient.encode(), value=each.to_bytes()))
    running = asyncio.create_task(
        service.run(settings, AlertingSettings(alarm_db=SecretStr(address)), stop, registry=registry)
    )
    await until(lambda: bool(registry.get_sample_value("ecgstream_alerting_strips_total", {"outcome": "kept"})))
    stop.set()
    await running
    with AlarmHistory(URL.create("sqlite+pysqlite", database=f"{tmp_path}/alarms.sqlite")) as history:
        kept = history.strip(f"p1/{START_NS}/4/abnormal_window")
    assert kept is not None
    assert kept.start_ns == START_NS + 3 * HOP_NS - 5_000_000_000
    assert np.array_equal(kept.samples, shape[10 * 360 : 20 * 360])
