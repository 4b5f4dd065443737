"""The same heart heard through another device: what recordings become, with their annotations on the same beats.

Each disturbance is a pure function of a recording. What it changes is what differs between databases and wards:
sampling rate, leads, polarity, size, resolution, noise, and how fast the heart goes. Needs no torch.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import partial

import numpy as np
import numpy.typing as npt

from ecg.annotations import Annotations
from ecg.errors import EcgStreamError
from ecg.filters import resample
from ecg.records import MISSING, Float32Array, Int16Array, Record, exact_rate, from_millivolts, to_millivolts
from producer.noise import noise_for

RATES_HZ = (128.0, 250.0, 257.0, 1000.0)  # Supraventricular and Sinus Rhythm, European ST-T, INCART, PTB databases
SIZES = (0.5, 2.0)
PACES = (0.85, 1.15)  # the time between two beats, against the recorded one
NOISES = ("bw", "em", "ma")  # baseline wander, electrode motion, muscle
SNR_DB = (24.0, 18.0, 12.0, 6.0)  # as the Noise Stress Test Database has them
SPAN_MV = 10.0  # what the whole range of an analogue-to-digital converter stands for: 11 bits of MIT-BIH are 5 uV each


@dataclass(frozen=True, slots=True, kw_only=True)
class Recording:
    """A record and what an expert wrote on it."""

    record: Record
    annotations: Annotations


Disturbance = Callable[[Recording], Recording]


def at_rate(recording: Recording, fs_hz: float) -> Recording:
    """Sampled at another rate, Hz; every annotation stays within half a sample of its time."""
    record = recording.record
    ratio = exact_rate(fs_hz) / exact_rate(record.fs_hz)
    return Recording(
        record=replace(record, fs_hz=fs_hz, samples=_resampled(record.samples, ratio)),
        annotations=_moved(recording.annotations, ratio),
    )


def at_pace(recording: Recording, factor: float) -> Recording:
    """Slower (factor above 1) or faster, as a longer or shorter recording at the same rate."""
    ratio = exact_rate(factor)
    return Recording(
        record=replace(recording.record, samples=_resampled(recording.record.samples, ratio)),
        annotations=_moved(recording.annotations, ratio),
    )


def one_lead(recording: Recording, column: int) -> Recording:
    """One of the leads alone, under its name.

    Raises
    ------
    EcgStreamError : when the record has no such lead
    """
    record = recording.record
    if column >= len(record.leads):
        raise EcgStreamError(f"record {record.name} has {len(record.leads)} leads, no lead {column + 1}: leave it out")
    return replace(
        recording,
        record=replace(
            record,
            leads=(record.leads[column],),
            samples=record.samples[:, [column]],
            gain=(record.gain[column],),
            baseline=(record.baseline[column],),
        ),
    )


def leads_swapped(recording: Recording) -> Recording:
    """The electrodes mixed up: each lead's signal under another lead's name."""
    record = recording.record
    return replace(
        recording,
        record=replace(record, samples=record.samples[:, ::-1], gain=record.gain[::-1], baseline=record.baseline[::-1]),
    )


def leads_unnamed(recording: Recording) -> Recording:
    """A device that does not say which leads it records."""
    record = recording.record
    return replace(
        recording, record=replace(record, leads=tuple(f"ECG{number + 1}" for number in range(len(record.leads))))
    )


def inverted(recording: Recording) -> Recording:
    """All leads upside down."""
    record = recording.record
    middle = 2 * np.array(record.baseline, np.int64)
    flipped = np.clip(middle - record.samples, MISSING + 1, 32767)
    samples = np.where(record.samples == MISSING, MISSING, flipped).astype(np.int16)
    return replace(recording, record=replace(record, samples=samples))


def at_size(recording: Recording, factor: float) -> Recording:
    """Larger or smaller in millivolts: another body, or a device whose gain is not what its header says."""
    record = recording.record
    return replace(recording, record=replace(record, gain=tuple(gain / factor for gain in record.gain)))


def at_resolution(recording: Recording, bits: int) -> Recording:
    """Stored in steps of ``SPAN_MV`` / 2 ** bits, 16 bits at most."""
    record = recording.record
    gain = 2**bits / SPAN_MV
    samples = from_millivolts(to_millivolts(record.samples, record.gain, record.baseline), gain)
    n_leads = len(record.leads)
    return replace(recording, record=replace(record, samples=samples, gain=(gain,) * n_leads, baseline=(0,) * n_leads))


def noisy(recording: Recording, noise: Record, snr_db: float) -> Recording:
    """With noise of the Noise Stress Test all the way, at a signal-to-noise ratio in dB; short noise is repeated."""
    record = recording.record
    clean_mv = to_millivolts(record.samples, record.gain, record.baseline)
    added_mv = np.resize(noise_for(record, noise, snr_db), clean_mv.shape)
    columns = [
        _in_units(clean_mv[:, column] + added_mv[:, column], gain, zero)
        for column, (gain, zero) in enumerate(zip(record.gain, record.baseline, strict=True))
    ]
    return replace(recording, record=replace(record, samples=np.stack(columns, axis=1)))


def disturbances(noises: Mapping[str, Record]) -> dict[str, Disturbance]:
    """Every disturbance by its name, in the order of a report.

    Parameters
    ----------
    noises : the noise records that are at hand, by their names in ``NOISES``
    """
    found: dict[str, Disturbance] = {f"rate-{rate:g}": partial(at_rate, fs_hz=rate) for rate in RATES_HZ}
    found |= {
        "first-lead": partial(one_lead, column=0),
        "second-lead": partial(one_lead, column=1),
        "swapped": leads_swapped,
        "unnamed": leads_unnamed,
        "inverted": inverted,
    }
    found |= {f"size-{factor:g}": partial(at_size, factor=factor) for factor in SIZES}
    found |= {f"pace-{factor:g}": partial(at_pace, factor=factor) for factor in PACES}
    found |= {f"bits-{bits}": partial(at_resolution, bits=bits) for bits in (16, 11, 8)}
    for name in NOISES:
        if name in noises:
            found |= {f"{name}-{snr_db:g}": partial(noisy, noise=noises[name], snr_db=snr_db) for snr_db in SNR_DB}
    return found


def disturbances_named(selection: str, noises: Mapping[str, Record]) -> dict[str, Disturbance]:
    """Return what a selection means: "all", or names separated by commas; ``em`` means all of ``em-24``, ``em-18``, ...

    Raises
    ------
    EcgStreamError : when there is no such disturbance
    """
    known = disturbances(noises)
    if selection.lower() == "all":
        return known
    chosen: dict[str, Disturbance] = {}
    for part in (part.strip() for part in selection.split(",")):
        meant = {name: known[name] for name in known if name == part or name.rpartition("-")[0] == part}
        if not meant:
            raise EcgStreamError(f"disturb={part!r} is none of all, {', '.join(known)}: choose among them")
        chosen |= meant
    return chosen


def _moved(annotations: Annotations, ratio: Fraction) -> Annotations:
    up, down = ratio.numerator, ratio.denominator
    return replace(annotations, sample=(2 * annotations.sample * up + down) // (2 * down))


def _resampled(samples: Int16Array, ratio: Fraction) -> Int16Array:
    """ADC units, ``ratio`` times as many; what is missing stays missing."""
    missing = samples == MISSING
    units: Float32Array = samples.T.astype(np.float32)
    for row, hole in zip(units, missing.T, strict=True):
        if hole.any():
            known = np.flatnonzero(~hole)
            row[hole] = np.interp(np.flatnonzero(hole), known, row[known]) if len(known) else 0
    found = resample(np.ascontiguousarray(units), float(ratio.denominator), to_hz=float(ratio.numerator)).T
    nearest = np.minimum(np.round(np.arange(len(found)) / float(ratio)).astype(np.int64), len(samples) - 1)
    whole = np.clip(np.round(found), MISSING + 1, 32767)
    return np.where(missing[nearest], MISSING, whole).astype(np.int16)


def _in_units(lead_mv: npt.NDArray[np.floating], gain: float, baseline: int) -> Int16Array:
    units = np.clip(np.round(np.nan_to_num(lead_mv) * gain) + baseline, MISSING + 1, 32767)
    return np.where(np.isfinite(lead_mv), units, MISSING).astype(np.int16)
