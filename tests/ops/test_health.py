import asyncio
import http.client
from collections.abc import Callable

import pytest
from prometheus_client import CollectorRegistry, Counter

from bus.testing import FakeClock
from ecg.errors import EcgStreamError
from ops.health import STILL_S, HealthServer


async def ask(server: HealthServer, path: str, *, method: str = "GET") -> tuple[int, str]:
    def fetch() -> tuple[int, str]:
        connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=10)
        try:
            connection.request(method, path)
            answer = connection.getresponse()
            return answer.status, answer.read().decode()
        finally:
            connection.close()

    return await asyncio.to_thread(fetch)


def server(ready: Callable[[], str | None] = lambda: None, clock: FakeClock | None = None) -> HealthServer:
    return HealthServer(registry=CollectorRegistry(), ready=ready, clock=clock)


async def test_metrics_of_the_given_registry_are_shown() -> None:
    registry = CollectorRegistry()
    Counter("chunks", "Chunks taken in", registry=registry).inc(3)
    async with HealthServer(registry=registry, ready=lambda: None) as health:
        status, page = await ask(health, "/metrics")
    assert status == 200
    assert "chunks_total 3.0" in page


async def test_alive_while_the_loop_beats() -> None:
    clock = FakeClock()
    async with server(clock=clock) as health:
        for _ in range(3):
            await clock.advance(STILL_S)
            assert await ask(health, "/healthz") == (200, "alive\n")


async def test_not_alive_when_the_loop_stands_still() -> None:
    class Jumping(FakeClock):
        jump_s = 0.0

        def monotonic_s(self) -> float:
            return super().monotonic_s() + self.jump_s

    clock = Jumping()
    async with server(clock=clock) as health:
        await ask(health, "/healthz")  # the first beat is over
        clock.jump_s = STILL_S + 1  # time passes and nothing wakes the loop's heartbeat
        status, text = await ask(health, "/healthz")
    assert status == 503
    assert "stood still for 11 s" in text


async def test_a_service_that_is_not_ready_for_long_is_not_healthy_until_it_is() -> None:
    clock = FakeClock()
    reasons: list[str | None] = ["partition 2 is being restored"]
    registry = CollectorRegistry()
    async with HealthServer(registry=registry, ready=lambda: reasons[0], unready_limit_s=30, clock=clock) as health:
        assert await ask(health, "/healthz") == (200, "alive\n")
        await clock.advance(29)
        assert await ask(health, "/healthz") == (200, "alive\n")
        await clock.advance(1)
        assert await ask(health, "/healthz") == (503, "not ready for 30 s: partition 2 is being restored\n")
        reasons[0] = None
        await clock.advance(1)
        assert await ask(health, "/healthz") == (200, "alive\n")
        reasons[0] = "again"
        await clock.advance(29)
        assert await ask(health, "/healthz") == (200, "alive\n")


async def test_ready_says_why_not() -> None:
    reasons: list[str | None] = ["2 partitions are being restored"]
    async with server(lambda: reasons[-1]) as health:
        assert await ask(health, "/readyz") == (503, "not ready: 2 partitions are being restored\n")
        reasons.append(None)
        assert await ask(health, "/readyz") == (200, "ready\n")


async def test_a_service_that_cannot_tell_is_not_ready() -> None:
    def broken() -> str | None:
        raise KeyError("slot")

    async with server(broken) as health:
        assert await ask(health, "/readyz") == (503, "not ready: KeyError('slot')\n")


async def test_other_paths_and_methods_are_refused() -> None:
    async with server() as health:
        assert (await ask(health, "/"))[0] == 404
        assert (await ask(health, "/readyz", method="POST"))[0] == 405


async def test_a_taken_port_is_one_clear_error() -> None:
    async with server() as first:
        second = HealthServer(registry=CollectorRegistry(), ready=lambda: None, port=first.port)
        with pytest.raises(EcgStreamError, match=f"127.0.0.1:{first.port}: Address already in use: choose another"):
            await second.__aenter__()


@pytest.mark.parametrize("port", [-1, 70_000])
async def test_a_port_that_cannot_be_is_one_clear_error(port: int) -> None:
    wrong = HealthServer(registry=CollectorRegistry(), ready=lambda: None, port=port)
    with pytest.raises(EcgStreamError, match="choose another port"):
        await wrong.__aenter__()


async def test_the_port_is_free_again_afterwards() -> None:
    async with server() as first:
        port = first.port
    async with HealthServer(registry=CollectorRegistry(), ready=lambda: None, port=port) as second:
        assert second.port == port
