"""The detector as a service on the real broker."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from prometheus_client import CollectorRegistry

from bus import topics
from bus.clients import KafkaPublisher, KafkaReader
from bus.interfaces import Outgoing
from bus.messages import DeadLetter, Verdict
from bus.settings import KafkaSettings
from detector.offline import EPOCH_NS
from detector.scorer import Scorer
from detector.service import run
from detector.settings import DetectorSettings
from ecg.records import Record
from ops.clock import SystemClock
from producer.metrics import ReplayMetrics
from producer.service import Replay
from producer.settings import ReplaySettings
from producer.streams import DEVICE, deal
from tests.detector.test_offline import assert_same
from tests.support.verdicts import verdicts_of
from tests.support.waiting import DEADLINE_S

pytestmark = pytest.mark.broker
SETTINGS = DetectorSettings(_env_file=None)


@asynccontextmanager
async def detecting(kafka: KafkaSettings) -> AsyncIterator[asyncio.Task[None]]:
    stop = asyncio.Event()
    task = asyncio.create_task(run(kafka, SETTINGS, stop, registry=CollectorRegistry()))
    try:
        yield task
    finally:
        stop.set()
        await asyncio.gather(task, return_exceptions=True)


async def replay(kafka: KafkaSettings, record: Record, *, chunk_ms: int) -> None:
    async with KafkaPublisher(kafka) as publisher:
        await Replay(
            deal([record]),
            ReplaySettings(speed="max", chunk_ms=chunk_ms, start_ns=EPOCH_NS),
            publisher=publisher,
            clock=SystemClock(),
            metrics=ReplayMetrics(CollectorRegistry()),
        ).run(asyncio.Event())


async def read(kafka: KafkaSettings, topic: str, count: int) -> list[bytes]:
    found: list[bytes] = []
    async with KafkaReader(kafka, [topic], start="beginning") as reader:
        async with asyncio.timeout(DEADLINE_S):
            while len(found) < count:
                found += [message.value or b"" for message in await reader.batch()]
    return found


@pytest.mark.parametrize("chunk_ms", [100, 250, 1000])
async def test_stream_gives_the_offline_verdicts(
    settings: KafkaSettings, excerpt: Record, scorer: Scorer, chunk_ms: int
) -> None:
    expected = verdicts_of(excerpt, scorer, device=DEVICE)
    async with detecting(settings):
        await replay(settings, excerpt, chunk_ms=chunk_ms)
        found = [Verdict.model_validate_json(value) for value in await read(settings, topics.WINDOWS, len(expected))]
        abnormal = [v.id for v in expected if v.decision == "abnormal"]
        anomalies = await read(settings, topics.ANOMALIES, len(abnormal))
    assert_same(found, expected)
    assert [Verdict.model_validate_json(value).id for value in anomalies] == abnormal


async def test_bad_messages_go_aside_and_the_stream_goes_on(
    settings: KafkaSettings, excerpt: Record, scorer: Scorer
) -> None:
    expected = verdicts_of(excerpt, scorer, device=DEVICE)
    async with detecting(settings):
        async with KafkaPublisher(settings) as publisher:
            for value in (b"no chunk", None, b"\xc3\x01" + bytes(8)):
                await publisher.send(Outgoing(topic=topics.SAMPLES, key=b"208-excerpt", value=value))
        await replay(settings, excerpt, chunk_ms=250)
        found = [Verdict.model_validate_json(value) for value in await read(settings, topics.WINDOWS, len(expected))]
        letters = [DeadLetter.model_validate_json(value) for value in await read(settings, topics.DEAD_LETTERS, 3)]
    assert_same(found, expected)
    assert [letter.offset for letter in letters] == [0, 1, 2]
    assert "unknown schema version" in letters[2].reason
