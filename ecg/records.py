"""Recordings, in memory or on disk: integer samples as the recorder stored them, and what they mean."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from ecg.errors import EcgStreamError

MISSING = -32768  # the sample that was never taken: the WFDB mark of format 16, used for every format here
MIN_FS_HZ = 100.0  # the models see up to 40 Hz; below 100 Hz the QRS is no longer drawn
MAX_FS_HZ = 1000.0  # above it nothing is gained for an ECG, and every buffer grows
MAX_LEADS = 16  # of a recording: a 12-lead ECG and four spare, as a samples message carries
MIN_GAIN = 1e-3  # ADC units per mV: with 1 V a unit nothing of an ECG is left; far below it float32 overflows
MAX_GAIN = 1e6  # with 1 nV a unit, 16 bits hold 0.03 mV
MAX_LEAD_NAME = 128  # what a samples message carries

Int16Array = npt.NDArray[np.int16]
Float32Array = npt.NDArray[np.float32]


def check_fs(fs_hz: float, *, most_hz: float = MAX_FS_HZ) -> None:
    """Refuse a sampling rate that this system does not handle.

    Parameters
    ----------
    fs_hz : sampling rate in Hz
    most_hz : the highest rate that is handled: files are read at higher ones than a stream has

    Raises
    ------
    EcgStreamError : when the rate is below 100 Hz, above the highest, or not a number
    """
    if not MIN_FS_HZ <= fs_hz <= most_hz:
        side = "below" if fs_hz < MIN_FS_HZ else "not at most"
        limit = MIN_FS_HZ if fs_hz < MIN_FS_HZ else most_hz
        raise EcgStreamError(f"fs_hz={fs_hz:g} is {side} {limit:g} Hz: resample the record first")


@lru_cache(maxsize=4096)
def exact_rate(fs_hz: float) -> Fraction:
    """The sampling rate as a fraction, so that positions on long recordings stay exact.

    Parameters
    ----------
    fs_hz : sampling rate in Hz; its nearest fraction with a denominator up to 1000 is taken
    """
    return Fraction(fs_hz).limit_denominator(1000)


@dataclass(frozen=True, slots=True, kw_only=True)
class Recording(ABC):
    """A recording, wherever its samples lie.

    Attributes
    ----------
    name : the recording's name, such as "208"
    fs_hz : sampling rate in Hz
    leads : lead names, in the order of the columns of the samples
    gain : per lead, ADC units per millivolt
    baseline : per lead, the ADC value of 0 mV
    remarks : what of the file was left out or read otherwise than it says, and why, for whoever sent it
    """

    name: str
    fs_hz: float
    leads: tuple[str, ...]
    gain: tuple[float, ...]
    baseline: tuple[int, ...]
    remarks: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        check_fs(self.fs_hz)
        n_leads = len(self.leads)
        if n_leads == 0:
            raise EcgStreamError(f"record {self.name} has 0 leads: give at least one lead")
        if len(self.gain) != n_leads or len(self.baseline) != n_leads:
            raise EcgStreamError(f"record {self.name}: give gain and baseline for each of its {n_leads} leads")
        for lead in self.leads:
            if len(lead) > MAX_LEAD_NAME or not lead.isprintable():
                raise EcgStreamError(
                    f"record {self.name}: the lead name {lead[:20]!r} has {len(lead)} characters, or some that cannot "
                    f"be printed: give plain names of at most {MAX_LEAD_NAME}"
                )
        for lead, gain in zip(self.leads, self.gain, strict=True):
            if not MIN_GAIN <= gain <= MAX_GAIN:
                raise EcgStreamError(
                    f"record {self.name}, lead {lead}: gain={gain:g} ADC units per mV is not in {MIN_GAIN:g} to "
                    f"{MAX_GAIN:g}: give the right unit, or mend the header"
                )

    @property
    @abstractmethod
    def length(self) -> int:
        """The number of samples of each lead."""

    @abstractmethod
    def part(self, start: int, stop: int) -> Int16Array:
        """Samples from one to before another.

        Parameters
        ----------
        start, stop : sample numbers, 0 <= start <= stop

        Returns
        -------
        (n, leads) int16, ADC units, n = min(stop, length) - start; ``MISSING`` where no sample was taken

        Raises
        ------
        EcgStreamError : when the file that holds them has changed meanwhile
        """

    @property
    def seconds(self) -> float:
        """The length of the recording in seconds."""
        return self.length / self.fs_hz

    def pieces(self, size: int) -> Iterator[Int16Array]:
        """All samples, one piece after the other.

        Parameters
        ----------
        size : samples in a piece; the last one may be shorter
        """
        for start in range(0, self.length, size):
            yield self.part(start, start + size)

    def stretch(self, start: int, stop: int) -> "RecordOnDisk":
        """A part of the recording as a recording of its own.

        Parameters
        ----------
        start, stop : sample numbers, 0 <= start <= stop <= length
        """
        return RecordOnDisk(
            name=self.name,
            fs_hz=self.fs_hz,
            leads=self.leads,
            gain=self.gain,
            baseline=self.baseline,
            remarks=self.remarks,
            held=stop - start,
            read=lambda first, end: self.part(start + first, start + end),
        )

    def in_memory(self) -> "Record":
        """Read all samples."""
        return Record(
            name=self.name,
            fs_hz=self.fs_hz,
            leads=self.leads,
            gain=self.gain,
            baseline=self.baseline,
            samples=self.part(0, self.length),
            remarks=self.remarks,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Record(Recording):
    """A recording in memory.

    Attributes
    ----------
    samples : (n, leads) int16, ADC units; ``MISSING`` where no sample was taken
    """

    samples: Int16Array

    def __post_init__(self) -> None:
        n_leads = len(self.leads)
        if n_leads == 0 or self.samples.ndim != 2 or self.samples.shape[1] != n_leads:
            raise EcgStreamError(
                f"record {self.name}: samples of shape {self.samples.shape} do not fit {n_leads} leads: "
                "give one column for each lead, and at least one lead"
            )
        Recording.__post_init__(self)  # super() does not find its way in classes with slots

    @property
    def length(self) -> int:
        """The number of samples of each lead."""
        return len(self.samples)

    def part(self, start: int, stop: int) -> Int16Array:
        """Samples from one to before another: a view."""
        return self.samples[start:stop]

    def in_memory(self) -> "Record":
        """The record itself."""
        return self


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordOnDisk(Recording):
    """A recording whose samples are read when they are asked for, so that a day of it takes no memory.

    Attributes
    ----------
    held : samples of each lead in the file
    read : reads samples from one to before another, 0 <= start <= stop <= held: (stop - start, leads) int16
    """

    held: int
    read: Callable[[int, int], Int16Array]

    @property
    def length(self) -> int:
        """The number of samples of each lead."""
        return self.held

    def part(self, start: int, stop: int) -> Int16Array:
        """Samples from one to before another, read from the file."""
        return self.read(start, min(stop, self.held))


def to_millivolts(samples: Int16Array, gain: tuple[float, ...], baseline: tuple[int, ...]) -> Float32Array:
    """ADC units as millivolts.

    Parameters
    ----------
    samples : (..., leads) int16, ADC units
    gain : per lead, ADC units per mV
    baseline : per lead, the ADC value of 0 mV

    Returns
    -------
    (..., leads) float32, mV; NaN where a sample is ``MISSING``
    """
    millivolts: Float32Array = samples.astype(np.float32)
    millivolts -= np.asarray(baseline, np.float32)
    millivolts /= np.asarray(gain, np.float32)
    millivolts[samples == MISSING] = np.nan
    return millivolts


def from_millivolts(samples_mv: npt.NDArray[np.floating], gain: float) -> Int16Array:
    """Millivolts as ADC units with baseline 0, for sources that hold no integers.

    Parameters
    ----------
    samples_mv : (n, leads), mV; NaN or infinite where no sample was taken
    gain : ADC units per mV

    Returns
    -------
    (n, leads) int16; ``MISSING`` where the input is not finite, clipped to the int16 range elsewhere
    """
    finite = np.isfinite(samples_mv)
    units = np.clip(np.round(np.where(finite, samples_mv, 0.0) * gain), MISSING + 1, 32767)
    return np.where(finite, units, MISSING).astype(np.int16)
