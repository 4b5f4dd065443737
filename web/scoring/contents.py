"""What a file is by what it holds, against what its name says."""

from pathlib import Path

from ecg.errors import EcgStreamError

HEAD_BYTES = 4096
RECORDINGS = {".hea": "text", ".csv": "text", ".tsv": "text", ".txt": "text", ".npy": "NumPy array"} | dict.fromkeys(
    (".edf", ".rec"), "EDF file"
)
PARTS = frozenset({".dat", ".atr"})  # of a WFDB record; their bytes follow no pattern
ARCHIVE = ".zip"
_MAGIC = (
    (b"PK\x03\x04", "zip archive"),
    (b"PK\x05\x06", "zip archive"),
    (b"\x93NUMPY", "NumPy array"),
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
    (b"\xff\xfe", "UTF-16 text"),
    (b"\xfe\xff", "UTF-16 text"),
)
_DICOM_AT = 128
_KINDS = "give .hea with .dat, .edf, .csv, .npy, or a .zip of them"


def check_content(path: Path, name: str) -> None:
    """Refuse a file that is empty, of no kind that is read, or not what its name says.

    Parameters
    ----------
    path : the file
    name : as it was sent

    Raises
    ------
    EcgStreamError : when it is one of these
    """
    suffix = Path(name).suffix.lower()
    with path.open("rb") as file:
        head = file.read(HEAD_BYTES)
    if not head:
        raise EcgStreamError(f"{name} is empty: send it anew")
    found = _kind(head)
    if suffix in PARTS:
        return
    wanted = "zip archive" if suffix == ARCHIVE else RECORDINGS.get(suffix)
    if wanted is None and found not in {None, "text"}:
        raise EcgStreamError(f"{name} holds {_article(found)}, which is not read: {_KINDS}")
    if wanted is None:
        raise EcgStreamError(f"{name}: files of kind {suffix or 'no suffix'} are not read: {_KINDS}")
    if found != wanted:
        raise EcgStreamError(
            f"{name} should hold a {wanted}, it holds {_article(found)}: send the right file, or rename it"
        )


def _kind(head: bytes) -> str | None:
    """What a file's beginning looks like; None for bytes of no known pattern."""
    # A table, too, may begin with "0" and spaces: an EDF header has its date in its place.
    if head.startswith(b"0       ") and head[170:171] == head[173:174] == b".":
        return "EDF file"
    for magic, kind in _MAGIC:
        if head.startswith(magic):
            return kind
    if head[_DICOM_AT : _DICOM_AT + 4] == b"DICM":
        return "DICOM file"
    return "text" if b"\0" not in head else None


def _article(kind: str | None) -> str:
    return "bytes of an unknown kind" if kind is None else f"a {kind}"
