import asyncio
from collections.abc import AsyncIterator, MutableMapping
from typing import Any

import pytest
from prometheus_client import CollectorRegistry

from tests.support.waiting import DEADLINE_S
from web.metrics import WebMetrics
from web.routes import live
from web.routes.live import EventStream


async def test_a_client_that_takes_nothing_is_cut_off_and_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live, "SEND_S", 0.01)
    ended = asyncio.Event()

    async def events() -> AsyncIterator[bytes]:
        try:
            while True:
                yield b": nothing\r\n\r\n"
        finally:
            ended.set()

    async def receive() -> MutableMapping[str, Any]:
        await asyncio.Event().wait()
        raise AssertionError

    async def send(message: MutableMapping[str, Any]) -> None:
        if message["type"] == "http.response.body":
            await asyncio.Event().wait()

    registry = CollectorRegistry()
    scope = {"type": "http", "method": "GET", "path": "/events", "headers": []}
    async with asyncio.timeout(DEADLINE_S):
        await EventStream(events(), WebMetrics(registry))(scope, receive, send)
    assert ended.is_set()
    assert registry.get_sample_value("ecgstream_web_listeners_cut_off_total") == 1
