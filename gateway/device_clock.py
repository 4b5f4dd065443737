"""A device's clock, its drift and the way of its packets, told apart by when packets claim to be of and arrive. Pure.

A packet arrives late by what its device's clock is wrong and by its way; the way is never shorter than the shortest
one. So the least delay of a while follows the clock, and what a packet takes beyond it is its way. How many samples
there are between two times of the device's clock is its true sampling rate.
"""

from dataclasses import dataclass, field

from bus.samples import CLOCK_TOLERANCE_NS, Chunk

WINDOW_S = 10.0  # whose least delay counts as free of queues
LEAST_SPAN_S = 60.0  # over which a drift is measured: over less, the network's moods would be taken for it


@dataclass(frozen=True, slots=True, kw_only=True)
class ClockState:
    """A device's clock as it was seen.

    Attributes
    ----------
    behind_ms : how far its clock is behind the gateway's, with the shortest way of its packets, ms
    drift_ppm : how much slower than the gateway's its clock runs, parts in a million; None before a minute
    rate_ppm : how much more samples it takes than its sampling rate says, by its own clock; None before a minute
    delay_ms : of the last packet, beyond the shortest of the last seconds, ms
    jumps : how often its clock jumped against its samples
    """

    behind_ms: float
    drift_ppm: float | None
    rate_ppm: float | None
    delay_ms: float
    jumps: int


@dataclass(slots=True)
class DeviceClock:
    """Follows the clock of one stream's device."""

    _first: tuple[float, float] | None = None  # of the first whole window: when, and its least delay, s
    _window_s: float | None = None
    _least_s: float = float("inf")
    _settled_s: float | None = None  # least delay of the last whole window
    _drift_ppm: float | None = None
    _rate_ppm: float | None = None
    _origin: tuple[int, int] | None = None  # time of sample 0 and of the device, since its clock last jumped, ns
    _last_origin_ns: int = field(default=0)
    _delay_s: float = 0.0
    _jumps: int = 0

    def see(self, chunk: Chunk, arrived_ns: int) -> float:
        """Take in a chunk that is stored for the first time; return its delay beyond the shortest way, s.

        Parameters
        ----------
        chunk : by the device's clock
        arrived_ns : by the gateway's, ns UTC
        """
        self._see_samples(chunk)
        late_s, arrived_s = (arrived_ns - chunk.end_ns) / 1e9, arrived_ns / 1e9
        if self._window_s is None:
            self._window_s = arrived_s
        if arrived_s - self._window_s >= WINDOW_S:
            self._close_window(arrived_s)
        self._least_s = min(self._least_s, late_s)
        least_s = self._least_s if self._settled_s is None else min(self._least_s, self._settled_s)
        self._delay_s = late_s - least_s
        return self._delay_s

    @property
    def state(self) -> ClockState | None:
        """The clock as it was seen; None before anything was."""
        if self._window_s is None:
            return None
        return ClockState(
            behind_ms=round(1e3 * (self._least_s if self._settled_s is None else self._settled_s), 3),
            drift_ppm=self._drift_ppm,
            rate_ppm=self._rate_ppm,
            delay_ms=round(1e3 * self._delay_s, 3),
            jumps=self._jumps,
        )

    def _close_window(self, now_s: float) -> None:
        self._settled_s = self._least_s
        if self._first is None:
            self._first = now_s, self._least_s
        elif now_s - self._first[0] >= LEAST_SPAN_S:
            self._drift_ppm = round(1e6 * (self._least_s - self._first[1]) / (now_s - self._first[0]), 1)
        self._window_s, self._least_s = now_s, float("inf")

    def _see_samples(self, chunk: Chunk) -> None:
        origin_ns = chunk.base_ns
        if self._origin is not None and abs(origin_ns - self._last_origin_ns) > CLOCK_TOLERANCE_NS:
            self._jumps += 1
            # What was measured was by the clock as it was set before.
            self._origin = self._first = self._settled_s = self._window_s = None
            self._least_s = float("inf")
        self._last_origin_ns = origin_ns
        if self._origin is None:
            self._origin = origin_ns, chunk.start_ns
            return
        elapsed_ns = chunk.start_ns - self._origin[1]
        if elapsed_ns >= LEAST_SPAN_S * 1e9:
            # Its clock came on less than its samples say where it takes more of them.
            self._rate_ppm = round(1e6 * (self._origin[0] - origin_ns) / elapsed_ns, 1)
