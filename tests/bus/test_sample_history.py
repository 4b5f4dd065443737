"""Reading samples back: what comes is what was sent, wherever in the topic it lies and however fast it was sent."""

import asyncio
import os
import sys
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import replace

import numpy as np
import pytest
from aiokafka.admin import AIOKafkaAdminClient, RecordsToDelete
from aiokafka.structs import TopicPartition
from hypothesis import given
from hypothesis import settings as settings_of_examples
from hypothesis import strategies as st

from bus import stream_search, topics
from bus.clients import BrokerError, KafkaPublisher, connection_arguments
from bus.interfaces import Outgoing
from bus.partitioning import partition_of
from bus.sample_history import NoSamplesError, SampleHistory, SamplesGoneError, SearchLimitError
from bus.samples import BadChunkError, Chunk, encode
from bus.settings import KafkaSettings
from bus.stored_samples import put_together
from bus.stream_search import Found, find
from ecg.records import MISSING, exact_rate
from ecg.windows import Grid

START_NS = 1_700_000_000_000_000_000
NS = 1_000_000_000


def chunk(number: int, *, start_ns: int = START_NS, fs_hz: float = 200.0, patient: str = "p1", add: int = 0) -> Chunk:
    """The ``number``-th quarter of a second of a stream; each sample tells its index."""
    grid, per = Grid(exact_rate(fs_hz)), round(fs_hz) // 4
    first = number * per
    return Chunk(
        patient=patient,
        device="holter",
        start_ns=start_ns + grid.offset_ns(first),
        start_index=first,
        fs_hz=fs_hz,
        leads=("MLII", "V1"),
        gain=(200.0, 200.0),
        baseline=(0, 0),
        samples=((np.arange(first, first + per)[:, None] + [add, add + 1]) % 30_000).astype(np.int16),
    )


def stream(seconds: int, **changes: object) -> list[Chunk]:
    return [chunk(number, **changes) for number in range(4 * seconds)]  # type: ignore[arg-type] # as the test says


class ListLog:
    """A partition in memory, of which the patient's messages lie ``every`` messages apart."""

    def __init__(self, chunks: Sequence[Chunk], *, every: int = 1, beginning: int = 0) -> None:
        self._found = [Found(number * every, each) for number, each in enumerate(chunks)]
        self.beginning = beginning
        self.end = len(chunks) * every
        self.read = 0

    async def scan(self, start: int, stop: int) -> AsyncIterator[Found[Chunk]]:
        assert start >= self.beginning, "what retention has taken is not asked for"
        for found in self._found:
            if start <= found.offset < stop:
                yield found
                self.read += 1


def stored(log: ListLog, from_s: float, to_s: float) -> np.ndarray:
    from_ns, to_ns = START_NS + round(from_s * NS), START_NS + round(to_s * NS)
    return put_together(asyncio.run(find(log, from_ns, to_ns)), from_ns, to_ns).samples


@settings_of_examples(max_examples=40)
@given(
    fs_hz=st.sampled_from([100.0, 128.0, 250.0, 360.0]),
    from_s=st.floats(0, 28),
    length_s=st.floats(0.05, 20),
    lost=st.sets(st.integers(0, 119), max_size=30),
    late=st.sets(st.integers(0, 59), max_size=10),
)
def test_every_sample_lies_at_its_time(
    fs_hz: float, from_s: float, length_s: float, lost: set[int], late: set[int]
) -> None:
    chunks = stream(30, fs_hz=fs_hz)
    for number in late:  # each after its successor
        chunks[2 * number : 2 * number + 2] = chunks[2 * number : 2 * number + 2][::-1]
    kept = [each for number, each in enumerate(chunks) if number not in lost]
    from_ns, to_ns = START_NS + round(from_s * NS), START_NS + round((from_s + length_s) * NS)
    grid = Grid(exact_rate(fs_hz))
    wanted = [index for index in range(round(50 * fs_hz)) if from_ns <= START_NS + grid.offset_ns(index) < to_ns]
    whole = np.full((round(50 * fs_hz), 2), MISSING)
    for each in kept:
        whole[each.start_index : each.end_index] = each.samples
    expected = whole[wanted]
    if (expected == MISSING).all():
        return
    found = put_together(asyncio.run(find(ListLog(kept), from_ns, to_ns)), from_ns, to_ns)
    assert found.start_ns == START_NS + grid.offset_ns(wanted[0])
    assert np.array_equal(found.samples, expected)
    assert (found.streams, found.left_out) == (1, 0)


