"""Every test of the command line starts without settings, in an empty folder."""

import os
from pathlib import Path

import pytest

from ecgstream.settings import check_variables


@pytest.fixture(autouse=True)
def nothing_set(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No variable of the program's, no `.env`."""
    for name in list(os.environ):
        if name.upper().startswith("ECGSTREAM_") and not name.upper().startswith("ECGSTREAM_TEST_"):
            monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    check_variables.cache_clear()
