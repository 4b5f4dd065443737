"""What scripts/debian.sh installs: run with programs that only note what they were asked for."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.deploy.programs import ROOT

STANDING = ("bash", "dirname", "awk", "mktemp", "rm", "sort", "mkdir")


@pytest.fixture
def machine(tmp_path: Path) -> Path:
    """A folder that is the whole of ``PATH``, with an apt that notes and brings nothing."""
    programs = tmp_path / "bin"
    programs.mkdir()
    for name in STANDING:
        found = shutil.which(name)
        assert found is not None
        (programs / name).symlink_to(found)
    written(programs / "apt-get", f'echo "$*" >> {tmp_path}/asked')
    for name in ("prometheus", "promtool", "prometheus-alertmanager", "amtool", "kcat"):
        written(programs / name, "")
    return programs


def written(program: Path, does: str) -> None:
    program.write_text(f"#!/bin/sh\n{does}\n")
    program.chmod(0o755)


def ran(machine: Path, user: int) -> tuple[str, str]:
    """What apt was asked for, and what was told."""
    written(machine / "id", f"echo {user}")
    done = subprocess.run(
        [ROOT / "scripts" / "debian.sh"],
        env={name: value for name, value in os.environ.items() if name != "PATH"} | {"PATH": str(machine)},
        capture_output=True,
        text=True,
        check=True,
    )
    asked = machine.parent / "asked"
    return asked.read_text() if asked.exists() else "", done.stderr


def test_chromium_is_installed_where_it_lacks(machine: Path) -> None:
    asked, _ = ran(machine, user=0)
    assert "install" in asked
    assert " chromium " in asked


def test_chromium_that_is_there_is_left_alone(machine: Path) -> None:
    written(machine / "chromium", "")
    asked, shown = ran(machine, user=0)
    assert "chromium" not in asked + shown


def test_without_root_nothing_is_installed_and_the_reason_is_told(machine: Path) -> None:
    asked, shown = ran(machine, user=1000)
    assert "install" not in asked
    assert "no chromium fonts-dejavu-core" in shown
    assert "no root or no apt" in shown
