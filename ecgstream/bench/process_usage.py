"""CPU and memory of a process, measured from outside."""

from dataclasses import dataclass, field

import psutil

from ecg.errors import EcgStreamError
from ops.processes import number_in_proc


@dataclass(slots=True)
class ProcessUsage:
    """CPU and memory of one process, from the first look on.

    Attributes
    ----------
    pid : the process
    tree : whether the processes that it started count, too
    rss_mb : resident memory at each look, MB
    """

    pid: int
    tree: bool = False
    rss_mb: list[float] = field(default_factory=list)
    _cpu_start_s: float | None = None
    _cpu_s: float = 0.0

    def sample(self) -> None:
        """Take the present figures.

        Raises
        ------
        EcgStreamError : when the process is not to be seen
        """
        try:
            process = psutil.Process(number_in_proc(self.pid))
            every = [process, *(process.children(recursive=True) if self.tree else ())]
            usage = [(one.cpu_times(), one.memory_info()) for one in every]
        except psutil.NoSuchProcess:
            raise EcgStreamError(
                f"process {self.pid} is not to be seen: it has ended, or /proc is hidden from this user"
            ) from None
        self._cpu_s = sum(times.user + times.system for times, _ in usage)
        if self._cpu_start_s is None:
            self._cpu_start_s = self._cpu_s
        self.rss_mb.append(sum(memory.rss for _, memory in usage) / 1e6)

    @property
    def cpu_s(self) -> float:
        """CPU seconds, user and system, between the first and the last look."""
        return self._cpu_s - (self._cpu_start_s or 0.0)

    @property
    def rss(self) -> dict[str, float]:
        """Resident memory at the first look, the last one, and the most, MB."""
        return {
            "start": round(self.rss_mb[0], 1),
            "end": round(self.rss_mb[-1], 1),
            "max": round(max(self.rss_mb), 1),
        }
