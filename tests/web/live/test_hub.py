import asyncio

import pytest
from prometheus_client import CollectorRegistry

from bus.settings import KafkaSettings
from bus.testing import FakeClock
from ecg.errors import EcgStreamError
from tests.support.waiting import until
from web.live.hub import Hub
from web.metrics import WebMetrics


async def test_another_kafka_under_the_same_address_is_not_taken_for_the_one_before(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    cluster, there = "one", True

    async def reachable(_: KafkaSettings) -> bool:
        return there

    async def cluster_id(_: KafkaSettings) -> str:
        return cluster

    monkeypatch.setattr("web.live.hub.reachable", reachable)
    monkeypatch.setattr("web.live.hub.cluster_id", cluster_id)
    clock = FakeClock()
    kafka = KafkaSettings(_env_file=None, bootstrap_servers="127.0.0.1:1")
    async with Hub(kafka, WebMetrics(CollectorRegistry()), clock) as hub:
        await until(lambda: hub.line == "catching_up")
        for line in ("waiting", "catching_up", "waiting"):
            there = line != "waiting"
            await clock.advance(5)
            await until(lambda wanted=line: hub.line == wanted)  # type: ignore[misc] # a lambda's default has no type
        assert not hub.working.done()
        cluster, there = "two", True
        await clock.advance(5)
        with pytest.raises(EcgStreamError, match=r"another Kafka answers .* cluster two, before it was one"):
            async with asyncio.timeout(10):
                await hub.working
