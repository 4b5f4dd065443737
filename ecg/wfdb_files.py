"""WFDB records: a text header, packed integer samples, any sampling rate from 100 to 1000 Hz."""

from pathlib import Path

import numpy as np

from ecg.errors import EcgStreamError
from ecg.excerpts import EXCERPTS
from ecg.quantise import UNITS_MV
from ecg.records import Int16Array, Record, Recording, RecordOnDisk, check_fs
from ecg.wfdb_header import MAX_QUOTED, Header, SignalLine, read_header
from ecg.wfdb_signals import INVALID, READ_HERE, Fit, SignalFile, SignalReader, fitted, is_packed, samples_in

TOY_NAME = "208-excerpt"  # one lead, where one is enough
MAX_SIGNALS = 256
MAX_PACKED = 200_000_000  # samples of a compressed file, whose length its own size does not bound; a day of six leads


def open_wfdb(path: Path) -> Recording:
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
    stem = path.with_suffix("") if path.suffix == ".hea" else path
    header_path = stem.with_name(stem.name + ".hea")
    if not header_path.is_file():
        raise EcgStreamError(
            f"record {stem.name} is not in {stem.parent}: no file {header_path.name}; name a record that is there, "
            "or fetch it with 'ecgstream data fetch'"
        )
    header = read_header(header_path)
    columns = _check_header(header, header_path)
    length = _checked_length(header, header_path)
    lines = [header.signals[column] for column in columns]
    unfitted = tuple(
        Fit(invalid=INVALID[line.fmt], gain=line.gain / UNITS_MV[line.unit.lower()], baseline=line.baseline)
        for line in lines
    )
    if all(line.fmt in READ_HERE and not line.skew for line in header.signals):
        reader = SignalReader.of(_files(header, columns, header_path), unfitted, length)
        fits, samples = reader.fits, None
    else:
        fits, samples = _read_by_wfdb(stem, columns, unfitted)
    if (length if samples is None else len(samples)) == 0:
        raise EcgStreamError(f"record {stem.name} holds 0 samples: restore its signal file")
    fs_hz, leads = header.fs_hz, tuple(line.name or f"signal {number}" for number, line in enumerate(lines))
    gain, baseline = tuple(fit.gain for fit in fits), tuple(fit.baseline for fit in fits)
    if samples is not None:
        return Record(name=stem.name, fs_hz=fs_hz, leads=leads, gain=gain, baseline=baseline, samples=samples)
    return RecordOnDisk(
        name=stem.name, fs_hz=fs_hz, leads=leads, gain=gain, baseline=baseline, held=length, read=reader.read
    )


def read_wfdb(path: Path) -> Record:
    """Read a WFDB record into memory: see ``open_wfdb``."""
    return open_wfdb(path).in_memory()


def _read_by_wfdb(stem: Path, columns: list[int], fits: tuple[Fit, ...]) -> tuple[tuple[Fit, ...], Int16Array]:
    """Samples of compressed, rare or skewed signals, all at once, and their way into int16."""
    import wfdb  # noqa: PLC0415 - it brings pandas, which nobody should pay for whose record needs none of it

    try:
        read = wfdb.rdrecord(str(stem), physical=False, return_res=32, channels=columns)
    except Exception as error:  # wfdb raises many kinds on hostile files
        raise EcgStreamError(
            f"record {stem.name}: the signal file cannot be read ({(str(error) or type(error).__name__)[:MAX_QUOTED]}):"
            " restore it"
        ) from error
    if read.d_signal is None or len(read.d_signal) == 0:
        raise EcgStreamError(f"record {stem.name} holds 0 samples: restore its signal file")
    found = fitted(fits, [read.d_signal])
    return found, np.stack([fit.apply(read.d_signal[:, number]) for number, fit in enumerate(found)], axis=1)


