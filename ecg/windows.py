"""The grid of windows: where each lies in a patient's stream, in exact arithmetic."""

from dataclasses import dataclass
from fractions import Fraction

HOP_S = 5  # a window starts where the one before ended


@dataclass(frozen=True, slots=True)
class Grid:
    """The windows of a stream at one sampling rate.

    Window ``k`` holds the samples whose time since the stream's first sample lies in [5k s, 5(k+1) s). The grid
    depends on nothing but the rate, so any cut into chunks gives the same windows.

    Attributes
    ----------
    rate : sampling rate in Hz, exact
    """

    rate: Fraction

    def start(self, window: int) -> int:
        """The index of a window's first sample."""
        return -(-window * HOP_S * self.rate.numerator // self.rate.denominator)

    def end(self, window: int) -> int:
        """The index after a window's last sample."""
        return self.start(window + 1)

    def window_of(self, index: int) -> int:
        """The window that holds a sample."""
        return index * self.rate.denominator // (HOP_S * self.rate.numerator)

    def second(self, number: int) -> int:
        """The index of the first sample at or after so many seconds from the stream's first."""
        return -(-number * self.rate.numerator // self.rate.denominator)

    def offset_ns(self, index: int) -> int:
        """The time from the stream's first sample to sample ``index``, ns, rounded to the nearest."""
        scaled = index * 1_000_000_000 * self.rate.denominator
        return (2 * scaled + self.rate.numerator) // (2 * self.rate.numerator)
