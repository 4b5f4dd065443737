"""The detector over messages, without a broker."""

import asyncio
import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry

from bus import topics
from bus.interfaces import Outgoing, Received
from bus.messages import DeadLetter, Verdict
from bus.partitioning import partition_of
from bus.progress_store import ProgressRecord, ProgressUnavailableError
from bus.samples import encode
from bus.testing import FakeClock, MemoryBus, MemoryProgressStore
from detector.metrics import DetectorMetrics
from detector.partition_state import PARTITION_KEY
from detector.publishing import INGEST_HEADER
from detector.scorer import Scorer
from detector.transform import DetectorTransform
from ecg.records import Record
from producer.streams import Patient, cut
from tests.bus.poison import POISON
from tests.detector.streams import START_NS
from tests.support.own_models import write_model
from tests.support.verdicts import verdicts_of


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def registry() -> CollectorRegistry:
    return CollectorRegistry()


@pytest.fixture
def bus() -> MemoryBus:
    return MemoryBus(partitions=1)


@pytest.fixture
def transform(scorer: Scorer, clock: FakeClock, registry: CollectorRegistry, bus: MemoryBus) -> DetectorTransform:
    return new_transform(scorer, clock, registry, bus=bus)


def new_transform(
    scorer: Scorer, clock: FakeClock, registry: CollectorRegistry, *, bus: MemoryBus | None = None, partitions: int = 1
) -> DetectorTransform:
    return DetectorTransform(
        scorer,
        silent_s=60,
        forget_s=3600,
        store=MemoryProgressStore(bus or MemoryBus(partitions=partitions), topics.DETECTOR_PROGRESS),
        partitions=partitions,
        metrics=DetectorMetrics(registry),
        clock=clock,
    )


def commit(bus: MemoryBus, transform: DetectorTransform, outputs: Sequence[Outgoing]) -> None:
    offsets = [bus.put(replace(message, partition=0)).offset for message in outputs]
    transform.committed(0, outputs, offsets)


def compacted(bus: MemoryBus) -> Mapping[bytes, ProgressRecord]:
    return MemoryProgressStore(bus, topics.DETECTOR_PROGRESS).compacted(0)


def received(value: bytes | None, key: bytes | None, offset: int, partition: int = 0) -> Received:
    return Received(
        topic=topics.SAMPLES, partition=partition, offset=offset, timestamp_ms=1000 + offset, key=key, value=value
    )


def letters_in(outputs: list[Outgoing]) -> list[DeadLetter]:
    return [DeadLetter.model_validate_json(m.value or b"") for m in on(topics.DEAD_LETTERS, outputs)]


def stream_of(record: Record, patient: str, seconds: float) -> list[Received]:
    who = Patient(id=patient, record=record, length=int(seconds * record.fs_hz))
    chunks = cut(who, chunk_ms=250, start_ns=START_NS)
    return [received(encode(chunk), patient.encode(), offset) for offset, chunk in enumerate(chunks)]


def on(topic: str, messages: list[Outgoing]) -> list[Outgoing]:
    return [message for message in messages if message.topic == topic]


async def test_windows_of_many_patients_are_scored_in_one_call(
    scorer: Scorer, clock: FakeClock, registry: CollectorRegistry, excerpt: Record
) -> None:
    transform = new_transform(scorer, clock, registry, partitions=2)
    batch: dict[int, list[Received]] = {0: [], 1: []}
    for number in range(5):
        home = partition_of(f"p{number}".encode(), 2)
        batch[home] += [m._replace(partition=home) for m in stream_of(excerpt, f"p{number}", 20)]
    for partition in batch:
        transform.open(partition, {})
    outputs = await transform.process(batch)
    verdicts = [
        Verdict.model_validate_json(m.value or b"") for out in outputs.values() for m in on(topics.WINDOWS, list(out))
    ]
    assert len(verdicts) == 20
    assert registry.get_sample_value("ecgstream_detector_batch_windows_count") == 1
    assert registry.get_sample_value("ecgstream_detector_batch_windows_sum") == 20
    assert transform.patients == 5


