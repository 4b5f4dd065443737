"""The grid of windows: where each lies in a patient's stream, in exact arithmetic."""

from dataclasses import dataclass, field
from fractions import Fraction

WINDOW_S = 5  # what is judged at a time
HOP_S = 5  # from one window to the next, unless set otherwise: each starts where the one before ended
HOPS_S = range(1, WINDOW_S + 1)  # a longer one would leave signal out


@dataclass(frozen=True, slots=True)
class Grid:
    """The windows of a stream at one sampling rate.

    Window ``k`` holds the samples whose time since the stream's first sample lies in [k hop, k hop + 5 s). The grid
    depends on nothing but rate and hop, so any cut into chunks gives the same windows.

    Attributes
    ----------
    rate : sampling rate in Hz, exact
    hop_s : from the start of one window to that of the next, s; one of ``HOPS_S``
    """

    rate: Fraction
    hop_s: int = HOP_S
    # Both terms of the rate as plain numbers: a fraction computes them at each call.
    _over: int = field(init=False, repr=False, compare=False)
    _under: int = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_over", self.rate.numerator)
        object.__setattr__(self, "_under", self.rate.denominator)

    def start(self, window: int) -> int:
        """The index of a window's first sample."""
        return self.second(window * self.hop_s)

    def end(self, window: int) -> int:
        """The index after a window's last sample."""
        return self.second(self.end_second(window))

    def end_second(self, window: int) -> int:
        """The same in seconds from the stream's first sample."""
        return window * self.hop_s + WINDOW_S

    def new_from(self, window: int) -> int:
        """The index of a window's first sample that no window before it holds."""
        return self.second(self.new_second(window))

    def new_second(self, window: int) -> int:
        """The same in seconds from the stream's first sample."""
        return (window - 1) * self.hop_s + WINDOW_S if window > 0 else 0

    def window_of(self, index: int) -> int:
        """The first window that holds a sample."""
        hop = self.hop_s * self._over
        return max(0, (index * self._under - WINDOW_S * self._over) // hop + 1)

    def second(self, number: int) -> int:
        """The index of the first sample at or after so many seconds from the stream's first."""
        return -(-number * self._over // self._under)

    def offset_ns(self, index: int) -> int:
        """The time from the stream's first sample to sample ``index``, ns, rounded to the nearest."""
        return (2_000_000_000 * index * self._under + self._over) // (2 * self._over)
