"""Where the programs are that check files: beside this Python, on the PATH, or where scripts/debian.sh puts them."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
TOOLS = (ROOT / ".tools/debian/usr/bin", ROOT / ".tools/go/bin")


def program(name: str) -> str | None:
    """The path of a program, None when it is not here."""
    places = (Path(sys.executable).parent, *os.environ.get("PATH", os.defpath).split(os.pathsep))
    return shutil.which(name, path=os.pathsep.join(map(str, (*places, *TOOLS))))


def debian_program(name: str) -> str:
    """A program that only scripts/debian.sh brings; a machine without apt has none, and the test is skipped."""
    found = program(name)
    if found is None:
        pytest.skip(f"{name} is not here: scripts/debian.sh brings it on Debian")
    return found


def run(*command: str | Path) -> None:
    """Run a check in the repository's root; fail with what it says."""
    done = subprocess.run(
        [str(word) for word in command], cwd=ROOT, check=False, capture_output=True, text=True, timeout=600
    )
    assert done.returncode == 0, f"{command[0]} says:\n{done.stdout}{done.stderr}"
