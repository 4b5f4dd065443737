"""An application with its doors, spoken to in this process."""

import contextlib
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any

import pytest
from httpx import ASGITransport, AsyncClient

from bus.testing import FakeClock
from tests.web.parts import make_parts
from tests.web.safety.keys import write_tokens
from web.app import make_app
from web.settings import WebSettings

Serve = Callable[..., AbstractAsyncContextManager[AsyncClient]]

LOCAL = "http://127.0.0.1:8000"


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def serve(tmp_path: Path, clock: FakeClock) -> Serve:
    """Serves an application with some settings; ``at`` is where the client looks for it."""

    @contextlib.asynccontextmanager
    async def served(*, at: str | None = None, **settings: Any) -> AsyncIterator[AsyncClient]:
        parts = make_parts(tmp_path, settings=WebSettings(_env_file=None, **settings), clock=clock)
        transport = ASGITransport(make_app(parts), client=("127.0.0.1", 50_000))
        async with AsyncClient(transport=transport, base_url=at or settings.get("url") or LOCAL) as client:
            yield client

    return served


@pytest.fixture
def tokens(tmp_path: Path) -> Path:
    """A file with one token of each role: see ``tests/web/safety/keys.py``."""
    return write_tokens(tmp_path / "tokens.toml")
