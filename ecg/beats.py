"""Finding beats: QRS positions in a filtered lead."""

import importlib.util
from collections.abc import Callable, Sequence
from functools import lru_cache
from importlib.machinery import PathFinder
from itertools import pairwise
from statistics import median

import numpy as np
import numpy.typing as npt

from ecg.filters import butterworth_band, zero_phase
from ecg.records import Float32Array

REFRACTORY_S = 0.2  # no two QRS closer: ventricular refractory period
MIN_SIGNAL_S = 2.0  # the detector learns its thresholds on two seconds
QRS_BAND_HZ = (5.0, 30.0)
INTEGRATED_S = 0.15
_PAD = 15  # samples that are mirrored at the ends
_SLOPE = np.array([-1, -2, 0, 2, 1])  # over five points, as described by Pan and Tompkins

_Floats = npt.NDArray[np.float64]


def find_beats(lead_mv: Float32Array, fs_hz: float) -> npt.NDArray[np.int64]:
    """The QRS complexes of one lead.

    Parameters
    ----------
    lead_mv : (n,) float32, one lead, band-passed; any unit does
    fs_hz : sampling rate in Hz, 100 or more

    Returns
    -------
    (beats,) int64, sample positions, ascending; empty for a flat or very short signal

    Source: Pan and Tompkins 1985, doi:10.1109/TBME.1985.325532, as changed in the package sleepecg.
    """
    changes = np.flatnonzero(lead_mv != lead_mv[:1])
    if len(lead_mv) < MIN_SIGNAL_S * fs_hz or not len(changes):
        return np.empty(0, np.int64)
    # A signal that begins flat would mislead the thresholds.
    start = int(changes[0]) if lead_mv[1] == lead_mv[0] else 0
    if len(lead_mv) - start <= _PAD:
        return np.empty(0, np.int64)
    return _beats_of(lead_mv[None, start:], fs_hz)[0] + start


def find_beats_in(leads: Float32Array, fs_hz: float, *, known_from: Sequence[int]) -> list[npt.NDArray[np.int64]]:
    """The QRS complexes of each of many leads, as ``find_beats`` finds them, in an eighth of the time.

    Parameters
    ----------
    leads : (N, n) float32, band-passed; any unit does
    fs_hz : sampling rate in Hz, 100 or more
    known_from : by lead, where its signal begins
    """
    whole = [row for row, start in enumerate(known_from) if start == 0 and leads[row, 0] != leads[row, 1]]
    found = {
        row: find_beats(leads[row, start:], fs_hz) + start for row, start in enumerate(known_from) if row not in whole
    }
    if whole:
        found |= zip(whole, _beats_of(leads[whole], fs_hz), strict=True)
    return [found[row] for row in range(len(leads))]


def _beats_of(leads: Float32Array, fs_hz: float) -> list[npt.NDArray[np.int64]]:
    integrated, thresholding = _compiled()
    width = int(INTEGRATED_S * fs_hz)
    filtered = np.ascontiguousarray(zero_phase(leads, _qrs_band(fs_hz, leads.shape[1]), pad=_PAD))
    return [
        np.flatnonzero(thresholding(lead, integrated(np.correlate(lead, _SLOPE, mode="same"), width), fs_hz)).astype(
            np.int64
        )
        for lead in filtered
    ]


@lru_cache(maxsize=4)
def _qrs_band(fs_hz: float, samples: int) -> npt.NDArray[np.complex128]:
    return butterworth_band(*QRS_BAND_HZ, fs_hz, samples + 2 * _PAD)


@lru_cache(maxsize=1)
def _compiled() -> tuple[Callable[[_Floats, int], _Floats], Callable[[_Floats, _Floats, float], npt.NDArray[np.bool_]]]:
    """The two compiled halves of sleepecg's ``detect_heartbeats``: its squared moving integration, its thresholds.

    From their file: the package around them loads scipy.stats and requests, for half a second.
    """
    package = importlib.util.find_spec("sleepecg")
    if package is None:
        raise ModuleNotFoundError("No module named 'sleepecg'", name="sleepecg")
    name = "_heartbeat_detection"
    spec = PathFinder.find_spec(name, package.submodule_search_locations)
    if spec is None or spec.loader is None:
        raise ModuleNotFoundError(f"No module named 'sleepecg.{name}'", name=f"sleepecg.{name}")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module._squared_moving_integration, module._thresholding  # noqa: SLF001


def heart_rate_bpm(
    beat_times_s: Sequence[float] | npt.NDArray[np.float64], *, holes_s: Sequence[tuple[float, float]] = ()
) -> float | None:
    """The heart rate from the median RR interval.

    Parameters
    ----------
    beat_times_s : beat times in seconds, ascending
    holes_s : [start, end) in seconds in which a beat may have been missed: no interval across one counts

    Returns
    -------
    beats per minute, or None with fewer than two intervals
    """
    times = [float(time_s) for time_s in beat_times_s]
    known = [
        after - before for before, after in pairwise(times) if not any(before <= start < after for start, _ in holes_s)
    ]
    return None if len(known) < 2 else round(60.0 / median(known), 1)
