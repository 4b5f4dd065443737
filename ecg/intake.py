"""From the files that somebody gives to recordings that can be read, and what is wrong with the others."""

from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from ecg.archives import unpack
from ecg.contents import ARCHIVE, check_file
from ecg.errors import EcgStreamError
from ecg.file_names import plain_name, stored_name
from ecg.files import main_file
from ecg.formats import is_part
from ecg.wfdb_header import read_header
from ecg.wfdb_places import HEADER, header_of, is_header, signal_file
from ecg.wfdb_segments import PAUSE


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
            check_file(file.path, name)
            if Path(name).suffix.lower() == ARCHIVE:
                laid += _from_archive(file.path, name, work / f"archive{number}", refused)
            else:
                laid.append(_lay(file.path, name, loose))
        except EcgStreamError as error:
            refused.append(Refused(name=_shown(file.name), reason=str(error)))
    return _recordings(laid, refused), refused


def recordings_at(paths: Sequence[Path], work: Path) -> tuple[list[Readable], list[Refused]]:
    """The recordings that paths name; archives are unpacked, files of one record are one.

    Parameters
    ----------
    paths : of files, of any file of a record, or of a record without a suffix
    work : an empty folder for what is in archives
    """
    refused: list[Refused] = []
    laid: list[Readable] = []
    for number, path in enumerate(paths):
        if path.suffix.lower() == ARCHIVE and path.is_file():
            try:
                check_file(path, path.name)
                laid += _from_archive(path, str(path), work / f"archive{number}", refused)
            except EcgStreamError as error:
                refused.append(Refused(name=str(path), reason=str(error)))
        else:
            main = main_file(path)
            if main not in [each.path for each in laid]:
                # A record named without a suffix is told of as it was named.
                laid.append(Readable(name=str(main if path.is_file() and main.is_file() else path), path=main))
    return _recordings(laid, refused), refused


def _from_archive(archive: Path, name: str, into: Path, refused: list[Refused]) -> Iterable[Readable]:
    into.mkdir()
    members, bad = unpack(archive, name, into)
    refused += [Refused(name=f"{name}/{_shown(each.name)}", reason=each.reason) for each in bad]
    for member in members:
        shown = "/".join((name, *member.folders, member.name))
        try:
            check_file(member.path, member.name)
        except EcgStreamError as error:
            refused.append(Refused(name=shown, reason=str(error)))
        else:
            yield Readable(name=shown, path=member.path)


def _lay(path: Path, name: str, folder: Path) -> Readable:
    stored = stored_name(name)
    if any(there.name.casefold() == stored.casefold() for there in folder.iterdir()):
        raise EcgStreamError(f"{name} was sent twice: send each file once")
    return Readable(name=name, path=path.rename(folder / stored))


def _recordings(laid: Sequence[Readable], refused: list[Refused]) -> list[Readable]:
    """The files that are recordings: not those that only belong to one, which a header beside them names."""
    belonging = {path for file in laid if is_header(file.path) for path in _named_by(file.path)}
    found = []
    for file in laid:
        if file.path in belonging:
            continue
        if not is_part(file.path.name):
            found.append(file)
        elif header_of(file.path) is None:
            lacking = Path(file.name).with_suffix(HEADER).name
            refused.append(Refused(name=file.name, reason=f"{file.name} needs its header: give {lacking} with it"))
    return found


def _named_by(header: Path) -> Iterable[Path]:
    """The files beside a header that belong to its record: signal files, and headers of its segments."""
    with suppress(EcgStreamError, OSError):  # whoever reads it will say what is wrong with it
        described = read_header(header)
        names = dict.fromkeys(line.file_name for line in described.signals if _lies_beside(line.file_name))
        parts = dict.fromkeys(part.name for part in described.parts if _lies_beside(part.name))
        files = [signal_file(header, described.name, name) for name in names]
        files += [header_of(header.with_name(name)) for name in parts]
        yield from (file for file in files if file is not None and file != header)


def _lies_beside(name: str) -> bool:
    return Path(name).name == name != PAUSE


def _shown(name: str) -> str:
    """A name that was refused, as it can be told."""
    return "".join(letter if letter.isprintable() else "?" for letter in name[:120]) or "(no name)"
