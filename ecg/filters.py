"""Filters and resampling, over whole batches at once."""

from functools import lru_cache

import numpy as np
import numpy.typing as npt
from scipy import signal

from ecg.errors import EcgStreamError
from ecg.records import Float32Array, exact_rate

BAND_HZ = (0.5, 40.0)  # monitoring bandwidth: below it baseline wander, above it muscle and mains
BAND_ORDER = 2
NOTCH_QUALITY = 30.0  # width of the notch: 2 Hz at 60 Hz, so that the QRS does not ring


MAX_FACTOR = 10_000  # of up- and downsampling; a rate of 999.999 Hz exactly would take a filter of 20 million taps


@lru_cache(maxsize=32)
def _band(fs_hz: float, low_hz: float, high_hz: float) -> npt.NDArray[np.float64]:
    return np.asarray(signal.butter(BAND_ORDER, (low_hz, high_hz), btype="bandpass", fs=fs_hz, output="sos"))


@lru_cache(maxsize=32)
def _notch(fs_hz: float, mains_hz: float) -> npt.NDArray[np.float64]:
    numerator, denominator = signal.iirnotch(mains_hz, NOTCH_QUALITY, fs=fs_hz)
    return np.asarray(signal.tf2sos(numerator, denominator))


@lru_cache(maxsize=64)
def _anti_alias(up: int, down: int) -> npt.NDArray[np.float32]:
    # The design of scipy's resample_poly, kept so that it is not designed anew for every batch.
    longest = max(up, down)
    taps = signal.firwin(2 * 10 * longest + 1, 1.0 / longest, window=("kaiser", 5.0))
    return np.asarray(taps, np.float32)


def anti_alias(offset_s: npt.NDArray[np.float64], fs_hz: float, *, to_hz: float) -> npt.NDArray[np.float64]:
    """Weights of raw samples in a resampled one, by the time between them; their sum is not yet 1.

    The kernel of ``resample`` (a sinc under a Kaiser window, ten samples of the lower rate far) in continuous time, so
    that it holds at any place between two samples.

    Parameters
    ----------
    offset_s : (...) time of the resampled sample less that of the raw one, s
    fs_hz, to_hz : sampling rates, Hz
    """
    lower_hz = min(fs_hz, to_hz)
    reach = offset_s * lower_hz / 10
    inside = np.abs(reach) <= 1
    window = np.i0(5.0 * np.sqrt(np.where(inside, 1 - np.square(reach), 0))) / np.i0(5.0)
    return np.asarray(np.where(inside, np.sinc(offset_s * lower_hz) * window, 0), np.float64)


def band_pass(samples: Float32Array, fs_hz: float, *, band_hz: tuple[float, float] = BAND_HZ) -> Float32Array:
    """Zero-phase band-pass (Butterworth, forward and backward) along the last axis.

    Parameters
    ----------
    samples : (..., n) float32, no NaN
    fs_hz : sampling rate in Hz
    band_hz : lower and upper edge in Hz (-6 dB after both passes)

    Returns
    -------
    (..., n) float32, in the unit of the input
    """
    sos = _band(fs_hz, *band_hz)
    # A pad of one second lets the high-pass settle; scipy's default of 15 samples does not at 0.5 Hz.
    pad = min(int(fs_hz), samples.shape[-1] - 1)
    return np.asarray(signal.sosfiltfilt(sos, samples, axis=-1, padlen=pad), np.float32)


def notch(samples: Float32Array, fs_hz: float, *, mains_hz: float) -> Float32Array:
    """Take mains hum out, zero-phase, along the last axis.

    Parameters
    ----------
    samples : (..., n) float32, no NaN
    fs_hz : sampling rate in Hz
    mains_hz : 50 or 60 Hz

    Raises
    ------
    EcgStreamError : when the mains frequency does not lie below half the sampling rate
    """
    if not 0 < mains_hz < fs_hz / 2:
        raise EcgStreamError(f"mains_hz={mains_hz:g} is not below half of fs_hz={fs_hz:g}: no notch is needed there")
    pad = min(int(fs_hz), samples.shape[-1] - 1)
    return np.asarray(signal.sosfiltfilt(_notch(fs_hz, mains_hz), samples, axis=-1, padlen=pad), np.float32)


def resample(samples: Float32Array, fs_hz: float, *, to_hz: float) -> Float32Array:
    """Polyphase resampling along the last axis.

    Parameters
    ----------
    samples : (..., n) float32, no NaN
    fs_hz, to_hz : sampling rates in Hz; of unusual ones the nearest ratio of numbers up to 10,000 is taken, less than
        1 ms off in 15 s

    Returns
    -------
    (..., ceil(n * to_hz / fs_hz)) float32
    """
    ratio = (exact_rate(to_hz) / exact_rate(fs_hz)).limit_denominator(MAX_FACTOR)
    if ratio == 1:
        return samples
    up, down = ratio.numerator, ratio.denominator
    # "line" removes each row's own trend first, so that the ends do not ring against zero.
    resampled = signal.resample_poly(  # type: ignore[call-overload] # the stubs lack the documented array for window
        samples, up, down, axis=-1, window=_anti_alias(up, down), padtype="line"
    )
    return np.asarray(resampled, np.float32)
