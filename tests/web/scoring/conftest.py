"""An application with a real scoring process, spoken to in this process; one for all tests of a file."""

import os
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import pytest_asyncio
from httpx import ASGITransport, AsyncClient

from tests.web.parts import make_parts
from web.app import make_app
from web.scoring.office import ScoringOffice
from web.settings import WebSettings

LOCAL = "http://127.0.0.1:8000"
HEADERS = {"X-Ecgstream-Request": "1"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Served:
    """A client, and what works behind it."""

    client: AsyncClient
    office: ScoringOffice
    state: Path


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def served(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Served]:
    """A service for all tests that share its process: to start one takes seconds."""
    folder = tmp_path_factory.mktemp("served")
    data = Path(os.environ.get("ECGSTREAM_DATA_DIR", folder / "no-data"))
    settings = WebSettings(_env_file=None, state=folder / "web", data_dir=data, upload_mb=4, scores_per_minute=10_000)
    parts = make_parts(folder, settings=settings)
    transport = ASGITransport(make_app(parts), client=("127.0.0.1", 50_000))
    async with AsyncClient(transport=transport, base_url=LOCAL, headers=HEADERS, timeout=120) as client:
        yield Served(client=client, office=parts.office, state=folder / "web")
    parts.office.workers.close()
