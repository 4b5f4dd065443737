"""WFDB records: a text header, packed integer samples, in one piece or in segments, of any sampling rate."""

from pathlib import Path

from ecg.channels import choose_channels
from ecg.errors import EcgStreamError
from ecg.excerpts import EXCERPTS
from ecg.records import Record, Recording
from ecg.resampling import on_disk
from ecg.wfdb_header import read_header
from ecg.wfdb_pieces import Piece
from ecg.wfdb_places import header_of
from ecg.wfdb_segments import Segments

TOY_NAME = "208-excerpt"  # one lead, where one is enough


def open_wfdb(
    path: Path, *, fs_hz: float | None = None, leads: tuple[str, ...] | None = None, unit: str | None = None
) -> Recording:
    """A WFDB record.

    Signals that are no ECG (pressure, respiration) are left out, unless they are asked for.

    Parameters
    ----------
    path : the record's path, with or without ``.hea``
    fs_hz, leads, unit : what the caller says, which comes before what the header says

    Raises
    ------
    EcgStreamError : when a file is missing or damaged, the header contradicts the samples, or no signal is an ECG
    """
    header_path = header_of(path)
    if header_path is None:
        raise EcgStreamError(
            f"record {path.stem} is not in {path.parent}: no file {path.stem}.hea; name a record that is there, or "
            "fetch it with 'ecgstream data fetch'"
        )
    header = read_header(header_path)
    held = Piece.of(header_path, header) if header.segments is None else Segments.of(header_path, header)
    choice = choose_channels(held.channels(fs_hz), file=header_path.name, leads=leads, unit=unit, fs_hz=fs_hz)
    signals = header.signals if isinstance(held, Piece) else held.signals
    opened = held.open(choice.columns, choice.gains([abs(signals[column].gain) for column in choice.columns]))
    return on_disk(
        name=header_path.stem,
        fs_hz=choice.fs_hz,
        leads=choice.leads,
        gain=opened.gain,
        baseline=opened.baseline,
        held=opened.length,
        read=opened.read,
        remarks=(*held.remarks, *choice.remarks),
    )


def read_wfdb(path: Path) -> Record:
    """Read a WFDB record into memory: see ``open_wfdb``."""
    return open_wfdb(path).in_memory()


def read_noise(path: Path) -> Record:
    """Read a record of the MIT-BIH Noise Stress Test, all its signals: they are named as noise, and are no ECG.

    Raises
    ------
    EcgStreamError : as for ``open_wfdb``
    """
    header = header_of(path)
    leads = None if header is None else tuple(signal.name for signal in read_header(header).signals)
    return open_wfdb(path, leads=leads).in_memory()


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
