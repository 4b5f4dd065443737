"""File formats that recordings are read from: one table, and what a file is by what it holds."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ecg.csv_files import read_csv
from ecg.dicom_files import read_dicom
from ecg.edf_files import open_edf
from ecg.edf_header import BDF_VERSION
from ecg.errors import EcgStreamError
from ecg.ishne_files import ISHNE_MAGIC, open_ishne
from ecg.mat_files import is_mat, read_mat
from ecg.npy_files import read_npy
from ecg.wfdb_files import open_wfdb
from ecg.xml_files import read_xml

HEAD_BYTES = 4096  # of a file, which tell what it holds
TEXT = "text"
WIDE_TEXT = "UTF-16 text"
_LEAST_WIDE = 8  # bytes from which a pattern is one
_XML_16 = ("\ufeff<".encode("utf-16-le"), "\ufeff<".encode("utf-16-be"))
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
    reader : takes the path, and as keywords ``fs_hz``, ``leads`` and ``unit``, which come before what the file says
    in_records : whether such a file may hold the samples of a WFDB record
    says_all : whether the file itself says sampling rate, leads and unit
    """

    name: str
    suffixes: tuple[str, ...]
    parts: tuple[str, ...] = ()
    companions: tuple[str, ...] = ()
    content: str = TEXT
    begins: Begins | None = None
    reader: Callable[..., Any]  # of a Recording or a WindowSet
    in_records: bool = False
    says_all: bool

    @property
    def usual(self) -> str:
        """Return what a sender is asked for."""
        return " with ".join((self.suffixes[0], *self.parts))


def _is_edf(head: bytes) -> bool:
    # A table, too, may begin with "0" and spaces: an EDF header has its own length in its place.
    return head.startswith(b"0       ") and head[184:192].strip().isdigit() and head[252:256].strip().isdigit()


_PLAIN = frozenset(b"\t\r\n" + bytes(range(0x20, 0x7F)))
_MOSTLY_PLAIN = 0.9  # of its letters


def _is_wide(head: bytes) -> bool:
    # UTF-16 without its mark: every second byte of what Western writing has is 0.
    low, high = head[: len(head) // 2 * 2 : 2], head[1::2]
    return len(head) >= _LEAST_WIDE and ((not any(high) and _is_plain(low)) or (not any(low) and _is_plain(high)))


def _is_plain(letters: bytes) -> bool:
    # Nearly all: a micro sign is none, and small numbers of two bytes each are no text.
    plain = sum(letter in _PLAIN for letter in letters)
    return b"\0" not in letters and plain >= _MOSTLY_PLAIN * len(letters)


def _is_xml(head: bytes) -> bool:
    return head.removeprefix(b"\xef\xbb\xbf").lstrip().startswith(b"<") or head.startswith(_XML_16)


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
    Format(name="BDF", suffixes=(".bdf",), content="BDF file", begins=BDF_VERSION, reader=open_edf, says_all=True),
    Format(
        name="DICOM",
        suffixes=(".dcm", ".dicom"),
        content="DICOM file",
        begins=lambda head: head[128:132] == b"DICM",
        reader=read_dicom,
        says_all=True,
    ),
    Format(name="HL7 aECG", suffixes=(".xml",), content="XML document", begins=_is_xml, reader=read_xml, says_all=True),
    Format(
        name="ISHNE",
        suffixes=(".ecg", ".ishne"),
        content="ISHNE Holter file",
        begins=ISHNE_MAGIC,
        reader=open_ishne,
        says_all=True,
    ),
    Format(
        name="MATLAB",
        suffixes=(".mat",),
        content="MATLAB file",
        begins=is_mat,
        reader=read_mat,
        in_records=True,
        says_all=False,
    ),
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
_HEIF_BRANDS = frozenset({b"heic", b"heix", b"heim", b"heis", b"hevc", b"mif1", b"msf1"})
# Contents that show a paper ECG at best: what reads pictures, above this room, makes recordings of them.
PICTURES = frozenset(
    {"PNG image", "JPEG image", "TIFF image", "GIF image", "BMP image", "WebP image", "HEIF image", "PDF document"}
)
# How such files are called; what they are is told by their beginning.
PICTURE_SUFFIXES = (
    *(".png", ".jpg", ".jpeg", ".pdf", ".tif", ".tiff"),
    *(".heic", ".heif", ".webp", ".bmp", ".gif"),
)
# What people send in their place begins with, and what it is then.
_OTHERS: tuple[tuple[Begins, str], ...] = (
    (b"PK\x03\x04", "zip archive"),
    (b"PK\x05\x06", "zip archive"),
    (b"\x89PNG", "PNG image"),
    (b"\xff\xd8\xff", "JPEG image"),
    (b"GIF8", "GIF image"),
    (b"BM", "BMP image"),
    (lambda head: head[:4] == b"RIFF" and head[8:12] == b"WEBP", "WebP image"),
    (lambda head: head[4:8] == b"ftyp" and head[8:12] in _HEIF_BRANDS, "HEIF image"),
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
    (b"MATLAB 7.3", "MATLAB file of version 7.3"),
    (b"\x89HDF", "HDF5 file"),
    (b"\xd0\xcf\x11\xe0", "old Office document"),
    (b"\x80\x02", "pickle"),
    (b"\x80\x03", "pickle"),
    (b"\x80\x04", "pickle"),
    (b"\x80\x05", "pickle"),
    (b"\xff\xfe", WIDE_TEXT),
    (b"\xfe\xff", WIDE_TEXT),
    (_is_wide, WIDE_TEXT),
    (lambda head: head[16:22] == b"SCPECG", "SCP-ECG file"),
    (b"GDF ", "GDF file"),
    (lambda head: b"\0" not in head, TEXT),
)


PAPER = "a picture or PDF of a paper ECG"  # read above this room: see ``reports.opening``


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
    given = [form.usual for form in FORMATS] + [PAPER] + ([beside] if beside else [])
    *first, last = given
    return f"{', '.join(first)} or {last}"


def content_of(head: bytes) -> str | None:
    """Return what a file holds by its first bytes, None for bytes of no known pattern."""
    read = [(form.begins, form.content) for form in FORMATS if form.begins is not None]
    for begins, content in (*read, *_OTHERS):
        if begins(head) if callable(begins) else head.startswith(begins):
            return content
    return None


def holds_picture(path: Path) -> bool:
    """Return whether a file holds a picture, by its first bytes."""
    with path.open("rb") as file:
        return content_of(file.read(HEAD_BYTES)) in PICTURES


def not_read(name: str, *, beside: str = "") -> EcgStreamError:
    """Return the error that a file is of no format that is read.

    Parameters
    ----------
    name : of the file
    beside : what is taken, too
    """
    kind = Path(name).suffix.lower() or "no suffix"
    return EcgStreamError(f"{name}: files of kind {kind} are not read: give {describe_formats(beside=beside)}")
