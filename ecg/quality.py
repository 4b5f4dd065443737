"""Signal quality of a window: samples missing, flat line, lead off, clipping, noise."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ecg.noise import MAX_NOISE, noise_probability
from ecg.records import MISSING, Float32Array, Int16Array

BLOCK_S = 0.2  # shorter than any pause between T and P wave, longer than a sampled plateau of a real QRS
MAX_MISSING = 0.1  # 0.5 s of 5: a beat can be lost in more
MAX_FLAT = 0.5  # half a window on an unmoving line holds no rhythm to judge
MAX_CLIPPED = 0.05  # a few clipped R peaks still tell their beats


@dataclass(frozen=True, slots=True, kw_only=True)
class LeadQuality:
    """Quality of a lead's signal in each of N windows.

    Attributes
    ----------
    missing, flat, clipped : (N,) float32, fraction of samples never received, on a flat line, at the rail
    noise : (N,) float32, the probability that an expert would call it noise: see ``ecg.noise``
    """

    missing: Float32Array
    flat: Float32Array
    clipped: Float32Array
    noise: Float32Array

    @property
    def usable(self) -> npt.NDArray[np.bool_]:
        """(N,) whether enough of the lead was received and moves."""
        return (self.missing <= MAX_MISSING) & (self.flat <= MAX_FLAT)

    @property
    def noisy(self) -> npt.NDArray[np.bool_]:
        """(N,) whether the lead is noise: nothing can be told from it, be it as a normal ECG or as an abnormal one."""
        # Of what was hardly received, or hardly moves, that is said and not that it is noise.
        return self.usable & (self.noise >= MAX_NOISE)

    def every(self, step: int, start: int) -> "LeadQuality":
        """Quality of every ``step``-th row, from row ``start`` on."""
        part = slice(start, None, step)
        return LeadQuality(
            missing=self.missing[part], flat=self.flat[part], clipped=self.clipped[part], noise=self.noise[part]
        )

    def flags(self, row: int) -> tuple[str, ...]:
        """Return what crossed its limit in one window."""
        flags = []
        if self.missing[row] > 0:
            flags.append("gap")
        if self.flat[row] > MAX_FLAT:
            flags.append("lead_off" if self.flat[row] + self.missing[row] > 0.95 else "flat")
        if self.clipped[row] > MAX_CLIPPED:
            flags.append("clipped")
        if self.noisy[row]:
            flags.append("noisy")
        return tuple(flags)

    def fractions(self, row: int) -> tuple[float, float, float, float]:
        """Missing, flat, clipped and noise of one window, rounded to what they mean."""
        missing, flat, clipped, noise = (
            round(float(values[row]), 4) for values in (self.missing, self.flat, self.clipped, self.noise)
        )
        return missing, flat, clipped, noise


def lead_quality(
    raw: Int16Array, fs_hz: float, *, filtered: Float32Array, known_from: npt.NDArray[np.int64], window: int
) -> LeadQuality:
    """Judge N windows of one lead each.

    Parameters
    ----------
    raw : (N, n) int16, ADC units of the window as received, ``MISSING`` where nothing came
    fs_hz : its sampling rate in Hz
    filtered : (N, m) float32, mV at 100 Hz, band-passed: the same windows, and what lies before them as far as it is
        to tell what beats are like
    known_from : (N,) the first sample of ``filtered`` that is known
    window : how many of its newest samples the window is
    """
    missing = raw == MISSING
    return LeadQuality(
        missing=np.asarray(missing.mean(axis=1), np.float32),
        flat=flat_share(raw, fs_hz),
        clipped=_clipped(raw, missing),
        noise=noise_probability(filtered, known_from, window=window),
    )


def flat_share(raw: Int16Array, fs_hz: float) -> Float32Array:
    """The share of N raw signals that lies on an unmoving line: (N,) float32.

    Parameters
    ----------
    raw : (N, n) int16, ADC units, ``MISSING`` where nothing came
    fs_hz : sampling rate, Hz
    """
    block = max(2, round(BLOCK_S * fs_hz))
    blocks = raw.shape[1] // block
    shape = (len(raw), blocks, block)
    cut = raw[:, : blocks * block].reshape(shape)
    whole = (cut != MISSING).all(axis=2)
    still = (cut.max(axis=2) == cut.min(axis=2)) & whole
    return np.asarray(still.mean(axis=1), np.float32)


def _clipped(raw: Int16Array, missing: npt.NDArray[np.bool_]) -> Float32Array:
    # At a rail the extreme value repeats from sample to sample; a natural peak holds it for one or two.
    highest = np.where(missing, np.int16(-32767), raw).max(axis=1, keepdims=True)
    lowest = np.where(missing, np.int16(32767), raw).min(axis=1, keepdims=True)
    moving = highest > lowest
    clipped = np.zeros(len(raw), np.float32)
    for rail in (highest, lowest):
        at = (raw == rail) & ~missing & moving
        held = at[:, 3:] & at[:, 2:-1] & at[:, 1:-2] & at[:, :-3]
        whole = np.zeros_like(at)
        for shift in range(4):
            whole[:, shift : shift + held.shape[1]] |= held
        clipped += whole.mean(axis=1)
    return np.asarray(np.minimum(clipped, np.float32(1)), np.float32)
