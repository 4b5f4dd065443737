"""Processes where /proc is one's own, and where it is that of the system around."""

import os
from pathlib import Path

import pytest

from ops import processes
from ops.processes import number_here, number_in_proc


def test_in_one_s_own_proc_numbers_are_what_they_are() -> None:
    assert number_here(number_in_proc(os.getpid())) == os.getpid()


def entry(proc: Path, number: int, *, inner: int, namespace: str) -> Path:
    folder = proc / str(number)
    (folder / "ns").mkdir(parents=True)
    (folder / "ns" / "pid").symlink_to(f"pid:[{namespace}]")
    (folder / "status").write_text(f"Name:\tx\nNSpid:\t{number}\t{inner}\n")
    return folder


def test_in_an_outer_proc_a_process_is_found_by_its_namespace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(processes, "PROC", tmp_path)
    entry(tmp_path, 7000, inner=12, namespace="another")
    entry(tmp_path, 7001, inner=12, namespace="ours")
    entry(tmp_path, 7002, inner=1, namespace="ours")
    (tmp_path / "self").symlink_to("7002")
    assert number_in_proc(12) == 7001
    assert number_here(7001) == 12
    assert number_in_proc(99) == 99