def _files(header: Header, columns: list[int], path: Path) -> tuple[SignalFile, ...]:
    """The signal files that hold the wanted signals."""
    files = []
    for name, numbers in _by_file(header).items():
        wanted = [number for number in numbers if number in columns]
        if wanted:
            first = header.signals[numbers[0]]
            files.append(
                SignalFile(
                    path=path.with_name(name),
                    fmt=first.fmt,
                    byte_offset=first.byte_offset,
                    signals=len(numbers),
                    columns=tuple(numbers.index(number) for number in wanted),
                    places=tuple(columns.index(number) for number in wanted),
                )
            )
    return tuple(files)


def _by_file(header: Header) -> dict[str, list[int]]:
    """The numbers of the signals in each file."""
    files: dict[str, list[int]] = {}
    for number, line in enumerate(header.signals):
        files.setdefault(line.file_name, []).append(number)
    return files


def _check_header(header: Header, path: Path) -> list[int]:
    """Refuse what cannot be read truly; otherwise the columns that are voltages."""
    if header.segments is not None:
        raise EcgStreamError(
            f"{path.name} has {header.segments} segments, at most 1 is read: join them into one record"
        )
    check_fs(header.fs_hz)
    if not header.count or not header.signals:
        raise EcgStreamError(f"{path.name} names no signal: a record needs at least one lead")
    if header.count > MAX_SIGNALS or len(header.signals) != header.count:
        raise EcgStreamError(
            f"{path.name} claims {header.count} signals and describes {len(header.signals)}, at most {MAX_SIGNALS} "
            "are read: mend the header"
        )
    for line in header.signals:
        _check_signal(line, header, path)
    columns = [number for number, line in enumerate(header.signals) if line.unit.lower() in UNITS_MV]
    if not columns:
        units = [line.unit[:20] for line in header.signals]
        raise EcgStreamError(f"{path.name} has units {units}, none of them a voltage: an ECG is in mV, uV or V")
    return columns


def _check_signal(line: SignalLine, header: Header, path: Path) -> None:
    if line.per_frame != 1:
        raise EcgStreamError(
            f"{path.name} has {line.per_frame} samples per frame, only 1 is read: convert the record to one rate"
        )
    if line.fmt not in INVALID:
        raise EcgStreamError(
            f"{path.name}: signal format {line.fmt[:20]} is not known: convert the record to format 16"
        )
    if line.skew > header.fs_hz:
        raise EcgStreamError(f"{path.name} has a skew of {line.skew} samples, above 1 s: mend the header")
    name = line.file_name
    # A header that names a folder or an address would have this program read what nobody meant it to.
    if Path(name).name != name or "\\" in name or ":" in name or name == path.name or len(name) > MAX_QUOTED:
        raise EcgStreamError(f"{path.name} names {name[:MAX_QUOTED]!r}: a signal file lies beside its header")


def _checked_length(header: Header, path: Path) -> int:
    """Return how many samples a signal has: as the header claims, compared with the bytes that are there."""
    claimed = header.length
    for name, numbers in _by_file(header).items():
        first, data = header.signals[numbers[0]], path.with_name(name)
        if not data.is_file():
            raise EcgStreamError(f"{path.name} names {name}, which is not in {path.parent}: restore the file")
        if is_packed(first.fmt):  # compressed files check themselves
            if not 0 < (header.length or 0) * header.count <= MAX_PACKED:
                raise EcgStreamError(
                    f"{path.name} claims {header.length} samples of {header.count} compressed signals, outside 1 to "
                    f"{MAX_PACKED} in all: mend the header, or split the record"
                )
            continue
        held = samples_in(data.stat().st_size - first.byte_offset, first.fmt, len(numbers))
        if claimed is None:
            claimed = held  # a header without a length means all that is there
        if claimed > held:
            raise EcgStreamError(
                f"{path.name} claims {claimed} samples, {name} holds {held}: restore the file or mend the header"
            )
        # A second of padding is a recorder's habit; more is good data that nobody would ever see.
        if held - claimed > header.fs_hz:
            raise EcgStreamError(
                f"{path.name} claims {claimed} samples, {name} holds {held}: mend the header, so that none is lost"
            )
    return claimed or 0


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
