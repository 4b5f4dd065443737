"""Filters and resampling, over whole batches at once.

On numpy alone: loading scipy.signal takes longer than all else that the detector and the commands load.
"""

from functools import lru_cache

import numpy as np
import numpy.typing as npt

from ecg.errors import EcgStreamError
from ecg.records import Float32Array, exact_rate

BAND_HZ = (0.5, 40.0)  # monitoring bandwidth: below it baseline wander, above it muscle and mains
NOTCH_QUALITY = 30.0  # width of the notch: 2 Hz at 60 Hz, so that the QRS does not ring
MAX_FACTOR = 10_000  # of up- and downsampling; a rate of 999.999 Hz exactly would take a filter of 20 million taps
_FORGOTTEN = 20.0  # decay of a filter, as a logarithm, behind which nothing of it is left in float32


def zero_phase(
    samples: npt.NDArray[np.floating], response: npt.NDArray[np.complex128], *, pad: int
) -> npt.NDArray[np.float64]:
    """Filter forward and backward along the last axis.

    The ends are mirrored, and beyond them the signal is taken to stay level: as scipy's ``sosfiltfilt`` does it.

    Parameters
    ----------
    samples : (..., n), no NaN
    response : of the filter run once, at the frequencies that ``grid_hz`` gives for n, ``pad`` and the time in which it
        forgets
    pad : mirrored samples at each end, below n

    Returns
    -------
    (..., n) float64
    """
    signal = np.asarray(samples, np.float64)
    first, last = signal[..., :1], signal[..., -1:]
    extended = np.concatenate(
        [2 * first - signal[..., pad:0:-1], signal, 2 * last - signal[..., -2 : -pad - 2 : -1]], axis=-1
    )
    for _ in range(2):
        level = extended[..., :1]
        extended = _filtered(extended - level, response) + level * response[0].real
        extended = extended[..., ::-1]
    return extended[..., pad : pad + signal.shape[-1]]


def _filtered(signal: npt.NDArray[np.float64], response: npt.NDArray[np.complex128]) -> npt.NDArray[np.float64]:
    count = 2 * (len(response) - 1)
    spectrum = np.fft.rfft(signal, count)
    spectrum *= response
    found: npt.NDArray[np.float64] = np.fft.irfft(spectrum, count)[..., : signal.shape[-1]]
    return found


def grid_hz(samples: int, fs_hz: float, forgets_s: float) -> npt.NDArray[np.float64]:
    """Frequencies at which a filter's response is to be known, Hz, so that the ends of a signal do not meet.

    Parameters
    ----------
    samples : of the signal, both pads among them
    fs_hz : sampling rate, Hz
    forgets_s : time in which the filter forgets, s
    """
    count = 1 << int(samples + forgets_s * fs_hz).bit_length()
    return np.asarray(np.fft.rfftfreq(count, 1 / fs_hz), np.float64)


def butterworth_band(low_hz: float, high_hz: float, fs_hz: float, samples: int) -> npt.NDArray[np.complex128]:
    """Response of a band-pass of order 2 (Butterworth, bilinear transform) for ``zero_phase``.

    Parameters
    ----------
    low_hz, high_hz : edges, Hz (-3 dB)
    fs_hz : sampling rate, Hz
    samples : of the signal, both pads among them
    """
    # The low-pass prototype decays as exp(-w t / sqrt 2); behind the band-pass transform, its slower half as the low
    # edge does.
    hz = grid_hz(samples, fs_hz, _FORGOTTEN / (2 * np.pi * low_hz * np.sqrt(0.5)))
    low, high = np.tan(np.pi * np.array([low_hz, high_hz]) / fs_hz)
    warped = np.tan(np.pi * hz[1:-1] / fs_hz)
    prototype = 1j * (warped - low * high / warped) / (high - low)
    inner = 1 / (prototype * prototype + np.sqrt(2) * prototype + 1)
    return np.concatenate([[0], inner, [0]])


def _notch_response(mains_hz: float, fs_hz: float, samples: int) -> npt.NDArray[np.complex128]:
    """Response of a second-order notch, as scipy's ``iirnotch`` designs it."""
    width = mains_hz / NOTCH_QUALITY
    hz = grid_hz(samples, fs_hz, _FORGOTTEN / (np.pi * width))
    gain = 1 / (1 + np.tan(np.pi * width / fs_hz))
    back = np.exp(-2j * np.pi * hz / fs_hz)
    cosine = np.cos(2 * np.pi * mains_hz / fs_hz)
    top = gain * (1 - 2 * cosine * back + back * back)
    return np.asarray(top / (1 - 2 * gain * cosine * back + (2 * gain - 1) * back * back), np.complex128)


@lru_cache(maxsize=64)
def _anti_alias(up: int, down: int) -> npt.NDArray[np.float32]:
    # The design of scipy's resample_poly, kept so that it is not designed anew for every batch.
    longest = max(up, down)
    return low_pass(10 * longest, 1.0 / longest, np.kaiser(2 * 10 * longest + 1, 5.0))


def low_pass(reach: int, cutoff: float, window: npt.NDArray[np.float64]) -> npt.NDArray[np.float32]:
    """Taps of a low-pass by the window method, their sum 1: (2 * reach + 1,) float32.

    Parameters
    ----------
    reach : taps on each side of the middle
    cutoff : as a share of half the sampling rate (-6 dB)
    window : (2 * reach + 1,)
    """
    taps = np.sinc(cutoff * np.arange(-reach, reach + 1)) * window
    return np.asarray(taps / taps.sum(), np.float32)


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
    # A pad of one second lets the high-pass settle; scipy's default of 15 samples does not at 0.5 Hz.
    pad = min(int(fs_hz), samples.shape[-1] - 1)
    response = butterworth_band(*band_hz, fs_hz, samples.shape[-1] + 2 * pad)
    return np.asarray(zero_phase(samples, response, pad=pad), np.float32)


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
    response = _notch_response(mains_hz, fs_hz, samples.shape[-1] + 2 * pad)
    return np.asarray(zero_phase(samples, response, pad=pad), np.float32)


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
    from scipy import signal  # noqa: PLC0415 # see the module; nothing that is live comes here

    up, down = ratio.numerator, ratio.denominator
    # "line" removes each row's own trend first, so that the ends do not ring against zero.
    resampled = signal.resample_poly(  # type: ignore[call-overload] # the stubs lack the documented array for window
        samples, up, down, axis=-1, window=_anti_alias(up, down), padtype="line"
    )
    return np.asarray(resampled, np.float32)
