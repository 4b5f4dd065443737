"""ECGs in files of any kind: WFDB, EDF, CSV, numpy."""

import re
import warnings
from pathlib import Path
from typing import Any

import numpy as np

from ecg.csv_files import read_csv
from ecg.errors import EcgStreamError
from ecg.npy_files import WindowSet, read_npy
from ecg.quantise import UNITS_MV
from ecg.records import MAX_FS_HZ, MIN_FS_HZ, MISSING, Record
from ecg.wfdb_files import MAX_SIGNALS, read_wfdb

_ECG_LABEL = re.compile(r"\b(ecg|ekg)", re.IGNORECASE)
_EDF_HEADER_BYTES = 256
_EDF_BYTES_BEFORE_COUNTS = 216  # a signal's header fields before its samples per data record


def read_file(
    path: Path, *, fs_hz: float | None = None, leads: tuple[str, ...] | None = None, unit: str | None = None
) -> Record:
    """An ECG in one piece from a file: see ``read_recording``.

    Raises
    ------
    EcgStreamError : when the file cannot be read, or holds windows that are recordings of their own
    """
    found = read_recording(path, fs_hz=fs_hz, leads=leads, unit=unit)
    if isinstance(found, WindowSet):
        raise EcgStreamError(
            f"{path.name} holds {found.count} windows, here a recording in one piece is needed, of shape (n, leads): "
            "'ecgstream score' judges windows each on its own"
        )
    return found


def read_recording(
    path: Path, *, fs_hz: float | None = None, leads: tuple[str, ...] | None = None, unit: str | None = None
) -> Record | WindowSet:
    """What a file holds, by its suffix: ``.hea`` (WFDB), ``.edf``, ``.csv``/``.tsv``/``.txt``, ``.npy``.

    Parameters
    ----------
    path : the file
    fs_hz : sampling rate in Hz, for text without a time column and for ``.npy``
    leads : names: which leads to read, or what the columns of ``.npy`` and headerless text are
    unit : "mV", "uV", "V" or "adc", for text and ``.npy`` that do not say; mV by default

    Raises
    ------
    EcgStreamError : when the file is missing, of no known kind, damaged, or does not say all that is needed
    """
    suffix = path.suffix.lower()
    if suffix == ".dat":
        path, suffix = path.with_suffix(".hea"), ".hea"
    if not path.is_file() and path.name and (header := path.with_name(f"{path.name}.hea")).is_file():
        path, suffix = header, ".hea"  # a record's name, as WFDB's own programs take it
    if path.is_dir():
        raise EcgStreamError(f"{path} is a folder: name the files in it")
    if not path.is_file():
        raise EcgStreamError(f"there is no file {path}: give a .hea, .edf, .csv or .npy file")
    if suffix == ".hea":
        return _choose(read_wfdb(path), leads)
    if suffix in {".edf", ".rec"}:
        return _choose(read_edf(path), leads)
    if suffix in {".csv", ".tsv", ".txt"}:
        return read_csv(path, fs_hz=fs_hz, leads=leads, unit=unit)
    if suffix == ".npy":
        return read_npy(path, fs_hz=fs_hz, leads=leads, unit=unit)
    raise EcgStreamError(
        f"{path.name}: files of kind {suffix or 'no suffix'} are not read: give .hea, .edf, .csv or .npy"
    )


def _choose(record: Record, leads: tuple[str, ...] | None) -> Record:
    if leads is None:
        return record
    places = {name.lower(): column for column, name in enumerate(record.leads)}
    for lead in leads:
        if lead.lower() not in places:
            raise EcgStreamError(f"record {record.name} has no lead {lead!r}: it has {', '.join(record.leads)}")
    columns = [places[lead.lower()] for lead in leads]
    return Record(
        name=record.name,
        fs_hz=record.fs_hz,
        leads=tuple(record.leads[column] for column in columns),
        samples=np.ascontiguousarray(record.samples[:, columns]),
        gain=tuple(record.gain[column] for column in columns),
        baseline=tuple(record.baseline[column] for column in columns),
    )


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
