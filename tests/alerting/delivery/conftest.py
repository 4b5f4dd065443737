"""A receiver of webhooks."""

from collections.abc import Iterator

import pytest

from tests.support.receiver import Receiver, receiving


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    """A server that answers 200 until it is told otherwise."""
    with receiving() as server:
        yield server
