"""File formats that recordings are read from: one table, and what a file is by what it holds."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ecg.csv_files import read_csv
from ecg.edf_files import open_edf
from ecg.errors import EcgStreamError
from ecg.npy_files import read_npy
from ecg.wfdb_files import open_wfdb

HEAD_BYTES = 4096  # of a file, which tell what it holds
TEXT = "text"
Begins = bytes | Callable[[bytes], bool]


@dataclass(frozen=True, slots=True, kw_only=True)
class Format:
    """A file format.

    Attributes
    ----------
    name : for people
    suffixes : of the file that is read, in lower case; the first is the usual one
    parts : suffixes of files without which that one cannot be read, and which may be named in its place
    companions : suffixes of files that may lie beside it
    content : what such a file holds, for people, as ``content_of`` says it
    begins : with which bytes, or what tells it by its first bytes; None for text
    reader : takes the path; where the file need not say them, also ``fs_hz``, ``leads`` and ``unit``
    says_all : whether the file itself says sampling rate, leads and unit
    """

    name: str
    suffixes: tuple[str, ...]
    parts: tuple[str, ...] = ()
    companions: tuple[str, ...] = ()
    content: str = TEXT
    begins: Begins | None = None
    reader: Callable[..., Any]  # of a Recording or a WindowSet
    says_all: bool

    @property
    def usual(self) -> str:
        """Return what a sender is asked for."""
        return " with ".join((self.suffixes[0], *self.parts))


def _is_edf(head: bytes) -> bool:
    # A table, too, may begin with "0" and spaces: an EDF header has its date in its place.
    return head.startswith(b"0       ") and head[170:171] == head[173:174] == b"."


FORMATS: tuple[Format, ...] = (
    Format(
        name="WFDB",
        suffixes=(".hea",),
        parts=(".dat",),
        companions=(".atr",),
        reader=open_wfdb,
        says_all=True,
    ),
    Format(name="EDF", suffixes=(".edf", ".rec"), content="EDF file", begins=_is_edf, reader=open_edf, says_all=True),
    Format(name="CSV", suffixes=(".csv", ".tsv", ".txt"), reader=read_csv, says_all=False),
    Format(
        name="NumPy",
        suffixes=(".npy",),
        content="NumPy array",
        begins=b"\x93NUMPY",
        reader=read_npy,
        says_all=False,
    ),
)
# What people send in their place begins with, and what it is then.
_OTHERS: tuple[tuple[Begins, str], ...] = (
    (b"PK\x03\x04", "zip archive"),
    (b"PK\x05\x06", "zip archive"),
    (b"\xffBIOSEMI", "BDF file"),
    (b"\x89PNG", "PNG image"),
    (b"\xff\xd8\xff", "JPEG image"),
    (b"GIF8", "GIF image"),
    (b"II*\x00", "TIFF image"),
    (b"MM\x00*", "TIFF image"),
    (b"%PDF", "PDF document"),
    (b"\x1f\x8b", "gzip archive"),
    (b"BZh", "bzip2 archive"),
    (b"\xfd7zXZ", "xz archive"),
    (b"(\xb5/\xfd", "zstd archive"),
    (b"7z\xbc\xaf", "7z archive"),
    (b"Rar!", "rar archive"),
    (b"\x7fELF", "program"),
    (b"MZ", "program"),
    (b"\x89HDF", "HDF5 file"),
    (b"MATLAB", "MATLAB file"),
    (b"\xd0\xcf\x11\xe0", "old Office document"),
    (b"\x80\x02", "pickle"),
    (b"\x80\x03", "pickle"),
    (b"\x80\x04", "pickle"),
    (b"\x80\x05", "pickle"),
    (b"\xff\xfe", TEXT),  # UTF-16, which tables are read from too
    (b"\xfe\xff", TEXT),
    (lambda head: head[128:132] == b"DICM", "DICOM file"),
    (lambda head: b"\0" not in head, TEXT),
)


def format_of(name: str) -> Format | None:
    """Return the format of a file that is read, by its suffix; None where there is none."""
    suffix = Path(name).suffix.lower()
    return next((form for form in FORMATS if suffix in form.suffixes), None)


def names_a_file(name: str) -> bool:
    """Return whether a name is one of a file that is read, or of a part of it, and not that of a recording."""
    suffix = Path(name).suffix.lower()
    return any(suffix in (*form.suffixes, *form.parts) for form in FORMATS)


def is_part(name: str) -> bool:
    """Return whether a file only comes with another, by its suffix."""
    suffix = Path(name).suffix.lower()
    return any(suffix in (*form.parts, *form.companions) for form in FORMATS)


def describe_formats(*, beside: str = "") -> str:
    """Return what a sender may give, as a sentence names it.

    Parameters
    ----------
    beside : what is taken, too
    """
    *first, last = [*(form.usual for form in FORMATS), *([beside] if beside else [])]
    return f"{', '.join(first)} or {last}"


def content_of(head: bytes) -> str | None:
    """Return what a file holds by its first bytes, None for bytes of no known pattern."""
    read = [(form.begins, form.content) for form in FORMATS if form.begins is not None]
    for begins, content in (*read, *_OTHERS):
        if begins(head) if callable(begins) else head.startswith(begins):
            return content
    return None


def not_read(name: str, *, beside: str = "") -> EcgStreamError:
    """Return the error that a file is of no format that is read.

    Parameters
    ----------
    name : of the file
    beside : what is taken, too
    """
    kind = Path(name).suffix.lower() or "no suffix"
    return EcgStreamError(f"{name}: files of kind {kind} are not read: give {describe_formats(beside=beside)}")
