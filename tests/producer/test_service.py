import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, Literal

import numpy as np
import pytest
from prometheus_client import CollectorRegistry

from bus.clients import KafkaPublisher, KafkaReader
from bus.interfaces import Outgoing, Received
from bus.samples import Chunk, decode
from bus.settings import KafkaSettings
from bus.testing import FakeClock, MemoryBus, MemoryPublisher
from bus.topics import SAMPLES
from ecg.errors import EcgStreamError
from ecg.records import Record
from ops.clock import SystemClock
from producer.metrics import ReplayMetrics
from producer.service import CHECK_S, LISTEN_S, TICK_S, Progress, Replay
from producer.settings import FaultSettings, ReplaySettings
from producer.streams import Patient, deal
from tests.producer.records import joined, record

START_NS = 1_700_000_000_000_000_000


def settings(**changes: Any) -> ReplaySettings:
    return ReplaySettings(_env_file=None, **changes)


class Stage:
    """A replay on a bus in memory and a clock that the test turns."""

    def __init__(self, patients: tuple[Patient, ...], publisher: Any = None, **changes: Any) -> None:
        self.clock = FakeClock(start_ns=START_NS)
        self.bus = MemoryBus(clock=self.clock)
        self.registry = CollectorRegistry()
        self.stop = asyncio.Event()
        self.progress: list[Progress] = []
        self.replay = Replay(
            patients,
            settings(**changes),
            publisher=publisher or MemoryPublisher(self.bus),
            clock=self.clock,
            metrics=ReplayMetrics(self.registry),
        )

    async def start(self) -> "asyncio.Task[Progress]":
        running = asyncio.get_running_loop().create_task(self.replay.run(self.stop, self.progress.append))
        await asyncio.sleep(0)  # the replay's clock starts with its first step
        return running

    def sent(self) -> list[Received]:
        return sorted(self.bus.messages(SAMPLES), key=lambda message: message.timestamp_ms)

    def chunks(self, patient: str) -> list[Chunk]:
        return [decode(message.value, key=message.key) for message in self.sent() if message.key == patient.encode()]


async def finished(running: "asyncio.Task[Progress]") -> Progress:
    """The replay's last word; a replay that waits for a clock that nobody turns fails the test."""
    return await asyncio.wait_for(running, 30)


