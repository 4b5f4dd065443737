"""Names of files as strangers give them."""

import unicodedata

from ecg.errors import EcgStreamError

MAX_NAME = 120  # characters; file systems take 255 bytes
MAX_DEPTH = 8  # folders in an archive
_PATH = frozenset("/\\")
_NOT_EVERYWHERE = str.maketrans(dict.fromkeys(':*?"<>|', "_"))  # Windows has no file of such a name
# What desktops put beside files: macOS its ``__MACOSX`` and ``._name``, Windows its thumbnails.
_LITTER = frozenset({"__macosx", ".ds_store", "thumbs.db", "desktop.ini"})


def plain_name(given: str) -> str:
    """A name that is safe to show, to write into a report and, as ``stored_name`` has it, to give a file.

    Parameters
    ----------
    given : the name without a folder

    Raises
    ------
    EcgStreamError : when it could mean another place, cannot be shown, or is too long
    """
    name = unicodedata.normalize("NFC", given)
    if not name.strip():
        raise EcgStreamError("a file has no name: give it one, such as 100.hea")
    if len(name) > MAX_NAME:
        raise EcgStreamError(f"the file name {name[:20]!r}… has {len(name)} characters, above {MAX_NAME}: shorten it")
    if not name.isprintable():
        raise EcgStreamError(f"the file name {name!r} holds characters that cannot be shown: rename the file")
    if _PATH & set(name):
        raise EcgStreamError(f"the file name {name!r} holds / or \\: send files, not paths")
    if name.startswith(".") or name != name.strip():
        raise EcgStreamError(f"the file name {name!r} begins with a dot or has space around it: rename the file")
    return name


def stored_name(name: str) -> str:
    """Return a plain name as a file of every system may have it: "10:11.csv" becomes "10_11.csv"."""
    return name.translate(_NOT_EVERYWHERE)


def is_litter(given: str) -> bool:
    """Return whether a member of an archive is nothing that somebody packed, but what a desktop put there."""
    parts = given.replace("\\", "/").split("/")
    return any(part.lower() in _LITTER or part.startswith("._") for part in parts)


def plain_path(given: str) -> tuple[str, ...]:
    """The folders and the name of an archive's member, between slashes or, as old Windows packs them, backslashes.

    Raises
    ------
    EcgStreamError : when it leaves the archive's folder, or a part of it is no plain name
    """
    path = given.replace("\\", "/")
    if path.startswith("/") or ".." in path.split("/"):
        raise EcgStreamError(f"the archive holds {given[:MAX_NAME]!r}, which lies outside of it: pack the files again")
    parts = tuple(plain_name(part) for part in path.split("/") if part)
    if len(parts) > MAX_DEPTH:
        raise EcgStreamError(f"the archive holds folders {len(parts) - 1} deep, above {MAX_DEPTH - 1}: pack it flat")
    return parts
