"""Fixtures for every room."""

import os
from collections.abc import Iterator

import hypothesis
import pytest

pytest_plugins = [
    "tests.support.kafka",
    "tests.support.postgres",
    "tests.support.browser",
    "tests.support.live_ward",
]

# No test judges time: a machine may be slow, and the first call of a filter designs it. On CI a change is judged by
# the same examples each time; anywhere else new ones are tried.
hypothesis.settings.register_profile("ecgstream", deadline=None, derandomize="CI" in os.environ)
hypothesis.settings.load_profile("ecgstream")


@pytest.fixture(scope="session", autouse=True)
def state_directory(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """No test writes where the user's own alarm history is."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_STATE_HOME", str(tmp_path_factory.mktemp("state")))
        yield
