"""Rapid checks on raw samples, for tests: filtered as the detector does it at a stream's beginning or within one."""

from collections.abc import Sequence

import numpy as np

from ecg.lethal import CHECK_S, CHECK_SAMPLES, Measured, measure
from ecg.records import MISSING, Int16Array
from ecg.segments import Preprocessing, filter_segments, segment_samples


def measured(raw: Int16Array, *, fs_hz: float, gain: Sequence[float], baseline: Sequence[int]) -> list[Measured]:
    """Measure the newest four seconds of signals.

    Parameters
    ----------
    raw : (N, n, columns) int16, ADC units, up to a segment long: what is not there was never received
    fs_hz : sampling rate, Hz
    gain, baseline : by column
    """
    count, length, columns = raw.shape
    segments = np.full((count, segment_samples(fs_hz), columns), MISSING, np.int16)
    segments[:, -length:] = raw
    signals = filter_segments(
        segments,
        fs_hz=fs_hz,
        gain=np.tile(np.asarray(gain, np.float64), (count, 1)),
        baseline=np.tile(np.asarray(baseline, np.int64), (count, 1)),
        settings=Preprocessing(),
    )
    return measure(
        raw[:, -round(CHECK_S * fs_hz) :],
        np.stack([signal.resampled[:, -CHECK_SAMPLES:] for signal in signals]),
        np.stack([signal.newest for signal in signals]),
        fs_hz=fs_hz,
    )
