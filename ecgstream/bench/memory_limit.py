"""A limit on a process's memory as a container sets it: a control group of its own, where this user may make one."""

import contextlib
import os
from pathlib import Path
from types import TracebackType
from typing import NamedTuple, Self

ROOT = Path("/sys/fs/cgroup")


class _Files(NamedTuple):
    """Names of one version of control groups."""

    limit: str
    peak: str
    events: str


_V1 = _Files("memory.limit_in_bytes", "memory.max_usage_in_bytes", "memory.oom_control")
_V2 = _Files("memory.max", "memory.peak", "memory.events")


class MemoryLimit:
    """A control group with a limit; without the right to make one nothing is limited, and nothing measured.

    Parameters
    ----------
    name : of the group
    limit_bytes : what its processes may use together, caches of files included
    """

    def __init__(self, name: str, limit_bytes: int) -> None:
        v1 = (ROOT / "memory").is_dir()
        self._files = _V1 if v1 else _V2
        self._directory = (ROOT / "memory" if v1 else ROOT) / f"ecgstream-{os.getpid()}-{name}"
        self._limit_bytes = limit_bytes
        self.enforced = False

    def __enter__(self) -> Self:
        try:
            self._directory.mkdir()
            (self._directory / self._files.limit).write_text(str(self._limit_bytes))
            self.enforced = True
        except OSError:
            self._leave()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._leave()

    def add(self, pid: int) -> None:
        """Put a process in; the children that it starts from now on are in too."""
        if self.enforced:
            (self._directory / "cgroup.procs").write_text(str(pid))

    @property
    def peak_mb(self) -> float | None:
        """The most that was used at once, MB; None where that is not known."""
        try:
            return round(int((self._directory / self._files.peak).read_text()) / 1e6, 1)
        except OSError:
            return None

    @property
    def kills(self) -> int:
        """Return how many processes the kernel has ended because of the limit."""
        try:
            lines = (self._directory / self._files.events).read_text().splitlines()
        except OSError:
            return 0
        return sum(int(number) for name, _, number in (line.partition(" ") for line in lines) if name == "oom_kill")

    def _leave(self) -> None:
        # A process that has not ended yet keeps its group; an empty one costs nothing.
        with contextlib.suppress(OSError):
            self._directory.rmdir()
