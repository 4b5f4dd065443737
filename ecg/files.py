"""ECGs in files of any format that is read: see ``ecg.formats``."""

from pathlib import Path

from ecg.errors import EcgStreamError
from ecg.formats import FORMATS, describe_formats, format_of, not_read
from ecg.leads import find_lead
from ecg.npy_files import WindowSet
from ecg.records import Record, Recording


def read_file(
    path: Path, *, fs_hz: float | None = None, leads: tuple[str, ...] | None = None, unit: str | None = None
) -> Record:
    """Read an ECG in one piece into memory: see ``open_recording``.

    Raises
    ------
    EcgStreamError : when the file cannot be read, or holds windows that are recordings of their own
    """
    found = open_recording(path, fs_hz=fs_hz, leads=leads, unit=unit)
    if isinstance(found, WindowSet):
        raise EcgStreamError(
            f"{path.name} holds {found.count} windows, here a recording in one piece is needed, of shape (n, leads): "
            "'ecgstream score' judges windows each on its own"
        )
    return found.in_memory()


def open_recording(
    path: Path, *, fs_hz: float | None = None, leads: tuple[str, ...] | None = None, unit: str | None = None
) -> Recording | WindowSet:
    """Return what a file holds, by the format that its suffix names.

    Where the format allows it, samples are read from the disk when they are asked for.

    Parameters
    ----------
    path : the file
    fs_hz : sampling rate in Hz, for files that do not say it
    leads : names: which leads to read, or what the columns are in files that do not say it
    unit : "mV", "uV", "V" or "adc", for files that do not say it; mV by default

    Raises
    ------
    EcgStreamError : when the file is missing, of no known kind, damaged, or does not say all that is needed
    """
    path = _main_file(path)
    if path.is_dir():
        raise EcgStreamError(f"{path} is a folder: name the files in it")
    if not path.is_file():
        raise EcgStreamError(f"there is no file {path}: give {describe_formats()}")
    form = format_of(path.name)
    if form is None:
        raise not_read(path.name)
    if form.says_all:
        return _choose(form.reader(path), leads)
    found: Recording | WindowSet = form.reader(path, fs_hz=fs_hz, leads=leads, unit=unit)
    return found


def _main_file(path: Path) -> Path:
    """Return the file that is read where another of a recording's is named, or the recording without a suffix."""
    for form in FORMATS:
        if path.suffix.lower() in form.parts:
            return path.with_suffix(form.suffixes[0])
        main = path.with_name(f"{path.name}{form.suffixes[0]}") if form.parts and path.name else None
        if main is not None and main.is_file() and not path.is_file():
            return main
    return path


def _choose(recording: Recording, leads: tuple[str, ...] | None) -> Recording:
    if leads is None:
        return recording
    columns = []
    for lead in leads:
        found = find_lead(lead, recording.leads)
        if found is None:
            raise EcgStreamError(f"record {recording.name} has no lead {lead!r}: it has {', '.join(recording.leads)}")
        columns.append(found)
    return recording.with_columns(columns)
