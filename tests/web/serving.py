"""The web service at work in this process, and browsers of it."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
from prometheus_client import CollectorRegistry
from pydantic import SecretStr

from alerting import service as alerting
from alerting.settings import AlertingSettings
from bus.settings import KafkaSettings
from detector.settings import DetectorSettings
from ops.ports import free_ports
from tests.support.waiting import DEADLINE_S
from web import service
from web.safety.paths import API
from web.settings import WebSettings


@contextlib.asynccontextmanager
async def serving(kafka: KafkaSettings, folder: Path, *, alarms: bool = False, **web: Any) -> AsyncIterator[str]:
    """The address of a web service, with alerting beside it where ``alarms`` says so; ``web`` is set."""
    (port,) = free_ports(1)
    stop, started = asyncio.Event(), asyncio.Event()
    settings = AlertingSettings(_env_file=None, alarm_db=SecretStr(f"sqlite:///{folder / 'alarms.sqlite'}"))
    works = [
        service.run(
            kafka,
            WebSettings(_env_file=None, port=port, state=folder / "web", **web),
            DetectorSettings(_env_file=None),
            settings,
            stop,
            registry=CollectorRegistry(),
            on_start=lambda _: started.set(),
        )
    ]
    if alarms:
        works.append(alerting.run(kafka, settings, stop, registry=CollectorRegistry()))
    async with asyncio.TaskGroup() as group:
        for work in works:
            group.create_task(work)
        await started.wait()
        try:
            yield f"127.0.0.1:{port}"
        finally:
            stop.set()


@contextlib.asynccontextmanager
async def client(address: str) -> AsyncIterator[httpx.AsyncClient]:
    """Asks the service."""
    headers = {"X-Ecgstream-Request": "1"}
    async with httpx.AsyncClient(base_url=f"http://{address}{API}", timeout=DEADLINE_S, headers=headers) as http:
        yield http


@dataclass(slots=True)
class Listening:
    """An event stream."""

    lines: AsyncIterator[str]
    last_id: str | None = None
    heard: list[tuple[str, Any]] = field(default_factory=list)

    async def until(self, kind: str, **fields: object) -> Any:
        """The data of the next event of a kind, with these fields where any are given."""
        async with asyncio.timeout(DEADLINE_S):
            name = ""
            async for line in self.lines:
                field_name, _, value = line.partition(": ")
                if field_name == "id":
                    self.last_id = value
                elif field_name == "event":
                    name = value
                elif field_name == "data":
                    data = json.loads(value)
                    self.heard.append((name, data))
                    if name == kind and (not fields or fields.items() <= data.items()):
                        return data
        raise AssertionError(f"the stream ended without {kind} {fields}")


@contextlib.asynccontextmanager
async def listening(http: httpx.AsyncClient, after: str | None = None) -> AsyncIterator[Listening]:
    """An event stream, from where it broke off when ``after`` says where."""
    headers = {"Last-Event-ID": after} if after else {}
    async with http.stream("GET", "/events", headers=headers) as answer:
        assert answer.headers["content-type"].startswith("text/event-stream")
        yield Listening(answer.aiter_lines())