async def test_rings_scores_and_models_are_measured(
    transform: DetectorTransform, scorer: Scorer, registry: CollectorRegistry, excerpt: Record
) -> None:
    def value(name: str, **labels: str) -> float | None:
        return registry.get_sample_value(f"ecgstream_detector_{name}", labels)

    transform.open(0, {})
    await transform.process({0: [*stream_of(excerpt, "p", 20), *stream_of(excerpt, "q", 20)]})
    # Two patients, two bytes a sample: the 15 s that the models see, and what comes before and behind.
    assert 2 * 2 * 15 < transform.ring_bytes / excerpt.fs_hz < 2 * 2 * 30
    counts = [value("scores_count", score=score) for score in ("fused", "cnn", "autoencoder")]
    assert counts[0]
    assert len(set(counts)) == 1
    assert value("model_info", preprocessing=scorer.manifest.preprocessing_version, **scorer.versions) == 1
    transform.close(0)
    assert transform.ring_bytes == 0


async def test_switch_loses_no_window_and_judges_none_twice(
    transform: DetectorTransform, registry: CollectorRegistry, excerpt: Record, tmp_path: Path
) -> None:
    transform.open(0, {})
    messages = stream_of(excerpt, "p", 60)
    outputs = list((await transform.process({0: messages[:123]}))[0])
    own = Scorer(write_model(tmp_path))
    transform.switch(own)
    outputs += (await transform.process({0: messages[123:]}))[0]
    found = [Verdict.model_validate_json(message.value or b"") for message in on(topics.WINDOWS, outputs)]
    assert [each.window for each in found] == list(range(12))
    assert [each.models == own.versions for each in found] == [False] * 6 + [True] * 6
    assert registry.get_sample_value("ecgstream_detector_model_switches_total") == 1


async def test_what_waits_is_told_in_seconds_of_each_patients_ecg(
    transform: DetectorTransform, excerpt: Record
) -> None:
    transform.open(0, {})
    await transform.process({0: [*stream_of(excerpt, "p", 5), *stream_of(excerpt, "q", 5)]})
    # Eight messages of 0.25 s, of two patients in turn.
    assert transform.seconds_waiting({0: 8}) == pytest.approx(1.0)
    assert transform.seconds_waiting({0: 0}) == 0
    assert transform.seconds_waiting({}) == 0


async def test_letters_and_stale_samples_are_counted_by_why(
    transform: DetectorTransform, registry: CollectorRegistry, excerpt: Record
) -> None:
    transform.open(0, {})
    good = stream_of(excerpt, "p", 40)
    again = [message._replace(offset=1000 + number) for number, message in enumerate(good[:4])]
    await transform.process({0: [*good, *again, received(b"bad", b"q", 2000)]})
    await transform.process({0: [m._replace(offset=3000 + m.offset) for m in stream_of(excerpt, "p", 80)[160:]]})
    assert registry.get_sample_value("ecgstream_detector_dead_letters_total", {"code": "undecodable"}) == 1
    assert registry.get_sample_value("ecgstream_detector_dead_letters_total", {"code": "clock"}) == 0
    judged = registry.get_sample_value("ecgstream_detector_stale_samples_total", {"reason": "judged"})
    assert judged == pytest.approx(excerpt.fs_hz)  # four chunks of 0.25 s


async def test_the_trace_of_the_chunk_that_completes_a_window_goes_on(
    transform: DetectorTransform, excerpt: Record
) -> None:
    parents = [f"00-{'ab' * 16}-{number + 1:016x}-01".encode() for number in range(40)]
    chunks = [
        message._replace(headers=(("other", b"x"), ("traceparent", parents[number]), ("tracestate", b"a=b")))
        for number, message in enumerate(stream_of(excerpt, "p", 10))
    ]
    transform.open(0, {})
    outputs = list((await transform.process({0: chunks}))[0])
    of_trace = [
        [header for header in message.headers if header[0] != INGEST_HEADER] for message in on(topics.WINDOWS, outputs)
    ]
    assert of_trace == [[("traceparent", parents[at]), ("tracestate", b"a=b")] for at in (19, 39)]


async def test_outputs_of_a_window(transform: DetectorTransform, scorer: Scorer, excerpt: Record) -> None:
    transform.open(0, {})
    outputs = list((await transform.process({0: stream_of(excerpt, "p", 10)}))[0])
    windows = on(topics.WINDOWS, outputs)
    expected = verdicts_of(excerpt, scorer, patient="p", device="ecgstream-replay", start_ns=START_NS)[:2]
    assert [Verdict.model_validate_json(m.value or b"").id for m in windows] == [v.id for v in expected]
    # The 20th quarter-second chunk completes the first window.
    assert dict(windows[0].headers)[INGEST_HEADER] == b"1019"
    abnormal = [m.value for m in windows if b'"decision":"abnormal"' in (m.value or b"")]
    assert [m.value for m in on(topics.ANOMALIES, outputs)] == abnormal
    assert [m.key for m in on(topics.DETECTOR_PROGRESS, outputs)] == [b"p", PARTITION_KEY]


