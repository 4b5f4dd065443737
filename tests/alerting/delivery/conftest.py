"""Both databases, and a receiver."""

from collections.abc import Iterator

import pytest

from tests.alerting.history.conftest import url
from tests.support.receiver import Receiver, receiving

__all__ = ["receiver", "url"]


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    """A server that answers 200 until it is told otherwise."""
    with receiving() as server:
        yield server
