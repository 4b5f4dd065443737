"""Running indexes for samples of which only the times are known. Pure.

A time that is later than the count of samples says, by more than a packet's jitter, leaves a gap of its length. What is
less is the drift and the jitter of a clock: the samples follow each other, and have the times that they came with.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from ecg.records import exact_rate
from ecg.windows import Grid

GAP_NS = 50_000_000  # by which a time must be late: three samples at 60 Hz, and no jitter of a clock


@dataclass(frozen=True, slots=True)
class Run:
    """Samples without a gap.

    Attributes
    ----------
    rows : where they stand among those that came
    start_index, start_ns : running index of the first, and its time as all of them tell it
    """

    rows: slice
    start_index: int
    start_ns: int


class SampleTimes:
    """Counts the samples of one stream.

    Parameters
    ----------
    fs_hz : sampling rate in Hz
    """

    def __init__(self, fs_hz: float) -> None:
        self._fs_hz = fs_hz
        self._grid = Grid(exact_rate(fs_hz))
        self._next_index = 0
        self._origin_ns: int | None = None

    def runs(self, times_ns: npt.NDArray[np.int64]) -> Iterator[Run]:
        """Yield the samples that came, in pieces between which some are missing.

        Parameters
        ----------
        times_ns : (n,) int64, time of each sample, ns UTC
        """
        step_ns = 1e9 / self._fs_hz
        edges = [0, *(np.flatnonzero(np.diff(times_ns) > step_ns + GAP_NS) + 1).tolist(), len(times_ns)]
        for start, stop in pairwise(edges):
            if start < stop:
                # By all of its times: a single one jitters by more than a sample.
                since_ns = times_ns[start:stop] - times_ns[start]
                off_ns = np.median(since_ns - np.arange(stop - start) * step_ns)
                yield self._run(slice(start, stop), int(times_ns[start]) + round(float(off_ns)))

    def _run(self, rows: slice, first_ns: int) -> Run:
        if self._origin_ns is not None:
            late_ns = first_ns - self._origin_ns - self._grid.offset_ns(self._next_index)
            if late_ns > GAP_NS:
                self._next_index += round(late_ns * self._fs_hz / 1e9)
        start = self._next_index
        self._origin_ns = first_ns - self._grid.offset_ns(start)
        self._next_index += rows.stop - rows.start
        return Run(rows, start, first_ns)
