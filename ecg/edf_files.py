"""ECGs in EDF files."""

import re
import warnings
from pathlib import Path
from typing import Any

import numpy as np

from ecg.errors import EcgStreamError
from ecg.quantise import UNITS_MV
from ecg.records import MAX_FS_HZ, MIN_FS_HZ, MISSING, Record
from ecg.wfdb_files import MAX_SIGNALS

_ECG_LABEL = re.compile(r"\b(ecg|ekg)", re.IGNORECASE)
_EDF_HEADER_BYTES = 256
_EDF_BYTES_BEFORE_COUNTS = 216  # a signal's header fields before its samples per data record


def read_edf(path: Path) -> Record:
    """The ECG in an EDF file: its signals named ECG or EKG, else all voltages at the first one's rate.

    Raises
    ------
    EcgStreamError : when the file is damaged, is interrupted (EDF+D), or holds no ECG at 100 to 1000 Hz
    """
    import edfio  # noqa: PLC0415 - paid only where an EDF file is read

    _check_edf_header(path)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # the lengths, of which it would warn, are checked already
            signals = edfio.read_edf(path, lazy_load_data=False, header_encoding="latin-1").signals
    except Exception as error:  # edfio raises many kinds on hostile files
        raise EcgStreamError(f"{path.name} is no whole EDF file ({str(error)[:200]}): restore the file") from error
    voltages = [signal for signal in signals if signal.physical_dimension.strip().lower() in UNITS_MV]
    chosen = [signal for signal in voltages if _ECG_LABEL.search(signal.label)] or voltages
    in_range = [signal for signal in chosen if MIN_FS_HZ <= signal.sampling_frequency <= MAX_FS_HZ]
    if not in_range:
        there = ", ".join(
            f"{signal.label} ({signal.sampling_frequency:g} Hz, {signal.physical_dimension})" for signal in signals
        )
        raise EcgStreamError(
            f"{path.name} has no ECG in volts at {MIN_FS_HZ:g} to {MAX_FS_HZ:g} Hz; it has {there or 'no signal'}: "
            "resample the record first"
        )
    fs_hz = in_range[0].sampling_frequency
    columns = [_edf_column(signal) for signal in in_range if signal.sampling_frequency == fs_hz]
    return Record(
        name=path.stem,
        fs_hz=float(fs_hz),
        leads=tuple(signal.label for signal in in_range if signal.sampling_frequency == fs_hz),
        samples=np.ascontiguousarray(np.stack([samples for samples, _, _ in columns], axis=1)),
        gain=tuple(gain for _, gain, _ in columns),
        baseline=tuple(baseline for _, _, baseline in columns),
    )


def _edf_column(signal: Any) -> tuple[np.ndarray[Any, np.dtype[np.int16]], float, int]:
    """Samples, ADC units per mV, and the ADC value of 0 mV."""
    physical = signal.physical_max - signal.physical_min
    digital = signal.digital_max - signal.digital_min
    if physical == 0 or digital <= 0:
        raise EcgStreamError(
            f"lead {signal.label}: {physical:g} {signal.physical_dimension} in {digital} steps make no scale: mend it"
        )
    scale = UNITS_MV[signal.physical_dimension.strip().lower()]
    gain = digital / (physical * scale)
    baseline = round(signal.digital_min - signal.physical_min * scale * gain)
    samples = np.maximum(signal.digital, MISSING + 1).astype(np.int16)  # EDF's lowest value is a sample, not a mark
    if gain < 0:  # an inverted electrode, written as physical minimum above maximum
        return np.negative(samples), -gain, -baseline
    return samples, gain, baseline


def _check_edf_header(path: Path) -> None:
    """Refuse what the reader would pass over: a length that is not true, and interruptions."""
    with path.open("rb") as file:
        fixed = file.read(_EDF_HEADER_BYTES)
        try:
            header_bytes, records, signals = int(fixed[184:192]), int(fixed[236:244]), int(fixed[252:256])
            if not 1 <= signals <= MAX_SIGNALS or header_bytes != _EDF_HEADER_BYTES * (signals + 1):
                raise EcgStreamError(
                    f"{path.name} claims {signals} signals in a header of {header_bytes} bytes: 1 to {MAX_SIGNALS} are "
                    f"read, in {_EDF_HEADER_BYTES} bytes each and {_EDF_HEADER_BYTES} more: restore the file"
                )
            file.seek(_EDF_HEADER_BYTES + _EDF_BYTES_BEFORE_COUNTS * signals)
            counts = [int(file.read(8)) for _ in range(signals)]
            record_bytes = 2 * sum(counts)
        except ValueError as error:
            raise EcgStreamError(f"{path.name} has no whole EDF header ({error}): restore the file") from error
    if min(counts) < 0 or record_bytes == 0 or records < -1:
        raise EcgStreamError(
            f"{path.name} claims {records} data records of {str(counts)[:80]} samples: restore the file"
        )
    if fixed[192:197] == b"EDF+D":
        raise EcgStreamError(f"{path.name} is interrupted (EDF+D), only EDF and EDF+C are read: split it at its gaps")
    held = path.stat().st_size - header_bytes
    claimed = record_bytes * records if records >= 0 else held - held % record_bytes
    if claimed != held:
        raise EcgStreamError(
            f"{path.name} claims {records} data records of {record_bytes} bytes, it holds {held} bytes: restore it"
        )
