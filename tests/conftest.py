"""Fixtures for every room."""

import gc
import logging
import os
from collections.abc import Iterator

import hypothesis
import pytest
import structlog
from xdist.remote import Producer
from xdist.scheduler import LoadScopeScheduling

from ecg.data import data_directory
from ecgstream.bench.chromium import program

pytest_plugins = [
    "tests.support.kafka",
    "tests.support.postgres",
    "tests.support.mosquitto",
    "tests.support.browser",
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


@pytest.fixture(autouse=True)
def logs_as_before() -> Iterator[None]:
    """A command that sets up the logs of its process does so for its own test alone: its stream ends with it."""
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    yield
    logging.captureWarnings(capture=False)
    root.handlers = [handler for handler in root.handlers if handler in handlers]
    root.setLevel(level)
    structlog.reset_defaults()


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Skip what this machine lacks, before any fixture is made: one place, so that the summary has one line for it."""
    marker = item.get_closest_marker("data")
    if marker is not None and not all((data_directory() / name).is_dir() for name in marker.args or ("mitdb",)):
        pytest.skip("needs whole databases: 'ecgstream data fetch' brings them into the data directory")
    if item.get_closest_marker("browser") is not None and program() is None:
        pytest.skip("no Chromium here: scripts/debian.sh brings it on Debian as root, or install it")


# What takes longest comes first, so that no worker is left with it alone at the end.
# All that look at the live ward do so on one worker, so that there is one ward.
_LONGEST = ("tests/web/browser", "tests/deploy/test_services.py", "tests/training", "tests/ecgstream")


class _ByFile(LoadScopeScheduling):  # type: ignore[misc] # xdist has no types
    """A file's tests stay on one worker, and share what is dear."""

    def _split_scope(self, nodeid: str) -> str:
        return _LONGEST[0] if nodeid.startswith(_LONGEST[0]) else nodeid.partition("::")[0]


def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> _ByFile:
    """How the tests are dealt out to the workers."""
    config.option.loadscopereorder = False  # in the order below
    return _ByFile(config, log)


# What aiokafka 0.14 leaves of a connection whose coming up is cancelled: the collector finds it whenever it does.
_LEFT_BY_AIOKAFKA = (
    "<function _SelectorTransport.__del__",
    "<function _SSLProtocolTransport.__del__",
    "<socket.socket ",
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put what takes longest first, and let tests on a broker find what an earlier one's client has left."""
    for item in items:
        if item.get_closest_marker("broker") is not None:
            for left in _LEFT_BY_AIOKAFKA:
                warning = f"ignore:Exception ignored in. {left}:pytest.PytestUnraisableExceptionWarning"
                item.add_marker(pytest.mark.filterwarnings(warning))
    items.sort(key=lambda item: next((at for at, path in enumerate(_LONGEST) if item.nodeid.startswith(path)), 9))


def pytest_runtest_teardown(item: pytest.Item, nextitem: pytest.Item | None) -> None:
    """Find what the clients of tests on a broker have left before a test begins that has nothing to do with one."""
    if item.get_closest_marker("broker") and not (nextitem and nextitem.get_closest_marker("broker")):
        gc.collect()
