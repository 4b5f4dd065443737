"""ECGs in files of any format that is read: see ``ecg.formats``."""

from pathlib import Path

from ecg.contents import check_content
from ecg.errors import EcgStreamError
from ecg.formats import Format, describe_formats, format_of, is_part
from ecg.npy_files import WindowSet
from ecg.records import Record, Recording
from ecg.scale import UNITS, odd_span_mv, wrong_unit
from ecg.wfdb_places import HEADER, header_of


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
    """Return what a file holds, by the format that its suffix names, else by what its first bytes are.

    Where the format allows it, samples are read from the disk when they are asked for.

    Parameters
    ----------
    path : the file, any file of a record, or a record's name
    fs_hz : sampling rate in Hz; it comes before what the file says
    leads : names: which leads to read, or what the columns are in files that do not say it
    unit : "mV", "uV", "V" or "adc"; it comes before what the file says; mV where neither says one

    Raises
    ------
    EcgStreamError : when the file is missing, of no known kind, damaged, or does not say all that is needed
    """
    path = main_file(path)
    if path.is_dir():
        raise EcgStreamError(f"{path} is a folder: name the files in it")
    if not path.is_file():
        raise EcgStreamError(f"there is no file {path}: give {describe_formats()}")
    form = check_content(path, path.name)
    found: Recording | WindowSet = form.reader(path, fs_hz=fs_hz, leads=leads, unit=unit)
    if form.says_all and unit is None and isinstance(found, Recording) and (span_mv := odd_span_mv(found)) is not None:
        right = [other for other in UNITS if _fits(form, path, fs_hz=fs_hz, leads=leads, unit=other)]
        raise wrong_unit(path.name, span_mv, right)
    return found


def _fits(form: Format, path: Path, *, fs_hz: float | None, leads: tuple[str, ...] | None, unit: str) -> bool:
    """Return whether a file would be of the size of an ECG in a unit."""
    try:
        return odd_span_mv(form.reader(path, fs_hz=fs_hz, leads=leads, unit=unit)) is None
    except EcgStreamError:
        return False


def main_file(path: Path) -> Path:
    """Return the file that is read where another of a record's is named, or the record without a suffix."""
    form = format_of(path.name)
    if not path.name or (form is not None and not form.in_records):
        return path
    if form is not None or is_part(path.name) or not path.is_file():
        header = header_of(path)
        if header is not None:
            return header
    return path.with_suffix(HEADER) if is_part(path.name) else path