async def test_every_poison_becomes_a_dead_letter_and_the_stream_goes_on(
    transform: DetectorTransform, excerpt: Record
) -> None:
    transform.open(0, {})
    good = stream_of(excerpt, "p", 5)
    poisoned = [received(poison.value, poison.key, 1000 + n) for n, poison in enumerate(POISON)]
    good[-1] = good[-1]._replace(timestamp_ms=60_000)
    outputs = list((await transform.process({0: [*good[:10], *poisoned, *good[10:]]}))[0])
    letters = letters_in(outputs)
    # The poison without a key is of one sender: it is told one by one at first, and then together.
    assert sum(letter.count for letter in letters) == len(POISON)
    assert all(letter.reason and letter.service == "detector" for letter in letters)
    assert all(letter.code in {"undecodable", "unknown_schema", "wrong_key"} for letter in letters)
    assert len(on(topics.WINDOWS, outputs)) == 1


async def test_dead_letters_are_not_sent_again_on_rereading(transform: DetectorTransform) -> None:
    record = json.dumps({"resume_offset": 3, "next_offset": 6}).encode()
    transform.open(0, {PARTITION_KEY: ProgressRecord(offset=0, value=record)})
    outputs = await transform.process({0: [received(b"bad", b"p", offset) for offset in range(3, 9)]})
    letters = on(topics.DEAD_LETTERS, list(outputs[0]))
    assert [DeadLetter.model_validate_json(m.value or b"").offset for m in letters] == [6, 7, 8]


async def test_a_flood_of_bad_messages_quarantines_its_sender_and_all_else_goes_on(
    transform: DetectorTransform, bus: MemoryBus, excerpt: Record
) -> None:
    mixed: list[Received] = []
    for number, good in enumerate(stream_of(excerpt, "p", 20)):
        mixed += [good, *[received(b"bad", b"q", 0)] * 40]
        mixed[-41:] = [m._replace(timestamp_ms=250 * number) for m in mixed[-41:]]
    log = [m._replace(offset=offset) for offset, m in enumerate(mixed)]
    log.append(received(b"bad", b"q", len(log)))
    log[-1] = log[-1]._replace(timestamp_ms=40_000)

    letters, verdicts, offset = [], 0, 0
    restarts = {410, 820, 1230, 1640, 2050}
    transform.open(0, {})
    while offset < len(log):
        outputs = list((await transform.process({0: log[offset : offset + 41]})).get(0, []))
        letters += letters_in(outputs)
        verdicts += len(on(topics.WINDOWS, outputs))
        commit(bus, transform, outputs)
        offset += 41
        if offset in restarts:
            assert transform.quarantined == 1
            restarts.remove(offset)
            transform.close(0)
            # What was counted and not told when it crashed is counted again.
            offset = transform.open(0, compacted(bus)) or 0
    assert verdicts == 4
    assert sum(letter.count for letter in letters) == 3200  # the last is counted and will be told
    assert len(letters) < 30
    assert {(letter.patient, letter.code) for letter in letters} == {("q", "undecodable")}
    published = sorted((letter.first_offset or letter.offset, letter.offset) for letter in letters)
    assert all(end < start for (_, end), (start, _) in pairwise(published))


@pytest.mark.parametrize("code", ["no_key", "wrong_partition"])
async def test_a_message_that_lies_where_its_patient_does_not_belong_is_refused(
    scorer: Scorer, clock: FakeClock, registry: CollectorRegistry, excerpt: Record, code: str
) -> None:
    transform = new_transform(scorer, clock, registry, partitions=4)
    home = partition_of(b"p", 4)
    there = (home + 1) % 4
    message = stream_of(excerpt, "p", 5)[0]._replace(partition=there, key=None if code == "no_key" else b"p")
    transform.open(there, {})
    outputs = list((await transform.process({there: [message]}))[there])
    (letter,) = letters_in(outputs)
    assert (letter.code, letter.patient) == (code, "p")
    assert on(topics.DEAD_LETTERS, outputs)[0].partition == home  # alerting looks for the patient there
    assert ("murmur2_random" in letter.reason) == (code == "wrong_partition")
    assert transform.patients == 0


