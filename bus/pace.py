"""Pace of a consumer: how long messages gather before it turns to them, by how busy its process is. Pure.

A turn and a transaction cost the same for one message as for fifty. While there is time, each message is handled at
once; the busier the process, the longer what comes may gather, up to a limit that bounds the delay.
"""

from dataclasses import dataclass

MEMORY_S = 1.0  # over which the load is a moving mean
IDLE_LOAD, BUSY_LOAD = 0.2, 0.7  # of one core: below the first nothing gathers, from the second on as much as may
LEAST_MS, MOST_MS = 4, 40  # that the broker waits for more, where something came
QUIET_MS = 500  # and where nothing did: it answers when the first message comes
GATHER_BYTES = 262_144  # a fetch that holds so much does not wait
MIN_STEP_S = 0.001


@dataclass(frozen=True, slots=True, kw_only=True)
class Gathering:
    """Terms of a fetch.

    Attributes
    ----------
    min_bytes : the broker answers when it has so much
    max_wait_ms : or after so long, ms
    """

    min_bytes: int
    max_wait_ms: int


class Pace:
    """Follows how busy a process is.

    Parameters
    ----------
    wall_s, cpu_s : monotonic time, and the process's CPU time, at the start
    """

    def __init__(self, *, wall_s: float, cpu_s: float) -> None:
        self._wall_s = wall_s
        self._cpu_s = cpu_s
        self._came = False
        self.load = 0.0

    @property
    def share(self) -> float:
        """Return how much of what may gather does, 0 to 1."""
        return min(max((self.load - IDLE_LOAD) / (BUSY_LOAD - IDLE_LOAD), 0.0), 1.0)

    @property
    def gathering(self) -> Gathering:
        """Return what the next fetch is to ask for."""
        if not self._came:
            return Gathering(min_bytes=1, max_wait_ms=QUIET_MS)
        return Gathering(min_bytes=GATHER_BYTES, max_wait_ms=round(LEAST_MS + self.share * (MOST_MS - LEAST_MS)))

    def turned(self, *, wall_s: float, cpu_s: float, came: bool) -> None:
        """Take note of a turn's end.

        Parameters
        ----------
        wall_s, cpu_s : as at the start
        came : whether the turn had messages
        """
        self._came = came
        passed_s = wall_s - self._wall_s
        if passed_s < MIN_STEP_S:
            return
        weight = min(1.0, passed_s / MEMORY_S)
        self.load += weight * ((cpu_s - self._cpu_s) / passed_s - self.load)
        self._wall_s, self._cpu_s = wall_s, cpu_s
