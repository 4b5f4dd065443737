"""Running the command line for tests."""

import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from ecgstream.__main__ import main


def clean_environment() -> dict[str, str]:
    """This process's environment without what a developer may have set for the program."""
    return {name: value for name, value in os.environ.items() if not name.upper().startswith("ECGSTREAM_")}


def start(*arguments: str, directory: Path, environment: Mapping[str, str] | None = None) -> subprocess.Popen[str]:
    """A command in a process of its own."""
    return subprocess.Popen(
        [sys.executable, "-m", "ecgstream", *arguments],
        cwd=directory,
        env=clean_environment() | dict(environment or {}),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def status_of(arguments: Sequence[str]) -> int:
    """The exit status of a command run in this process; not for commands that set up logging."""
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    code = ended.value.code
    assert isinstance(code, int)
    return code
