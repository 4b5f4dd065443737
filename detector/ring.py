"""The ring buffer of one patient: the newest samples, and which of them were received."""

from collections.abc import Iterable

import numpy as np

from ecg.records import MISSING, Int16Array

Run = tuple[int, int]  # [start, end) of sample indices


class Ring:
    """Samples from a floor on, by their running index.

    Parameters
    ----------
    floor : the oldest index that is kept
    segment : samples in a segment; the ring holds an eighth more, for chunks that come before a window is due
    columns : leads
    """

    __slots__ = ("_buffer", "_runs", "_segment", "floor")

    def __init__(self, *, floor: int, segment: int, columns: int) -> None:
        self.floor = floor
        self._segment = segment
        self._buffer: Int16Array = np.full((segment + segment // 8, columns), MISSING, np.int16)
        self._runs: list[Run] = []

    @property
    def nbytes(self) -> int:
        """Return how many bytes the samples take, those that are still to come too."""
        return self._buffer.nbytes

    @property
    def limit(self) -> int:
        """The index after the newest sample that fits."""
        return self.floor + len(self._buffer)

    @property
    def high(self) -> int:
        """The index after the newest sample received; the floor when there is none."""
        return self._runs[-1][1] if self._runs else self.floor

    @property
    def runs(self) -> tuple[Run, ...]:
        """Return what was received, as ascending runs of indices."""
        return tuple(self._runs)

    def write(self, start: int, samples: Int16Array) -> list[Run]:
        """Put samples in; the first to come stays where an index comes twice.

        Parameters
        ----------
        start : index of the first sample, not below the floor
        samples : (n, columns) int16, up to the limit

        Returns
        -------
        the runs of ``samples`` that had been received before
        """
        end = start + len(samples)
        if start >= self.high:
            self._buffer[start - self.floor : end - self.floor] = samples
            if self._runs and self._runs[-1][1] == start:
                self._runs[-1] = (self._runs[-1][0], end)
            else:
                self._runs.append((start, end))
            return []
        known = [(max(a, start), min(b, end)) for a, b in self._runs if a < end and start < b]
        position = start
        for a, b in [*known, (end, end)]:
            if position < a:
                self._buffer[position - self.floor : a - self.floor] = samples[position - start : a - start]
            position = b
        self._runs = _merged([*self._runs, (start, end)])
        return known

    def append(self, samples: Int16Array) -> None:
        """Put samples in behind the newest; there is one, and the limit is not passed."""
        start, end = self._runs[-1]
        self._buffer[end - self.floor : end - self.floor + len(samples)] = samples
        self._runs[-1] = (start, end + len(samples))

    def received(self, start: int, end: int) -> int:
        """Return how many samples of [start, end) were received."""
        if len(self._runs) == 1:
            first, last = self._runs[0]
            return max(0, min(last, end) - max(first, start))
        return sum(max(0, min(b, end) - max(a, start)) for a, b in self._runs)

    def first_from(self, index: int) -> int | None:
        """The first received index at or after ``index``."""
        return next((max(a, index) for a, b in self._runs if b > index), None)

    def segment_to(self, end: int) -> Int16Array:
        """A copy of the segment that ends before index ``end``: (segment, columns) int16.

        What lies below the floor is ``MISSING``.
        """
        lacking = self.floor - (end - self._segment)
        if lacking <= 0:
            return self.samples(end - self._segment, end)
        segment = np.full((self._segment, self._buffer.shape[1]), MISSING, np.int16)
        segment[lacking:] = self._buffer[: end - self.floor]
        return segment

    def samples(self, start: int, end: int) -> Int16Array:
        """A copy of the samples of [start, end), ``MISSING`` where none was received."""
        return self._buffer[start - self.floor : end - self.floor].copy()

    def move_floor(self, floor: int) -> None:
        """Forget all samples below ``floor``."""
        shift = floor - self.floor
        if shift <= 0:
            return
        kept = max(0, len(self._buffer) - shift)
        if kept:
            self._buffer[:kept] = self._buffer[shift:].copy()
        self._buffer[kept:] = MISSING
        self._runs = [(max(a, floor), b) for a, b in self._runs if b > floor]
        self.floor = floor

    def restore(self, samples: Int16Array, runs: Iterable[Run]) -> None:
        """Put samples back at the floor, as ``samples`` and ``runs`` gave them."""
        self._buffer[: len(samples)] = samples
        self._runs = list(runs)


def _merged(runs: list[Run]) -> list[Run]:
    merged: list[Run] = []
    for start, end in sorted(runs):
        if merged and start <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(merged[-1][1], end))
        else:
            merged.append((start, end))
    return merged
