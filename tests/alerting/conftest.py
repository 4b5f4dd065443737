"""Both databases, one after the other."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import URL

from alerting.database.engine import address
from alerting.history.store import AlarmStore
from tests.alerting.history.entries import CLUSTER


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> URL:
    """A database without tables."""
    if request.param == "sqlite":
        return address(f"sqlite:///{tmp_path}/state/alarms.sqlite")
    return address(request.getfixturevalue("postgres_database"))


@pytest.fixture
def store(url: URL) -> Iterator[AlarmStore]:
    """An open store on it."""
    opened = AlarmStore(url, cluster=CLUSTER)
    opened.open()
    yield opened
    opened.close()
