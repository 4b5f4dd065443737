"""ECGs in EDF files."""

import re
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ecg.errors import EcgStreamError
from ecg.quantise import UNITS_MV
from ecg.records import MAX_FS_HZ, MIN_FS_HZ, MISSING, Int16Array, RecordOnDisk
from ecg.wfdb_files import MAX_SIGNALS

_ECG_LABEL = re.compile(r"\b(ecg|ekg)", re.IGNORECASE)
_ANNOTATIONS = "EDF Annotations"  # label of a signal that holds text
_EDF_HEADER_BYTES = 256
_LABEL_BYTES = 16
_EDF_BYTES_BEFORE_COUNTS = 216  # a signal's header fields before its samples per data record


@dataclass(frozen=True, slots=True, kw_only=True)
class _Layout:
    """Layout of the samples in a file: data records one after the other, in each some samples of every signal.

    Attributes
    ----------
    header_bytes : before the first data record
    records : how many
    size : samples of all signals in one
    spans : of each signal but annotations, its first sample in a data record, and how many there are
    """

    header_bytes: int
    records: int
    size: int
    spans: tuple[tuple[int, int], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Column:
    """A lead: which signal it is, and its scale.

    Attributes
    ----------
    span : as in the layout
    gain : ADC units per mV
    baseline : the ADC value of 0 mV
    inverted : whether its samples are to be turned over
    """

    label: str
    span: tuple[int, int]
    gain: float
    baseline: int
    inverted: bool


def open_edf(path: Path) -> RecordOnDisk:
    """The ECG in an EDF file: its signals named ECG or EKG, else all voltages at the first one's rate.

    Raises
    ------
    EcgStreamError : when the file is damaged, is interrupted (EDF+D), or holds no ECG at 100 to 1000 Hz
    """
    import edfio  # noqa: PLC0415 - paid only where an EDF file is read

    layout = _read_layout(path)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # the lengths, of which it would warn, are checked already
            signals = edfio.read_edf(path, lazy_load_data=True, header_encoding="latin-1").signals
        spans = dict(zip(map(id, signals), layout.spans, strict=True))
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
    columns = [_column(signal, spans[id(signal)]) for signal in in_range if signal.sampling_frequency == fs_hz]
    return RecordOnDisk(
        name=path.stem,
        fs_hz=float(fs_hz),
        leads=tuple(column.label for column in columns),
        gain=tuple(column.gain for column in columns),
        baseline=tuple(column.baseline for column in columns),
        held=layout.records * columns[0].span[1],
        read=lambda start, stop: _read(path, layout, columns, start, stop),
    )


def _column(signal: Any, span: tuple[int, int]) -> _Column:
    physical = signal.physical_max - signal.physical_min
    digital = signal.digital_max - signal.digital_min
    if physical == 0 or digital <= 0:
        raise EcgStreamError(
            f"lead {signal.label}: {physical:g} {signal.physical_dimension} in {digital} steps make no scale: mend it"
        )
    scale = UNITS_MV[signal.physical_dimension.strip().lower()]
    gain = digital / (physical * scale)
    baseline = round(signal.digital_min - signal.physical_min * scale * gain)
    if gain < 0:  # an inverted electrode, written as physical minimum above maximum
        return _Column(label=signal.label, span=span, gain=-gain, baseline=-baseline, inverted=True)
    return _Column(label=signal.label, span=span, gain=gain, baseline=baseline, inverted=False)


def _read(path: Path, layout: _Layout, columns: list[_Column], start: int, stop: int) -> Int16Array:
    """(stop - start, columns) int16: samples from one to before another."""
    _, each = columns[0].span
    first, last = start // each, -(-stop // each)
    if last - first == 1:  # in one data record, which may be as long as the file
        at = first * layout.size + start - first * each
        parts = [_samples(path, layout, at + column.span[0], stop - start) for column in columns]
    else:
        block = _samples(path, layout, first * layout.size, (last - first) * layout.size).reshape(-1, layout.size)
        here = slice(start - first * each, stop - first * each)
        parts = [block[:, place : place + each].reshape(-1)[here] for place, _ in (column.span for column in columns)]
    samples = np.stack(parts, axis=1)
    np.maximum(samples, MISSING + 1, out=samples)  # EDF's lowest value is a sample, not a mark
    samples[:, [column.inverted for column in columns]] *= -1
    return samples


def _samples(path: Path, layout: _Layout, first: int, count: int) -> Int16Array:
    held: npt.NDArray[np.int16] = np.fromfile(path, "<i2", count, offset=layout.header_bytes + 2 * first)
    if len(held) != count:
        raise EcgStreamError(f"{path.name} became shorter while it was read: restore it, and read it again")
    return held.astype(np.int16, copy=False)


def _read_layout(path: Path) -> _Layout:
    """Return the layout of the samples; refuse what the reader would pass over: an untrue length, interruptions."""
    with path.open("rb") as file:
        fixed = file.read(_EDF_HEADER_BYTES)
        try:
            header_bytes, records, signals = int(fixed[184:192]), int(fixed[236:244]), int(fixed[252:256])
            if not 1 <= signals <= MAX_SIGNALS or header_bytes != _EDF_HEADER_BYTES * (signals + 1):
                raise EcgStreamError(
                    f"{path.name} claims {signals} signals in a header of {header_bytes} bytes: 1 to {MAX_SIGNALS} are "
                    f"read, in {_EDF_HEADER_BYTES} bytes each and {_EDF_HEADER_BYTES} more: restore the file"
                )
            labels = [file.read(_LABEL_BYTES).decode("latin-1").strip() for _ in range(signals)]
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
    starts = [sum(counts[:number]) for number in range(signals)]
    return _Layout(
        header_bytes=header_bytes,
        records=held // record_bytes,
        size=sum(counts),
        spans=tuple(
            (start, count) for label, start, count in zip(labels, starts, counts, strict=True) if label != _ANNOTATIONS
        ),
    )
