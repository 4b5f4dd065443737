"""A server at work with a real scoring process, and a client of it; one for all tests that share it."""

import asyncio
import socket
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import pytest_asyncio
from httpx import ASGITransport, AsyncClient

from tests.support.waiting import until
from tests.web.parts import make_parts
from web.app import make_app
from web.scoring.service import ScoringService
from web.server import Server
from web.settings import WebSettings

HEADERS = {"X-Ecgstream-Request": "1"}
UPLOAD_MB = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Served:
    """A client, and what works behind it.

    Attributes
    ----------
    client : over a connection
    near : without one, for whom the service would close it on while it sends
    scoring : store and processes
    state : the folder of the store
    """

    client: AsyncClient
    near: AsyncClient
    scoring: ScoringService
    state: Path


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def served(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Served]:
    """To start a scoring process takes seconds."""
    folder = tmp_path_factory.mktemp("served")
    settings = WebSettings(
        _env_file=None, state=folder / "web", data_dir=folder / "no-data", upload_mb=UPLOAD_MB, scores_per_minute=10_000
    )
    parts = make_parts(folder, settings=settings)
    app = make_app(parts)
    server, transport = Server(app, settings), ASGITransport(app, client=("127.0.0.1", 50_000))
    with socket.create_server(("127.0.0.1", 0)) as listener:
        async with parts.scoring:
            work = asyncio.create_task(server.serve([listener]))
            await until(lambda: server.ready or work.done())
            address = f"http://127.0.0.1:{listener.getsockname()[1]}"
            async with (
                AsyncClient(base_url=address, headers=HEADERS, timeout=120) as client,
                AsyncClient(transport=transport, base_url=address, headers=HEADERS) as near,
            ):
                yield Served(client=client, near=near, scoring=parts.scoring, state=folder / "web")
            server.should_exit = True
            await work