async def test_forgotten_patient_leaves_the_progress_topic(
    transform: DetectorTransform, clock: FakeClock, excerpt: Record
) -> None:
    transform.open(0, {})
    await transform.process({0: stream_of(excerpt, "p", 5)})
    await clock.advance(61)
    await transform.process({})
    await clock.advance(3601)
    outputs = list((await transform.process({}))[0])
    assert [(m.topic, m.key, m.value) for m in outputs[:1]] == [(topics.DETECTOR_PROGRESS, b"p", None)]
    assert [m.key for m in outputs[1:]] == [PARTITION_KEY]


async def test_silent_patient_leaves_the_memory_and_its_progress_says_all(
    transform: DetectorTransform, bus: MemoryBus, clock: FakeClock, scorer: Scorer, excerpt: Record
) -> None:
    transform.open(0, {})
    stream = stream_of(excerpt, "p", 20)
    await transform.process({0: stream[:30]})
    await clock.advance(61)
    parked = list((await transform.process({}))[0])
    assert transform.patients == 0
    commit(bus, transform, parked)

    # Another instance takes over from that alone, and the verdicts are those of the whole stream.
    transform.close(0)
    assert transform.open(0, compacted(bus)) == 30
    outputs = list((await transform.process({0: stream[30:]}))[0])
    found = [Verdict.model_validate_json(m.value or b"") for m in on(topics.WINDOWS, outputs)]
    expected = verdicts_of(excerpt, scorer, patient="p", device="ecgstream-replay", start_ns=START_NS)[1:4]
    assert [v.model_copy(update={"models": {}}).id for v in found] == [v.id for v in expected]
    assert [v.fused for v in found] == pytest.approx([v.fused for v in expected], abs=1e-6)


async def test_who_returns_is_judged_as_if_never_parked_by_the_record_on_the_topic(
    transform: DetectorTransform, bus: MemoryBus, clock: FakeClock, scorer: Scorer, excerpt: Record
) -> None:
    steady = new_transform(scorer, clock, CollectorRegistry())
    steady.open(0, {})
    transform.open(0, {})
    stream = stream_of(excerpt, "p", 20)
    expected = on(topics.WINDOWS, list((await steady.process({0: stream}))[0]))
    found = on(topics.WINDOWS, list((await transform.process({0: stream[:30]}))[0]))
    await clock.advance(61)
    parked = list((await transform.process({}))[0])
    commit(bus, transform, parked)
    found += on(topics.WINDOWS, list((await transform.process({0: stream[30:]}))[0]))
    assert [Verdict.model_validate_json(m.value or b"").id for m in found] == [
        Verdict.model_validate_json(m.value or b"").id for m in expected
    ]
    assert [Verdict.model_validate_json(m.value or b"").fused for m in found] == pytest.approx(
        [Verdict.model_validate_json(m.value or b"").fused for m in expected], abs=1e-6
    )


async def test_a_commit_that_ends_while_another_patient_is_fetched_is_no_trap(
    transform: DetectorTransform, bus: MemoryBus, clock: FakeClock, excerpt: Record
) -> None:
    transform.open(0, {})
    first = stream_of(excerpt, "p", 20)
    second = [m._replace(offset=m.offset + 100) for m in stream_of(excerpt, "q", 20)]
    await transform.process({0: first[:30]})
    await clock.advance(61)
    commit(bus, transform, list((await transform.process({}))[0]))
    await transform.process({0: second[:30]})
    await clock.advance(61)
    parked = list((await transform.process({}))[0])  # its commit is under way
    turn = asyncio.create_task(transform.process({0: [first[30], second[30]]}))
    await asyncio.sleep(0)
    commit(bus, transform, parked)
    await turn
    assert transform.patients == 2


async def test_a_record_that_is_gone_is_told_before_anything_is_taken_in(
    transform: DetectorTransform, bus: MemoryBus, clock: FakeClock, excerpt: Record
) -> None:
    transform.open(0, {})
    stream = stream_of(excerpt, "p", 20)
    await transform.process({0: stream[:30]})
    await clock.advance(61)
    commit(bus, transform, list((await transform.process({}))[0]))
    bus.put(Outgoing(topic=topics.DETECTOR_PROGRESS, key=b"p", value=None, partition=0))
    with pytest.raises(ProgressUnavailableError, match=r"ecg\.detector-progress holds no record of b'p'") as published:
        await transform.process({0: stream[30:]})
    assert (published.value.partition, transform.patients) == (0, 0)