def test_it_reads_little_of_a_long_stream() -> None:
    log = ListLog(stream(10_000), every=7)
    found = stored(log, 1200, 1210)
    assert found[0, 0] == 1200 * 200 % 30_000
    assert log.read < 1500, "of 40,000 messages"


def test_the_newest_stream_that_has_the_time_counts() -> None:
    begun_anew = stream(60) + stream(60, start_ns=START_NS + NS, add=5)
    assert stored(ListLog(begun_anew), 20, 30)[0, 0] == 19 * 200 + 5
    stopped_early = stream(60) + stream(10, start_ns=START_NS + NS, add=5)
    assert stored(ListLog(stopped_early), 20, 30)[0, 0] == 20 * 200
    sent_twice = stream(60) + stream(10)
    assert stored(ListLog(sent_twice, every=50), 20, 30)[0, 0] == 20 * 200
    of_last_year = stream(60) + [*stream(30, start_ns=START_NS - 10**9 * NS)] * 3 + stream(9, start_ns=START_NS + NS)
    assert stored(ListLog(of_last_year, every=300), 20, 30)[0, 0] == 20 * 200


def test_a_restart_within_the_stretch_is_told() -> None:
    restarted = stream(20) + stream(20, start_ns=START_NS + 22 * NS + 1_234_567, add=9)
    from_ns, to_ns = START_NS + 15 * NS, START_NS + 25 * NS
    found = put_together(asyncio.run(find(ListLog(restarted), from_ns, to_ns)), from_ns, to_ns)
    assert found.streams == 2
    present = found.samples[:, 0] != MISSING
    assert present.sum() == 8 * 200
    assert not present[5 * 200 + 3 : 7 * 200 - 3].any()
    assert found.samples[-1, 0] == 3 * 200 - 1 + 9


def test_another_device_in_between_is_left_out_and_told() -> None:
    others = [replace(each, device="monitor", leads=("V5", "V1")) for each in stream(18)]
    chunks = stream(40)
    found = put_together([*others[60:72], *chunks[60:100]], START_NS + 15 * NS, START_NS + 25 * NS)
    assert (found.device, found.leads) == ("holter", ("MLII", "V1"))
    assert (found.streams, found.left_out) == (2, 3 * 200)
    assert not (found.samples == MISSING).any()


def test_what_is_not_there_is_told_apart_from_what_was() -> None:
    with pytest.raises(NoSamplesError, match="has no samples of that patient and time"):
        stored(ListLog(stream(20)), 100, 110)
    with pytest.raises(NoSamplesError, match="has no samples"):
        stored(ListLog([]), 0, 10)
    shortened = ListLog(stream(200)[400:])
    shortened._found = [Found(offset + 400, each) for offset, each in shortened._found]
    shortened.beginning, shortened.end = 400, 800
    with pytest.raises(SamplesGoneError, match="left the topic"):
        stored(shortened, 10, 20)
    assert stored(shortened, 120, 121)[0, 0] == 120 * 200
    with pytest.raises(NoSamplesError) as outcome:
        stored(shortened, 300, 310)
    assert not isinstance(outcome.value, SamplesGoneError)


def test_a_device_that_is_restarted_for_ever_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stream_search, "MAX_STREAMS", 5)
    restarted = [chunk(number, start_ns=START_NS + life * 10**12) for life in range(9) for number in range(300)]
    with pytest.raises(SearchLimitError, match="more than 5 streams"):
        stored(ListLog(restarted), 500, 510)
    assert stored(ListLog(restarted), 5 * 1000 + 10, 5 * 1000 + 11)[0, 0] == 10 * 200


# --- on a real broker ---


async def send(settings: KafkaSettings, chunks: Iterator[Chunk] | Sequence[Chunk]) -> None:
    async with KafkaPublisher(settings, linger_ms=20) as publisher:
        for each in chunks:
            await publisher.send(Outgoing(topic=topics.SAMPLES, key=each.patient.encode(), value=encode(each)))


