"""Jobs that want more memory than there is, each in its own way; in a module, so that a scoring process finds them."""

import mmap
from dataclasses import dataclass
from pathlib import Path

from web.memory import held_bytes
from web.scoring.jobs import Desk

STEP = 1 << 20
MOST_STEPS = 4096  # 4 GiB: whoever comes here was not stopped


@dataclass(frozen=True)
class Bounded:
    """Takes memory as a reader does, until it is told that there is none."""

    def do(self, desk: Desk) -> int:
        del desk
        return sum(map(len, [bytearray(b"x" * STEP) for _ in range(MOST_STEPS)]))


@dataclass(frozen=True)
class Unbounded:
    """Takes memory that no limit of a process counts: the control group alone stops it."""

    def do(self, desk: Desk) -> int:
        del desk
        shared = mmap.mmap(-1, MOST_STEPS * STEP)  # anonymous and shared
        for step in range(MOST_STEPS):
            shared[step * STEP : (step + 1) * STEP] = b"x" * STEP
        return len(shared)


@dataclass(frozen=True)
class Held:
    """Tells what it holds."""

    def do(self, desk: Desk) -> dict[str, int]:
        del desk
        return {
            "bytes": held_bytes(),
            "oom_score_adj": int(Path("/proc/self/oom_score_adj").read_text()),
        }
