"""Noise at a chosen signal-to-noise ratio, as the Noise Stress Test defines it."""

import numpy as np
import numpy.typing as npt

from ecg.beats import find_beats
from ecg.errors import EcgStreamError
from ecg.filters import band_pass, resample
from ecg.records import Float32Array, Record, to_millivolts

MEASURED_BEATS = 300
MEASURED_S = 300
TRIM = 0.05  # of the measurements at either end
QRS_REACH_S = 0.05  # peak to peak is measured so far to both sides of a beat


def noise_for(record: Record, noise: Record, snr_db: float) -> Float32Array:
    """Noise to add to a record, so that it has the given signal-to-noise ratio.

    Parameters
    ----------
    record : the clean record
    noise : a record of noise, such as bw, em or ma; its leads are dealt out in turn
    snr_db : signal-to-noise ratio, dB

    Returns
    -------
    (n, leads) float32, mV, at the record's rate

    Raises
    ------
    EcgStreamError : when the record shows no beats to measure, or a lead of the noise is silent

    Source: Moody, Muldrow and Mark, A noise stress test for arrhythmia detectors, Computers in Cardiology 11 (1984)
    381, and the manual of nst: a QRS counts as a sine of its peak-to-peak amplitude, so the signal's power is that
    amplitude squared over 8; the noise's power is its RMS over one second, squared. Both are means of 300
    measurements without the highest and lowest 5 %. Ours measures at the beats it finds, not at annotated ones.
    """
    clean_mv = np.nan_to_num(to_millivolts(record.samples, record.gain, record.baseline))
    raw_mv = np.nan_to_num(to_millivolts(noise.samples, noise.gain, noise.baseline))
    columns = []
    for lead, name in enumerate(record.leads):
        source = raw_mv[:, lead % raw_mv.shape[1]]
        rms_mv = _rms_mv(source, noise.fs_hz)
        if rms_mv == 0:
            raise EcgStreamError(f"noise record {noise.name} is silent on lead {lead % raw_mv.shape[1]}: take another")
        qrs_mv = _qrs_mv(clean_mv[:, lead], record.fs_hz)
        if qrs_mv == 0:
            raise EcgStreamError(f"record {record.name}, lead {name}, shows no beats: noise cannot be scaled to it")
        gain = 10 ** (-snr_db / 20) * qrs_mv / np.sqrt(8) / rms_mv
        columns.append(resample((source * gain).astype(np.float32), noise.fs_hz, to_hz=record.fs_hz))
    return np.stack(columns, axis=1)


def _trimmed_mean(values: npt.NDArray[np.float64]) -> float:
    if values.size == 0:
        return 0.0
    cut = int(values.size * TRIM)
    return float(np.sort(values)[cut : values.size - cut].mean())


def _rms_mv(source: Float32Array, fs_hz: float) -> float:
    second = round(fs_hz)
    rows = min(len(source) // second, MEASURED_S)
    return _trimmed_mean(source[: rows * second].reshape(rows, second).std(axis=1, dtype=np.float64))


def _qrs_mv(lead_mv: Float32Array, fs_hz: float) -> float:
    beats = find_beats(band_pass(lead_mv, fs_hz), fs_hz)[:MEASURED_BEATS]
    reach = round(QRS_REACH_S * fs_hz)
    inside = beats[(beats >= reach) & (beats < len(lead_mv) - reach)]
    return _trimmed_mean(np.array([np.ptp(lead_mv[beat - reach : beat + reach]) for beat in inside], np.float64))
