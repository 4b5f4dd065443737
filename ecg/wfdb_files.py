"""WFDB records: a text header, packed integer samples, any sampling rate from 100 to 1000 Hz."""

from collections import Counter
from math import ceil
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ecg.errors import EcgStreamError
from ecg.excerpts import EXCERPTS
from ecg.records import MISSING, Int16Array, Record, check_fs, from_millivolts

TOY_NAME = "208-excerpt"  # one lead, where one is enough
_INT16_MAX = 32767
MAX_HEADER_BYTES = 1_000_000  # a header of a hundred signals has ten thousand
MAX_SIGNALS = 256
MAX_PACKED = 200_000_000  # samples of a compressed file, whose length its own size does not bound; a day of six leads
_MAX_QUOTED = 200  # characters of a library's complaint: it may quote all of a hostile header
_VOLTAGE = {"nv": 1e-6, "uv": 1e-3, "µv": 1e-3, "μv": 1e-3, "mv": 1.0, "v": 1e3}  # in mV
# Bits that a sample takes in each uncompressed WFDB signal format, signal(5).
_BITS = {"8": 8, "80": 8, "212": 12, "310": 32 / 3, "311": 32 / 3, "16": 16, "61": 16, "160": 16, "24": 24, "32": 32}
# The mark of a sample that was never taken is the lowest value of the format; format 8 has none.
_INVALID = {"8": None, "80": -(2**7), "508": -(2**7), "212": -(2**11), "310": -(2**9), "311": -(2**9)} | {
    "16": -(2**15),
    "61": -(2**15),
    "160": -(2**15),
    "516": -(2**15),
    "24": -(2**23),
    "524": -(2**23),
    "32": -(2**31),
}


def read_wfdb(path: Path) -> Record:
    """A WFDB record of one segment.

    Signals that are no voltage (pressure, respiration) are left out.

    Parameters
    ----------
    path : the record's path, with or without ``.hea``

    Raises
    ------
    EcgStreamError : when a file is missing or damaged, the header contradicts the samples, the rate is outside 100
        to 1000 Hz, no signal is a voltage, or a frame holds several samples of a signal
    """
    import wfdb  # noqa: PLC0415 - it brings pandas, which nobody should pay for who reads no file

    stem = path.with_suffix("") if path.suffix == ".hea" else path
    header_path = stem.with_name(stem.name + ".hea")
    if not header_path.is_file():
        raise EcgStreamError(
            f"record {stem.name} is not in {stem.parent}: no file {header_path.name}; name a record that is there, "
            "or fetch it with 'ecgstream data fetch'"
        )
    if (held := header_path.stat().st_size) > MAX_HEADER_BYTES:
        raise EcgStreamError(f"{header_path.name} has {held} bytes, above {MAX_HEADER_BYTES}: it is no WFDB header")
    try:
        header = wfdb.rdheader(str(stem))
    except Exception as error:  # wfdb raises many kinds on hostile headers
        raise EcgStreamError(f"{header_path} is no WFDB header ({_short(error)}): restore the file") from error
    columns = _check_header(header, header_path)
    try:
        read = wfdb.rdrecord(str(stem), physical=False, return_res=32, channels=columns)
    except Exception as error:  # the same for hostile signal files
        raise EcgStreamError(
            f"record {stem.name}: the signal file cannot be read ({_short(error)}): restore it"
        ) from error
    if read.d_signal is None or len(read.d_signal) == 0:
        raise EcgStreamError(f"record {stem.name} holds 0 samples: restore its signal file")
    fitted = [
        _to_int16(read.d_signal[:, column], _INVALID[read.fmt[column]], gain=_gain_mv(read, column), baseline=zero)
        for column, zero in enumerate(read.baseline)
    ]
    return Record(
        name=stem.name,
        fs_hz=float(read.fs),
        leads=tuple(name or f"signal {column}" for column, name in enumerate(read.sig_name)),
        samples=np.ascontiguousarray(np.stack([samples for samples, _, _ in fitted], axis=1)),
        gain=tuple(gain for _, gain, _ in fitted),
        baseline=tuple(baseline for _, _, baseline in fitted),
    )


def _gain_mv(read: Any, column: int) -> float:
    """ADC units per mV."""
    return float(read.adc_gain[column]) / _VOLTAGE[read.units[column].lower()]


def _check_header(header: Any, path: Path) -> list[int]:
    """Refuse what cannot be read truly; otherwise the columns that are voltages."""
    if getattr(header, "n_seg", None) is not None:
        raise EcgStreamError(f"{path.name} has {header.n_seg} segments, at most 1 is read: join them into one record")
    check_fs(float(header.fs))
    if not header.n_sig or header.file_name is None:
        raise EcgStreamError(f"{path.name} names no signal: a record needs at least one lead")
    if header.n_sig > MAX_SIGNALS or len(header.file_name) != header.n_sig:
        raise EcgStreamError(
            f"{path.name} claims {header.n_sig} signals and describes {len(header.file_name)}, at most {MAX_SIGNALS} "
            "are read: mend the header"
        )
    per_frame = header.samps_per_frame
    if any(count != 1 for count in per_frame):
        raise EcgStreamError(
            f"{path.name} has {per_frame} samples per frame, only 1 is read: convert the record to one rate"
        )
    for fmt in header.fmt:
        if fmt not in _INVALID:
            raise EcgStreamError(f"{path.name}: signal format {fmt[:20]} is not known: convert the record to format 16")
    for skew in header.skew:
        if skew and not 0 <= skew <= header.fs:
            raise EcgStreamError(f"{path.name} has a skew of {skew} samples, above 1 s: mend the header")
    columns = [column for column, unit in enumerate(header.units) if (unit or "").lower() in _VOLTAGE]
    if not columns:
        raise EcgStreamError(f"{path.name} has units {header.units}, none of them a voltage: an ECG is in mV, uV or V")
    _check_length(header, path)
    return columns


