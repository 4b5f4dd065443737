"""The end of patients' streams, read back from a real topic."""

import asyncio
from collections.abc import Sequence

import pytest

from bus import topics
from bus.clients import KafkaPublisher
from bus.interfaces import Outgoing
from bus.recent_samples import STEP, RecentSamples
from bus.samples import Chunk, encode
from bus.settings import KafkaSettings
from ops.clock import SystemClock
from tests.gateway.chunks import chunk

pytestmark = pytest.mark.broker


async def store(settings: KafkaSettings, chunks: Sequence[Chunk]) -> None:
    async with KafkaPublisher(settings) as publisher:
        for each in chunks:
            await publisher.send(Outgoing(topic=topics.SAMPLES, key=each.patient.encode(), value=encode(each)))


async def test_the_newest_come_first_and_as_far_back_as_is_asked_for(settings: KafkaSettings) -> None:
    before_ms = SystemClock().now_ns() // 1_000_000 - 60_000
    # The others' messages lie between, in every partition, farther than the first stretch reaches.
    others = [chunk(0, 5, patient=f"other-{number % 40}") for number in range(12 * STEP)]
    await store(settings, [chunk(0, 50), chunk(50, 50), *others, chunk(100, 50), *others[:40]])
    async with RecentSamples(settings) as recent:
        one = await recent.back_to("p1", since_ms=before_ms, enough=bool)
        every = await recent.back_to("p1", since_ms=before_ms, enough=lambda found: len(found) == 3)
        nobody = await recent.back_to("nobody", since_ms=before_ms, enough=bool)
        late = await recent.back_to("p1", since_ms=before_ms + 10**9, enough=lambda found: len(found) == 3)
    assert [each.start_index for each in one.chunks] == [100]
    assert [each.start_index for each in every.chunks] == [0, 50, 100]
    assert not nobody.chunks
    assert len(late.chunks) <= 1
    assert every.read_bytes > one.read_bytes > 0


async def test_many_who_ask_at_once_share_a_reading_and_each_has_its_own(settings: KafkaSettings) -> None:
    before_ms = SystemClock().now_ns() // 1_000_000 - 60_000
    await store(settings, [chunk(number, 5, patient=f"p{number}") for number in range(100)])
    async with RecentSamples(settings) as recent:
        found = await asyncio.gather(
            *(recent.back_to(f"p{number}", since_ms=before_ms, enough=bool) for number in range(100))
        )
        alone = await recent.back_to("p0", since_ms=before_ms, enough=bool)
    assert [each.chunks[-1].start_index for each in found] == list(range(100))
    assert found[0].read_bytes < alone.read_bytes / 5


async def test_what_was_acknowledged_before_is_seen(settings: KafkaSettings) -> None:
    async with RecentSamples(settings) as recent, KafkaPublisher(settings) as publisher:
        for number in range(20):
            sent = chunk(10 * number, 10)
            await (await publisher.send(Outgoing(topic=topics.SAMPLES, key=b"p1", value=encode(sent))))
            found = await recent.back_to("p1", since_ms=0, enough=bool)
            assert found.chunks[-1].end_index == 10 * number + 10
