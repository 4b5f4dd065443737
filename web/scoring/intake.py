"""From the files of one request to recordings that can be read, and what is wrong with the others."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from ecg.errors import EcgStreamError
from ecg.formats import is_part
from web.scoring.archives import unpack
from web.scoring.contents import ARCHIVE, check_content
from web.scoring.names import plain_name

HEADER = ".hea"


@dataclass(frozen=True, slots=True, kw_only=True)
class Sent:
    """A file as it came: the name that the sender gave it, and where it was put, under another."""

    name: str
    path: Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Readable:
    """A file where readers find it, with the others of its folder, and the name it is shown under."""

    name: str
    path: Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Refused:
    """A file that is not read, and why."""

    name: str
    reason: str


def take_in(files: Sequence[Sent], work: Path) -> tuple[list[Readable], list[Refused]]:
    """The recordings among the files of a request; archives are unpacked, WFDB files put together.

    Parameters
    ----------
    files : as they came; they are moved
    work : an empty folder
    """
    refused: list[Refused] = []
    laid: list[Readable] = []
    loose = work / "loose"
    loose.mkdir()
    for number, file in enumerate(files):
        try:
            name = plain_name(file.name)
            check_content(file.path, name)
            if Path(name).suffix.lower() == ARCHIVE:
                into = work / f"archive{number}"
                into.mkdir()
                laid += _from_archive(file, name, into, refused)
            else:
                laid.append(_lay(file.path, name, loose))
        except EcgStreamError as error:
            refused.append(Refused(name=_shown(file.name), reason=str(error)))
    readable = list(_recordings(laid, refused))
    return readable, refused


def _from_archive(file: Sent, name: str, into: Path, refused: list[Refused]) -> Iterable[Readable]:
    for member in unpack(file.path, name, into):
        shown = "/".join((name, *member.folders, member.name))
        try:
            check_content(member.path, member.name)
        except EcgStreamError as error:
            refused.append(Refused(name=shown, reason=str(error)))
        else:
            yield Readable(name=shown, path=member.path)


def _lay(path: Path, name: str, folder: Path) -> Readable:
    if any(there.name.casefold() == name.casefold() for there in folder.iterdir()):
        raise EcgStreamError(f"{name} was sent twice: send each file once")
    return Readable(name=name, path=path.rename(folder / name))


def _recordings(laid: Sequence[Readable], refused: list[Refused]) -> Iterable[Readable]:
    headers = {file.path.with_suffix("") for file in laid if file.path.suffix.lower() == HEADER}
    for file in laid:
        if not is_part(file.path.name):
            yield file
        elif file.path.with_suffix("") not in headers and not any(_names(header, file.path) for header in headers):
            lacking = file.path.with_suffix(HEADER).name
            refused.append(Refused(name=file.name, reason=f"{file.path.name} needs its header: send {lacking} with it"))


def _names(header: Path, data: Path) -> bool:
    """Return whether a header in the same folder speaks of a file."""
    if header.parent != data.parent:
        return False
    path = header.with_name(header.name + HEADER)
    return path.is_file() and data.name.encode() in path.read_bytes()


def _shown(name: str) -> str:
    """A name that was refused, as it can be told."""
    return "".join(letter if letter.isprintable() else "?" for letter in name[:120]) or "(no name)"
