"""File contents, checked against their names: what a file is, and what to do with one that is not read."""

from pathlib import Path

from ecg.errors import EcgStreamError
from ecg.formats import (
    FORMATS,
    HEAD_BYTES,
    TEXT,
    WIDE_TEXT,
    Format,
    content_of,
    describe_formats,
    format_of,
    holds_picture,
    is_part,
    not_read,
)
from ecg.wfdb_header import parse_header
from ecg.wfdb_places import HEADER
from ecg.wfdb_signals import INVALID

ARCHIVE = ".zip"
_ARCHIVED = "a .zip of them"
_ZIP = "zip archive"
# Ways to a file that is read, of kinds that are not.
_WAYS = {
    "SCP-ECG file": "convert it to EDF, with 'save2gdf -f=EDF FILE ecg.edf' of BioSig (Debian: biosig-tools), and give "
    "ecg.edf",
    "GDF file": "convert it to EDF, with 'save2gdf -f=EDF FILE ecg.edf' of BioSig (Debian: biosig-tools), and give "
    "ecg.edf",
    "MATLAB file of version 7.3": "save it as version 7, save('ecg.mat', 'val', '-v7'), and give ecg.mat",
    "gzip archive": "unpack it, and give what is in it",
    "old Office document": "save the sheet as CSV, and give that",
    _ZIP: "if it is a workbook, save the sheet as CSV, and give that",
}


_SPOKEN_AN = ("A", "E", "I", "O", "SCP", "HDF", "XML", "old")


def check_content(path: Path, name: str) -> Format:
    """Return the format of a file, by what it holds, else by its name.

    Raises
    ------
    EcgStreamError : when it is empty, of no kind that is read, or not what its name says
    """
    with path.open("rb") as file:
        head = file.read(HEAD_BYTES)
    if not head:
        raise EcgStreamError(f"{name} is empty: give one that holds samples")
    found = content_of(head)
    by_content = next((form for form in FORMATS if form.content == found != TEXT), None)
    if by_content is not None:
        return by_content
    form = format_of(name)
    if form is not None and form.content == TEXT and found in {TEXT, WIDE_TEXT}:
        _check_no_header(name, form, head)
        return form
    if found in _WAYS:
        raise EcgStreamError(f"{name} holds {_article(found)}, which is not read: {_WAYS[found]}")
    if form is None and found in {None, TEXT}:
        raise not_read(name, beside=_ARCHIVED)
    if form is None:
        raise EcgStreamError(
            f"{name} holds {_article(found)}, which is not read: give {describe_formats(beside=_ARCHIVED)}"
        )
    raise EcgStreamError(
        f"{name} should hold {_article(form.content)}, it holds {_article(found)}: give the right file, or rename it"
    )


def check_archive(path: Path, name: str) -> None:
    """Refuse a file that is named as an archive and is none.

    Raises
    ------
    EcgStreamError : when it is none
    """
    with path.open("rb") as file:
        head = file.read(HEAD_BYTES)
    if content_of(head) != _ZIP:
        found = _article(content_of(head)) if head else "nothing"
        raise EcgStreamError(f"{name} should hold a {_ZIP}, it holds {found}: give the right file, or rename it")


def check_file(path: Path, name: str) -> None:
    """Refuse a file that cannot be read, or part of what is read, by its first bytes; pictures pass.

    Raises
    ------
    EcgStreamError : when it is empty, or not what its name says
    """
    if Path(name).suffix.lower() == ARCHIVE:
        check_archive(path, name)
    elif not is_part(name):  # whose bytes follow no pattern
        if not holds_picture(path):
            check_content(path, name)
    elif path.stat().st_size == 0:
        raise EcgStreamError(f"{name} is empty: give one that holds samples")


def _check_no_header(name: str, form: Format, head: bytes) -> None:
    """Refuse a table that is the header of a WFDB record under another name: "r.hea.txt"."""
    if HEADER in form.suffixes:
        return
    try:
        header = parse_header(head)
    except ValueError:
        return
    if header.parts or (header.signals and all(line.fmt in INVALID for line in header.signals)):
        stem = Path(name).stem
        wanted = stem if stem.lower().endswith(HEADER) else f"{stem}{HEADER}"
        raise EcgStreamError(
            f"{name} holds the header of a WFDB record: rename it to {wanted}, beside its signal files"
        )


def _article(kind: str | None) -> str:
    if kind is None:
        return "bytes of an unknown kind"
    return f"{'an' if kind.startswith(_SPOKEN_AN) else 'a'} {kind}"
