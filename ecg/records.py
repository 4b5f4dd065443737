"""A recording in memory: integer samples as the recorder stored them, and what they mean."""

from dataclasses import dataclass
from fractions import Fraction

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


def check_fs(fs_hz: float) -> None:
    """Refuse a sampling rate that this system does not handle.

    Parameters
    ----------
    fs_hz : sampling rate in Hz

    Raises
    ------
    EcgStreamError : when the rate is outside 100 to 1000 Hz, or not a number
    """
    if not MIN_FS_HZ <= fs_hz <= MAX_FS_HZ:
        side = "below" if fs_hz < MIN_FS_HZ else "not at most"
        limit = MIN_FS_HZ if fs_hz < MIN_FS_HZ else MAX_FS_HZ
        raise EcgStreamError(f"fs_hz={fs_hz:g} is {side} {limit:g} Hz: resample the record first")


def exact_rate(fs_hz: float) -> Fraction:
    """The sampling rate as a fraction, so that positions on long recordings stay exact.

    Parameters
    ----------
    fs_hz : sampling rate in Hz; its nearest fraction with a denominator up to 1000 is taken
    """
    return Fraction(fs_hz).limit_denominator(1000)


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """A recording.

    Attributes
    ----------
    name : the record's name, such as "208"
    fs_hz : sampling rate in Hz
    leads : lead names, in the order of the columns of ``samples``
    samples : (n, leads) int16, ADC units; ``MISSING`` where no sample was taken
    gain : per lead, ADC units per millivolt
    baseline : per lead, the ADC value of 0 mV
    """

    name: str
    fs_hz: float
    leads: tuple[str, ...]
    samples: Int16Array
    gain: tuple[float, ...]
    baseline: tuple[int, ...]

    def __post_init__(self) -> None:
        check_fs(self.fs_hz)
        n_leads = len(self.leads)
        if n_leads == 0 or self.samples.ndim != 2 or self.samples.shape[1] != n_leads:
            raise EcgStreamError(
                f"record {self.name}: samples of shape {self.samples.shape} do not fit {n_leads} leads: "
                "give one column for each lead, and at least one lead"
            )
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
                    f"record {self.name}, lead {lead}: gain={gain} ADC units per mV is not in {MIN_GAIN:g} to "
                    f"{MAX_GAIN:g}: mend the header"
                )

    @property
    def seconds(self) -> float:
        """The length of the recording in seconds."""
        return len(self.samples) / self.fs_hz


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
