"""Looks through the detector: told once, whatever crashes, however the stream was cut."""

import asyncio
from collections.abc import Iterable, Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry

from bus import topics
from bus.interfaces import Outgoing, Received
from bus.messages import Urgent
from bus.samples import Chunk, encode
from bus.testing import FakeClock, MemoryBus, MemoryProgressStore
from detector.metrics import DetectorMetrics
from detector.offline import EPOCH_NS, judge_record
from detector.publishing import INGEST_HEADER
from detector.scorer import Scorer
from detector.transform import DetectorTransform
from ecg.records import Record
from producer.streams import Patient, cut
from tests.detector.streams import stopped

CUT_S = 8.3


HEART = stopped(CUT_S, 24)


def messages(record: Record, *, chunk_ms: int = 250) -> list[Received]:
    return sent(cut(Patient(id="p", record=record), chunk_ms=chunk_ms, start_ns=EPOCH_NS))


def sent(chunks: Iterable[Chunk]) -> list[Received]:
    return [
        Received(
            topic=topics.SAMPLES,
            partition=0,
            offset=n,
            timestamp_ms=1000 + n,
            key=b"p",
            value=encode(chunk),
            headers=(),
        )
        for n, chunk in enumerate(chunks)
    ]


class Instance:
    """A detector on one partition, and what a runner would have committed."""

    def __init__(self, scorer: Scorer) -> None:
        self._scorer = scorer
        self._bus = MemoryBus(partitions=1)
        self._store = MemoryProgressStore(self._bus, topics.DETECTOR_PROGRESS)
        self.committed: list[Outgoing] = []
        self.open()

    def open(self) -> int:
        self.registry = CollectorRegistry()
        self._transform = DetectorTransform(
            self._scorer,
            silent_s=60,
            forget_s=3600,
            store=self._store,
            partitions=1,
            metrics=DetectorMetrics(self.registry),
            clock=FakeClock(),
        )
        return self._transform.open(0, self._store.compacted(0)) or 0

    def process(self, batch: Sequence[Received]) -> list[Outgoing]:
        return list(asyncio.run(self._transform.process({0: batch})).get(0, ()))

    def commit(self, out: Sequence[Outgoing]) -> None:
        for message in out:
            self.committed.append(message)
            if message.topic == topics.DETECTOR_PROGRESS:
                assert message.key is not None
                assert message.value is not None
                self._bus.put(message)

    def urgent(self) -> list[Urgent]:
        return [Urgent.model_validate_json(m.value or b"") for m in self.committed if m.topic == topics.URGENT]


def test_an_asystole_is_told_every_second_from_its_fourth_on(scorer: Scorer) -> None:
    instance = Instance(scorer)
    instance.commit(instance.process(messages(HEART)))
    published = instance.urgent()
    assert [(each.kind, each.second) for each in published] == [("asystole", second) for second in range(13, 25)]
    first = published[0]
    assert first.id == f"p/{EPOCH_NS}/13s"
    assert (first.start_ns - EPOCH_NS, first.end_ns - EPOCH_NS) == (9 * 10**9, 13 * 10**9)
    assert (first.lead, first.value, first.limit, first.unit) == ("MLII", 4.0, 4.0, "s")
    assert (first.quality.missing, first.quality.flat) == (0, 0)
    (sent, *_) = [m for m in instance.committed if m.topic == topics.URGENT]
    assert sent.key == b"p"
    assert dict(sent.headers)[INGEST_HEADER] == b"1051", "the chunk that ended its second"
    assert instance.registry.get_sample_value("ecgstream_detector_urgent_total", {"kind": "asystole"}) == 12
    assert instance.registry.get_sample_value("ecgstream_detector_looks_total") == 21


def test_what_is_told_at_once_is_what_is_told_of_the_file(scorer: Scorer) -> None:
    instance = Instance(scorer)
    for message in messages(HEART, chunk_ms=1000):
        instance.commit(instance.process([message]))
    offline = judge_record(HEART, scorer, patient="p", device="ecgstream-replay")
    assert instance.urgent() == [each for each in offline if isinstance(each, Urgent)] != []


def test_an_urgent_message_brings_the_patients_progress_with_it(scorer: Scorer) -> None:
    instance = Instance(scorer)
    log = messages(HEART)
    instance.commit(instance.process(log[:51]))
    out = instance.process(log[51:52])
    assert [m.topic for m in out] == [topics.URGENT, topics.DETECTOR_PROGRESS, topics.DETECTOR_PROGRESS]
    instance.commit(out)
    again = instance.process(log[instance.open() : 52])
    assert [m.topic for m in again if m.topic == topics.URGENT] == [], "it is told once"


@settings(max_examples=12, deadline=None)
@given(
    chunk_ms=st.sampled_from([100, 250, 700, 1000]),
    batches=st.lists(
        st.tuples(st.integers(1, 40), st.sampled_from(["commit", "hold", "crash"])), min_size=1, max_size=12
    ),
)
def test_crashes_lose_and_double_nothing(scorer: Scorer, chunk_ms: int, batches: list[tuple[int, str]]) -> None:
    log = messages(stopped(CUT_S, 18), chunk_ms=chunk_ms)
    instance, offset = Instance(scorer), 0
    pending: list[Outgoing] = []
    for size, then in batches:
        pending += instance.process(log[offset : offset + size])
        offset = min(len(log), offset + size)
        if then == "crash":
            offset, pending = instance.open(), []
        elif then == "commit":
            instance.commit(pending)
            pending = []
    instance.commit([*pending, *instance.process(log[offset:])])
    assert [each.second for each in instance.urgent()] == list(range(13, 19))


@pytest.mark.parametrize("chunk_s", [0.1, 0.33, 1.0, 7.0])
def test_any_cut_tells_the_same(scorer: Scorer, chunk_s: float) -> None:
    record = stopped(CUT_S, 18)
    assert list(judge_record(record, scorer, chunk_s=chunk_s)) == list(judge_record(record, scorer))
