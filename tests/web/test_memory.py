"""Memory of scoring: what a container allows, how it is dealt out, and who dies first when it is used up."""

import contextlib
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from web.memory import LEAST_BYTES, MIB, MOST_BYTES, PAGE_BYTES, deal_out, memory_limit

V2 = "0::{group}\n"
V2_MOUNT = "30 23 0:26 {top} /sys/fs/cgroup ro,nosuid - cgroup2 cgroup rw\n"
V1 = "5:cpu:/\n4:memory:{group}\n0::/\n"
V1_MOUNT = "35 31 0:32 {top} /sys/fs/cgroup/memory rw,relatime - cgroup cgroup rw,memory\n"
CGROUP = Path("/sys/fs/cgroup/memory")
LIMIT = 400 * MIB
CHILD = """
import asyncio, json, mmap, os
from dataclasses import dataclass
from prometheus_client import CollectorRegistry
from alerting.rules import load_rules
from detector.settings import DetectorSettings
from ops.clock import SystemClock
from web.metrics import WebMetrics
from ops.problems import ProblemError
from web.memory import all_bytes, deal_out
from web.scoring.process import Setup
from web.scoring.workers import Workers
from tests.web.greedy import Bounded, Held, Unbounded

async def main():
    memory = deal_out(all_bytes(None), wanted=4)
    setup = Setup(detector=DetectorSettings(_env_file=None), rules=load_rules(None), memory_bytes=memory.bytes_each)
    workers = Workers(setup, count=1, metrics=WebMetrics(CollectorRegistry()), clock=SystemClock())
    told = []
    for job in (Bounded(), Unbounded()):
        try:
            told.append(str(await workers.do(job)))
        except ProblemError as error:
            told.append(f"{error.status}: {error}")
    told.append(await workers.do(Held()))
    workers.close()
    print(json.dumps([all_bytes(None), memory.processes, *told]))

if __name__ == "__main__":
    asyncio.run(main())
"""


def machine(root: Path, group: str, mounts: str, limits: dict[str, str]) -> Path:
    (root / "proc/self").mkdir(parents=True)
    (root / "proc/self/cgroup").write_text(group)
    (root / "proc/self/mountinfo").write_text("22 1 8:1 / / rw - ext4 /dev/sda rw\n" + mounts)
    for path, text in limits.items():
        file = root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    return root


def test_version_2_tells_the_smallest_limit_of_all_groups_above(tmp_path: Path) -> None:
    root = machine(
        tmp_path,
        V2.format(group="/pod/web"),
        V2_MOUNT.format(top="/"),
        {
            "sys/fs/cgroup/pod/memory.max": "536870912\n",
            "sys/fs/cgroup/pod/web/memory.max": "max\n",
        },
    )
    assert memory_limit(root) == 512 * MIB


def test_in_a_container_its_own_group_is_the_top(tmp_path: Path) -> None:
    limits = {"sys/fs/cgroup/memory.max": "268435456\n"}
    assert memory_limit(machine(tmp_path / "a", V2.format(group="/"), V2_MOUNT.format(top="/"), limits)) == 256 * MIB
    limits = {"sys/fs/cgroup/memory/memory.limit_in_bytes": "268435456\n"}
    within = machine(tmp_path / "b", V1.format(group="/docker/1"), V1_MOUNT.format(top="/docker/1"), limits)
    assert memory_limit(within) == 256 * MIB


@pytest.mark.parametrize("text", ["9223372036854771712\n", "max\n", ""])
def test_no_limit_is_none(tmp_path: Path, text: str) -> None:
    limits = {"sys/fs/cgroup/memory/memory.limit_in_bytes": text}
    assert memory_limit(machine(tmp_path, V1.format(group="/"), V1_MOUNT.format(top="/"), limits)) is None
    assert memory_limit(tmp_path / "no machine") is None


def test_the_page_has_its_part_first_and_little_memory_means_few_processes() -> None:
    free = deal_out(None, wanted=8)
    assert (free.processes, free.bytes_each) == (8, MOST_BYTES)
    small = deal_out(512 * MIB, wanted=8)
    assert (small.processes, small.bytes_each + small.patients_bytes) == (1, 512 * MIB - PAGE_BYTES)
    larger = deal_out(1024 * MIB, wanted=8)
    assert larger.processes * larger.bytes_each + larger.patients_bytes <= 1024 * MIB - PAGE_BYTES
    assert larger.bytes_each >= LEAST_BYTES
    assert deal_out(64 * MIB, wanted=1).bytes_each == LEAST_BYTES, "too small for anything: it tries"


@contextlib.contextmanager
def control_group(limit: int) -> Iterator[Path]:
    """A group of this machine's that may take so much memory, where this user can make one."""
    group = CGROUP / f"ecgstream-test-{os.getpid()}"
    try:
        group.mkdir()
        (group / "memory.limit_in_bytes").write_text(str(limit))
    except OSError as error:
        with contextlib.suppress(OSError):
            group.rmdir()
        pytest.skip(
            f"no control group can be made here ({error.strerror}): run as root, with memory groups of version 1"
        )
    try:
        yield group
    finally:
        with contextlib.suppress(OSError):
            group.rmdir()


def test_in_a_control_group_the_scoring_process_dies_and_the_service_tells_why(tmp_path: Path) -> None:
    script = tmp_path / "child.py"
    script.write_text(CHILD)
    with control_group(LIMIT) as group:
        ran = subprocess.run(
            ["sh", "-c", 'echo $$ > "$0/cgroup.procs" && exec "$@"', str(group), sys.executable, str(script)],
            capture_output=True,
            text=True,
            timeout=300,
            env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)},
            check=False,
        )
    assert ran.returncode == 0, ran.stderr
    limit, processes, bounded, unbounded, held = json.loads(ran.stdout.splitlines()[-1])
    assert (limit, processes) == (LIMIT, 1)
    assert bounded.startswith("422: it needs more memory than scoring may take here")
    assert unbounded.startswith("422: the system ended the process that scored it, which as a rule is for lack of mem")
    assert held["oom_score_adj"] == 1000
