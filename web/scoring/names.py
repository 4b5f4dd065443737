"""Names of files as strangers give them."""

import unicodedata

from ecg.errors import EcgStreamError

MAX_NAME = 120  # characters; file systems take 255 bytes
MAX_DEPTH = 8  # folders in an archive
_FORBIDDEN = frozenset('/\\:*?"<>|')


def plain_name(given: str) -> str:
    """A name that is safe to give a file of its own folder, to show and to write into a report.

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
    if _FORBIDDEN & set(name):
        raise EcgStreamError(f'the file name {name!r} holds one of / \\ : * ? " < > |: send files, not paths')
    if name.startswith(".") or name != name.strip():
        raise EcgStreamError(f"the file name {name!r} begins with a dot or has space around it: rename the file")
    return name


def plain_path(given: str) -> tuple[str, ...]:
    """The folders and the name of an archive's member.

    Raises
    ------
    EcgStreamError : when it leaves the archive's folder, or a part of it is no plain name
    """
    if given.startswith("/") or ".." in given.replace("\\", "/").split("/"):
        raise EcgStreamError(f"the archive holds {given[:MAX_NAME]!r}, which lies outside of it: pack the files again")
    parts = tuple(plain_name(part) for part in given.split("/") if part)
    if len(parts) > MAX_DEPTH:
        raise EcgStreamError(f"the archive holds folders {len(parts) - 1} deep, above {MAX_DEPTH - 1}: pack it flat")
    return parts
