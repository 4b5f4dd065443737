"""The ward that the page's tests look at."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from tests.support.live_ward import LiveWard, running_ward


@pytest_asyncio.fixture(scope="package", loop_scope="session")
async def live_ward(kafka: str, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[LiveWard]:
    """A ward that runs while these tests do, and no longer: it takes a good part of a core."""
    async with running_ward(kafka, tmp_path_factory.mktemp("ward")) as ward:
        yield ward