async def test_at_real_pace_a_chunk_goes_when_its_last_sample_is_taken() -> None:
    stage = Stage(deal([record(3600)]))
    running = await stage.start()
    for step in range(1, 41):
        await stage.clock.advance(0.25 + (TICK_S if step == 1 else 0))
        assert len(stage.sent()) == step
    assert (await finished(running)).chunks == 40
    for message in stage.sent():
        chunk = decode(message.value)
        taken_ms = (chunk.start_ns + len(chunk.samples) * 10**9 // 360) // 10**6
        assert 0 <= message.timestamp_ms - taken_ms <= TICK_S * 1000 + 1


@pytest.mark.parametrize("speed", [0.5, 10.0, 100.0])
async def test_other_paces_change_when_chunks_go_but_not_what_they_say(speed: float) -> None:
    stage = Stage(deal([record(3600)]), speed=speed)
    running = await stage.start()
    await stage.clock.advance(5 / speed + TICK_S)
    assert 20 <= len(stage.sent()) <= 21 + TICK_S * speed / 0.25
    await stage.clock.advance(5 / speed + TICK_S)
    await finished(running)
    assert joined(stage.chunks("r")).shape == (3600, 2)
    first, *_, last = stage.chunks("r")
    assert last.start_ns == first.start_ns + 9_750_000_000
    assert first.start_ns == START_NS - (0 if speed < 1 else round(10**10 * (1 - 1 / speed)))


@pytest.mark.parametrize("speed", [1.0, 7.0, 100.0, "max"])
async def test_no_sample_is_sent_before_its_time_and_the_last_one_at_it(speed: float | Literal["max"]) -> None:
    stage = Stage(deal([record(3600), record(1800, name="short")], 5), speed=speed)
    running = await stage.start()
    if speed != "max":
        await stage.clock.advance(15 + TICK_S)
    await finished(running)
    ahead_ms = [
        chunk.start_ns / 1e6 + len(chunk.samples) / chunk.fs_hz * 1e3 - message.timestamp_ms
        for message in stage.sent()
        for chunk in (decode(message.value),)
    ]
    assert len(ahead_ms) > 100
    assert -TICK_S * 1000 - 2 <= max(ahead_ms) < 1


async def test_a_stream_without_an_end_begins_now() -> None:
    stage = Stage(deal([record(3600)], loop=True), speed=100.0)
    running = await stage.start()
    await stage.clock.advance(1)
    stage.stop.set()
    await stage.clock.advance(LISTEN_S)
    await finished(running)
    assert stage.chunks("r")[0].start_ns == START_NS


async def test_hours_bring_no_drift() -> None:
    stage = Stage(deal([record(1000, fs_hz=333.3)], loop=True), chunk_ms=1000)
    running = await stage.start()
    await stage.clock.advance(2 * 3600 + TICK_S)
    stage.stop.set()
    await stage.clock.advance(LISTEN_S)
    assert (await finished(running)).chunks == 7200
    late_ms = [
        message.timestamp_ms - (chunk.start_ns / 1e6 + len(chunk.samples) / chunk.fs_hz * 1e3)
        for message, chunk in zip(stage.sent(), stage.chunks("r"), strict=True)
    ]
    assert min(late_ms) > -1.1
    assert max(late_ms) <= TICK_S * 1000 + 1


async def test_many_patients_share_the_load_evenly() -> None:
    stage = Stage(deal([record(36_000)], 50, loop=True))
    running = await stage.start()
    await stage.clock.advance(10)
    stage.stop.set()
    await stage.clock.advance(LISTEN_S)
    await finished(running)
    by_tick = np.bincount([(message.timestamp_ms - START_NS // 10**6) // 10 for message in stage.sent()])
    assert by_tick[600:900].max() <= 7  # 200 chunks/s are 4 in a tick of 20 ms; all at once it would be 50
    assert {len(stage.chunks(patient.id)) for patient in deal([record(36_000)], 50)} <= set(range(19, 41))


async def test_who_falls_behind_sends_all_that_is_due_and_drops_nothing() -> None:
    stage = Stage(deal([record(36_000)]))
    line = Line(stall=lambda: stage.clock.sleep(20))
    stage.replay._publisher = line
    running = await stage.start()
    await stage.clock.advance(30 + TICK_S)  # the broker was away for the first twenty seconds
    stage.stop.set()
    await stage.clock.advance(LISTEN_S)
    done = await finished(running)
    indices = [decode(message.value).start_index for message in line.messages]
    assert indices == [90 * number for number in range(120)]
    assert max(progress.behind_s for progress in stage.progress) > 15
    assert done.behind_s <= TICK_S


async def test_as_fast_as_possible_needs_no_clock() -> None:
    stage = Stage(deal([record(36_000, name="a"), record(18_000, name="b")], 4), speed="max")
    done = await finished(await stage.start())
    assert (done.patients, done.samples) == (0, 36_000 + 18_000 + 18_000 + 9_000)
    assert joined(stage.chunks("b-2")).shape == (9_000, 2)
    assert done == stage.progress[-1]


@pytest.mark.parametrize("chunk_ms", [100, 250, 1000])
async def test_the_same_start_gives_the_same_samples_for_any_chunk_length(chunk_ms: int) -> None:
    stage = Stage(deal([record(3600)], 3), speed="max", chunk_ms=chunk_ms, start_ns=5_000)
    await finished(await stage.start())
    for number in range(3):
        chunks = stage.chunks(f"r-{number + 1}")
        assert chunks[0].start_ns == 5_000 + Replay.begins_after_ns(number)
        np.testing.assert_array_equal(joined(chunks), record(3600).samples[1200 * number :])


class Line:
    """A publisher that tells whether all was flushed, and can refuse or lose messages."""

    def __init__(
        self,
        *,
        refuse_at: int | None = None,
        lose_at: int | None = None,
        stall: Callable[[], Awaitable[None]] | None = None,
    ) -> None:
        self.messages: list[Outgoing] = []
        self.flushed = 0
        self.refuse_at, self.lose_at, self.stall = refuse_at, lose_at, stall

    async def send(self, message: Outgoing) -> Awaitable[None]:
        if len(self.messages) == self.refuse_at:
            raise EcgStreamError("refused")
        if self.stall is not None and not self.messages:
            await self.stall()
        self.messages.append(message)
        stored: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        stored.set_result(None)
        return stored

    async def flush(self) -> None:
        if self.lose_at is not None and len(self.messages) > self.lose_at:
            raise EcgStreamError("lost")
        self.flushed = len(self.messages)


@pytest.mark.parametrize("speed", [1.0, "max"])
async def test_a_stop_leaves_everything_flushed(speed: float | str) -> None:
    line = Line()
    stage = Stage(deal([record(3600)], loop=True), publisher=line, speed=speed)
    running = await stage.start()
    await stage.clock.advance(CHECK_S / 2)
    stage.stop.set()
    await stage.clock.advance(LISTEN_S)
    done = await finished(running)
    assert line.flushed == len(line.messages) == done.chunks > 0


async def test_a_message_that_is_refused_ends_the_replay_with_its_error() -> None:
    stage = Stage(deal([record(3600)]), publisher=Line(refuse_at=3), speed="max")
    with pytest.raises(EcgStreamError, match="refused"):
        await finished(await stage.start())


async def test_a_message_that_was_lost_is_told_while_the_replay_runs() -> None:
    line = Line(lose_at=2)
    stage = Stage(deal([record(3600)], loop=True), publisher=line)
    running = await stage.start()
    await stage.clock.advance(2 * CHECK_S)
    with pytest.raises(EcgStreamError, match="lost"):
        await finished(running)
    assert len(line.messages) < 10


async def test_progress_and_metrics_agree() -> None:
    stage = Stage(deal([record(3600)], 2), speed=2.0)
    running = await stage.start()
    await stage.clock.advance(6)
    done = await finished(running)
    sizes = sum(len(message.value or b"") for message in stage.sent())
    assert (done.patients, done.chunks, done.samples, done.bytes) == (0, 60, 5400, sizes)
    assert done.replayed_s == 10.0
    assert [progress.chunks for progress in stage.progress] == sorted(progress.chunks for progress in stage.progress)
    for name, value in {"chunks": 60, "samples": 5400, "bytes": sizes}.items():
        assert stage.registry.get_sample_value(f"ecgstream_producer_{name}_total") == value
    assert stage.registry.get_sample_value("ecgstream_producer_patients") == 0
    assert stage.registry.get_sample_value("ecgstream_producer_behind_seconds") == pytest.approx(0, abs=TICK_S + 1e-9)


def whole_replay(patients: tuple[Patient, ...], faults: FaultSettings, noise: Record | None = None) -> Replay:
    return Replay(
        patients,
        settings(),
        publisher=MemoryPublisher(MemoryBus()),
        clock=FakeClock(),
        metrics=ReplayMetrics(CollectorRegistry()),
        faults=faults,
        noise=noise,
    )


def test_what_cannot_be_replayed_is_refused() -> None:
    none = FaultSettings(_env_file=None)
    twice = (*deal([record()]), *deal([record()]))
    with pytest.raises(EcgStreamError, match="two patients share an id"):
        whole_replay(twice, none)
    with pytest.raises(EcgStreamError, match="noise='em' needs its record"):
        whole_replay(deal([record()]), none.model_copy(update={"noise": "em"}))


@pytest.mark.broker
async def test_on_a_real_broker_every_sample_arrives_in_order(settings: KafkaSettings) -> None:

    patients = deal([record(36_000, name="a"), record(36_000, name="b")], 10)
    async with KafkaPublisher(settings) as publisher:
        done = await Replay(
            patients,
            ReplaySettings(_env_file=None, speed="max", start_ns=START_NS),
            publisher=publisher,
            clock=SystemClock(),
            metrics=ReplayMetrics(CollectorRegistry()),
        ).run(asyncio.Event())
    arrived: dict[str, list[Chunk]] = {}
    partitions: dict[str, set[int]] = {}
    async with asyncio.timeout(60), KafkaReader(settings, [SAMPLES], start="beginning") as reader:
        async for message in reader.to_end():
            chunk = decode(message.value, key=message.key)
            arrived.setdefault(chunk.patient, []).append(chunk)
            partitions.setdefault(chunk.patient, set()).add(message.partition)
    assert sum(len(chunks) for chunks in arrived.values()) == done.chunks
    for patient in patients:
        np.testing.assert_array_equal(joined(arrived[patient.id]), patient.record.samples[patient.offset :])
        assert len(partitions[patient.id]) == 1