def _check_length(header: Any, path: Path) -> None:
    """Compare the length that the header claims with the bytes that are there."""
    for name, signals in Counter(header.file_name).items():
        first = header.file_name.index(name)
        fmt = header.fmt[first]
        # A header that names a folder or an address would have this program read what nobody meant it to.
        if Path(name).name != name or "\\" in name or ":" in name or name == path.name or len(name) > _MAX_QUOTED:
            raise EcgStreamError(f"{path.name} names {name[:_MAX_QUOTED]!r}: a signal file lies beside its header")
        data = path.with_name(name)
        if not data.is_file():
            raise EcgStreamError(f"{path.name} names {name}, which is not in {path.parent}: restore the file")
        if fmt not in _BITS and not 0 < (header.sig_len or 0) * header.n_sig <= MAX_PACKED:
            raise EcgStreamError(
                f"{path.name} claims {header.sig_len} samples of {header.n_sig} compressed signals, outside 1 to "
                f"{MAX_PACKED} in all: mend the header, or split the record"
            )
        if fmt not in _BITS or not header.sig_len:
            continue  # compressed files check themselves; a header without a length means all that is there
        held_bytes = data.stat().st_size - (header.byte_offset[first] or 0)
        held = int(held_bytes * 8 / (_BITS[fmt] * signals))
        claimed = header.sig_len
        if ceil(claimed * signals * _BITS[fmt] / 8) > held_bytes:
            raise EcgStreamError(
                f"{path.name} claims {claimed} samples, {name} holds {held}: restore the file or mend the header"
            )
        # A second of padding is a recorder's habit; more is good data that nobody would ever see.
        if held - claimed > header.fs:
            raise EcgStreamError(
                f"{path.name} claims {claimed} samples, {name} holds {held}: mend the header, so that none is lost"
            )


def _short(error: Exception) -> str:
    """The beginning of what a library said."""
    return (str(error) or type(error).__name__)[:_MAX_QUOTED]


def _to_int16(
    values: npt.NDArray[np.signedinteger[Any]], invalid: int | None, *, gain: float, baseline: int
) -> tuple[Int16Array, float, int]:
    """One lead as int16 with its gain and baseline: shifted if that is enough, scaled only if it must be."""
    wide = np.asarray(values, np.int64)
    taken = np.ones(len(wide), np.bool_) if invalid is None else wide != invalid
    low, high = (int(wide[taken].min()), int(wide[taken].max())) if taken.any() else (0, 0)
    if low > MISSING and high <= _INT16_MAX:
        shift = 0
    elif high - low < 2 * _INT16_MAX:
        shift = (low + high) // 2  # a large offset and a small ECG: nothing is lost
    else:
        scaled_gain = gain * _INT16_MAX / ((high - low + 2) / 2)
        middle = (low + high) / 2
        centred = np.where(taken, (wide - middle) / gain, np.nan)
        samples = from_millivolts(centred, scaled_gain)
        return samples, scaled_gain, round((baseline - middle) / gain * scaled_gain)
    return np.where(taken, wide - shift, MISSING).astype(np.int16), gain, baseline - shift


def list_records(directory: Path) -> tuple[str, ...]:
    """The records of a folder: those its ``RECORDS`` file names, else every header; sorted.

    Raises
    ------
    EcgStreamError : when there is no such folder, or no record in it
    """
    if not directory.is_dir():
        raise EcgStreamError(
            f"there is no folder {directory}: give the folder that holds the records, or run 'ecgstream data fetch'"
        )
    index = directory / "RECORDS"
    if index.is_file():
        names = {line.strip() for line in index.read_text(encoding="utf-8").splitlines() if line.strip()}
    else:
        names = {header.stem for header in directory.glob("*.hea")}
    if not names:
        raise EcgStreamError(f"{directory} holds no record (no RECORDS, no *.hea): run 'ecgstream data fetch'")
    return tuple(sorted(names))


def find_record(name: str, directory: Path) -> Path:
    """The header of a record: an excerpt that comes with the package, or one of a folder.

    Raises
    ------
    EcgStreamError : when the record is not there; the message names what is
    """
    if name in EXCERPTS:
        return EXCERPTS[name].path
    header = directory / f"{name}.hea"
    if Path(name).name != name or not header.is_file():
        there = ", ".join(list_records(directory)[:8])
        raise EcgStreamError(f"record {name!r} is not in {directory}: there are {there}, ...")
    return header


def toy_record() -> Record:
    """The excerpt of record 208 that comes with the package: lead MLII, 360 Hz, five minutes."""
    return read_wfdb(EXCERPTS[TOY_NAME].path)


def load_record(name: str, directory: Path) -> Record:
    """A record by name: an excerpt that comes with the package, or one of a folder.

    Raises
    ------
    EcgStreamError : when it is not there or cannot be read
    """
    return read_wfdb(find_record(name, directory))