def same_partition(count: int, partitions: int) -> list[str]:
    """Patients who share the partition of ``p1``."""
    wanted = partition_of(b"p1", partitions)
    names = (f"p{number}" for number in range(1, 100_000))
    found = (name for name in names if partition_of(name.encode(), partitions) == wanted)
    return [next(found) for _ in range(count)]


@pytest.mark.broker
async def test_several_callers_read_back_what_was_sent(settings: KafkaSettings) -> None:
    names = same_partition(20, settings.partitions)
    await send(settings, [chunk(n, patient=who, add=i) for n in range(240) for i, who in enumerate(names)])

    async def seen(history: SampleHistory, who: str, second: int) -> None:
        found = await history.read(who, START_NS + second * NS, START_NS + (second + 10) * NS)
        assert found.patient == who
        assert (found.samples[:, 0] == np.arange(second * 200, (second + 10) * 200) + names.index(who)).all()

    async with SampleHistory(settings) as history:
        await asyncio.gather(*(seen(history, who, second) for who in names[::5] for second in (0, 17, 49)))
        with pytest.raises(NoSamplesError):
            await history.read("nobody", START_NS, START_NS + NS)
        await seen(history, "p1", 30)
        with pytest.raises(SearchLimitError, match="600 s: ask for it in parts"):
            await history.read("p1", START_NS, START_NS + 601 * NS)
        with pytest.raises(BadChunkError):
            await history.read("no patient", START_NS, START_NS + NS)
    async with SampleHistory(settings, max_bytes=10_000) as narrow:
        with pytest.raises(SearchLimitError, match="more than 10000 bytes"):
            await narrow.read("p1", START_NS, START_NS + NS)


@pytest.mark.broker
async def test_what_left_by_retention_is_told_as_such(settings: KafkaSettings) -> None:
    await send(settings, stream(60))
    place = TopicPartition(settings.topic(topics.SAMPLES), partition_of(b"p1", settings.partitions))
    admin = AIOKafkaAdminClient(**connection_arguments(settings))
    await admin.start()
    await admin.delete_records({place: RecordsToDelete(before_offset=100)})
    await admin.close()
    async with SampleHistory(settings) as history:
        with pytest.raises(SamplesGoneError):
            await history.read("p1", START_NS, START_NS + 5 * NS)
        found = await history.read("p1", START_NS + 20 * NS, START_NS + 30 * NS)
    assert (found.samples[:, 0] == MISSING).sum() == 5 * 200, "before message 100 there is a hole"


@pytest.mark.broker
async def test_without_the_topic_a_clear_line(settings: KafkaSettings) -> None:
    elsewhere = settings.model_copy(update={"topic_prefix": "nowhere."})
    async with SampleHistory(elsewhere) as history:
        with pytest.raises(BrokerError, match=r"no topic nowhere\.ecg\.samples"):
            await history.read("p1", START_NS, START_NS + NS)


@pytest.mark.broker
async def test_what_a_strip_out_of_an_hour_costs(settings: KafkaSettings) -> None:
    """Prints the time that strips take out of a partition of many patients; ``HOUR=1`` makes it a whole hour of 100."""
    patients, seconds = (100, 3600) if "HOUR" in os.environ else (20, 60)
    names = same_partition(patients, settings.partitions)
    plain = [replace(each, leads=("MLII", "V1")) for each in stream(seconds, fs_hz=360.0)]
    await send(settings, (replace(each, patient=who) for each in plain for who in names))
    async with SampleHistory(settings) as history:
        for ago_s in (15, seconds // 2, seconds - 1):
            began = time.perf_counter()
            from_ns = START_NS + (seconds - ago_s) * NS
            found = await history.read(names[-1], from_ns, from_ns + 10 * NS)
            took_ms = 1000 * (time.perf_counter() - began)
            line = f"{patients} patients, {seconds} s: a strip of 10 s from {ago_s} s ago takes {took_ms:.0f} ms"
            sys.stdout.write(line + "\n")
            assert (found.samples != MISSING).all()
