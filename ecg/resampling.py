"""Recordings of more than 1000 Hz at a rate that is judged: every few samples become one, behind a low-pass filter."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from math import ceil

import numpy as np
import numpy.typing as npt

from ecg.records import MAX_FS_HZ, MISSING, Int16Array, RecordOnDisk

MAX_READ_HZ = 64_000.0  # no recorder of ECGs is faster; the filter grows with the factor
_TAPS_PER_STEP = 8  # of the filter, on each side of a sample, in steps of the new rate
_PASS = 0.8  # of half the new rate: at 500 Hz the ECG is whole up to 150 Hz and more

_LEAST_WEIGHT = 0.25  # of the filter that must rest on samples that were taken

ReadSamples = Callable[[int, int], Int16Array]


@dataclass(frozen=True, slots=True, kw_only=True)
class Resampling:
    """The way from a rate above 1000 Hz to one below: the new sample lies at every so many of the old ones.

    A new sample depends on the old ones around it alone, so any piece is read as of the whole. What is missing weighs
    nothing; where the old sample in its place was never taken, the new one is not either.

    Attributes
    ----------
    factor : old samples for each new one; 1 where nothing is to be done
    """

    factor: int

    @classmethod
    def of(cls, fs_hz: float) -> "Resampling":
        """Return the way for a sampling rate, Hz: to a whole rate of 500 Hz or more if there is one."""
        least = ceil(fs_hz / MAX_FS_HZ)
        whole = [factor for factor in range(least, 2 * least + 1) if (fs_hz / factor).is_integer()]
        return cls(factor=next(iter(whole), least))

    def length(self, held: int) -> int:
        """Return how many samples become of so many."""
        return -(-held // self.factor)

    def read(self, read: ReadSamples, held: int, start: int, stop: int) -> Int16Array:
        """(stop - start, leads) int16: new samples from one to before another.

        Parameters
        ----------
        read : reads old samples from one to before another
        held : how many there are
        """
        if self.factor == 1 or stop <= start:
            return read(start, stop)
        from scipy.signal import upfirdn  # noqa: PLC0415 - paid only where there is something to resample

        taps = _taps(self.factor)
        half = len(taps) // 2
        first, last = start * self.factor - half, (stop - 1) * self.factor + half + 1
        old = np.pad(
            read(max(first, 0), min(last, held)),
            ((max(-first, 0), max(last - held, 0)), (0, 0)),
            constant_values=MISSING,
        )
        known = old != MISSING
        steps = slice(2 * half // self.factor, 2 * half // self.factor + stop - start)
        weight = upfirdn(taps, known.astype(np.float64), down=self.factor, axis=0)[steps]
        summed = upfirdn(taps, np.where(known, old, 0).astype(np.float64), down=self.factor, axis=0)[steps]
        # At a hole's edge half of the weight is there; a sum over less tells nothing.
        sure = known[half : len(old) - half : self.factor] & (weight > _LEAST_WEIGHT)
        values = np.clip(np.round(summed / np.where(sure, weight, 1.0)), MISSING + 1, -MISSING - 1)
        return np.where(sure, values, MISSING).astype(np.int16)


@lru_cache(maxsize=8)
def _taps(factor: int) -> npt.NDArray[np.float64]:
    """The low-pass filter of a factor: a windowed sinc of unit gain."""
    half = _TAPS_PER_STEP * factor
    at = np.arange(-half, half + 1)
    taps = np.sinc(at * _PASS / factor) * np.hamming(len(at))
    return np.asarray(taps / taps.sum(), np.float64)


def on_disk(
    *,
    name: str,
    fs_hz: float,
    leads: tuple[str, ...],
    gain: tuple[float, ...],
    baseline: tuple[int, ...],
    held: int,
    read: ReadSamples,
    remarks: tuple[str, ...] = (),
) -> RecordOnDisk:
    """Return a recording whose samples are read when they are asked for, at a rate that is judged.

    Parameters
    ----------
    name, leads, gain, baseline, remarks : see ``ecg.records.Recording``
    fs_hz : sampling rate of the file in Hz, up to 64,000
    held, read : samples of each lead in the file, and what reads them
    """
    way = Resampling.of(fs_hz)
    if way.factor > 1:
        remarks = (*remarks, f"sampled at {fs_hz:g} Hz, judged at {fs_hz / way.factor:g} Hz")
    return RecordOnDisk(
        name=name,
        fs_hz=fs_hz / way.factor,
        leads=leads,
        gain=gain,
        baseline=baseline,
        held=way.length(held),
        read=read if way.factor == 1 else lambda start, stop: way.read(read, held, start, stop),
        remarks=remarks,
    )
