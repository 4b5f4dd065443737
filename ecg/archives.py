"""Zip archives from strangers: small in number, size and ratio, flat in nature, and nowhere but in their folder."""

import stat
import struct
import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from ecg.contents import ARCHIVE
from ecg.errors import EcgStreamError
from ecg.file_names import is_litter, plain_path, stored_name

MAX_MEMBERS = 500  # 48 records have 144 files
MAX_UNPACKED = 512_000_000  # bytes in all
MAX_RATIO = 100  # an ECG as text packs into a fifth; a bomb into a thousandth
FREE_BYTES = 1_000_000  # below it any ratio is harmless
_MAX_DIRECTORY = MAX_MEMBERS * 1024  # bytes of the list of members
_END = b"PK\x05\x06"
_END_FIXED = 22
_END_MOST = _END_FIXED + 65_535  # with the longest comment
_PIECE = 1 << 20
_ENCRYPTED = 0x1
_BROKEN = (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError, ValueError)


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """A file out of an archive: the folders above it in there, its name, and where it was put."""

    folders: tuple[str, ...]
    name: str
    path: Path


@dataclass(frozen=True, slots=True, kw_only=True)
class BadMember:
    """A file of an archive that is not taken, by its name in there, and why; it hinders none of the others."""

    name: str
    reason: str


def unpack(archive: Path, name: str, into: Path) -> tuple[list[Member], list[BadMember]]:
    """The files of an archive, and those in it that are not taken.

    Parameters
    ----------
    into : an empty folder for what comes out; each folder of the archive becomes one in it, under a number

    Raises
    ------
    EcgStreamError : when it has no whole list of its files, or holds more than an archive of recordings does
    """
    _check_directory(archive, name)
    try:
        with zipfile.ZipFile(archive) as opened:
            return _unpacked(opened, name, into)
    except _BROKEN as error:
        raise EcgStreamError(
            f"{name} is not a complete zip archive ({str(error)[:100]}): pack the files again"
        ) from error


def _check_directory(archive: Path, name: str) -> None:
    """Refuse a list of members that would fill the memory before the first of them is seen."""
    with archive.open("rb") as file:
        file.seek(max(0, archive.stat().st_size - _END_MOST))
        tail = file.read()
    at = tail.rfind(_END)
    if at < 0 or len(tail) - at < _END_FIXED:
        raise EcgStreamError(f"{name} is not a complete zip archive (its end is missing): pack the files again")
    members, directory_bytes = struct.unpack_from("<HL", tail, at + 10)
    if members > MAX_MEMBERS or directory_bytes > _MAX_DIRECTORY:
        raise EcgStreamError(f"{name} holds {members} files, above {MAX_MEMBERS}: send it in parts")


def _unpacked(opened: zipfile.ZipFile, name: str, into: Path) -> tuple[list[Member], list[BadMember]]:
    members: list[Member] = []
    bad: list[BadMember] = []
    seen: set[str] = set()
    folders: dict[tuple[str, ...], Path] = {}
    left = MAX_UNPACKED
    if sum(entry.file_size for entry in opened.infolist()) > MAX_UNPACKED:
        raise EcgStreamError(f"{name} unpacks to more than {MAX_UNPACKED / 1e6:g} MB: send it in parts")
    for entry in opened.infolist():
        if entry.filename.endswith(("/", "\\")) or is_litter(entry.filename):
            continue
        try:
            _check_entry(entry, name)
            *above, own = plain_path(entry.filename)
            folder = folders.setdefault(tuple(above), into / str(len(folders)))
            folder.mkdir(exist_ok=True)
            path = folder / stored_name(own)
            _check_new(path, seen, entry, name)
            left -= _unpack_one(opened, entry, path, name, left)
        except EcgStreamError as error:
            bad.append(BadMember(name=entry.filename, reason=str(error)))
        else:
            members.append(Member(folders=tuple(above), name=own, path=path))
    return members, bad


def _check_new(path: Path, seen: set[str], entry: zipfile.ZipInfo, name: str) -> None:
    """Refuse a second file of a name: not every system tells capitals apart."""
    if (key := str(path).casefold()) in seen:
        raise EcgStreamError(f"{name} holds {entry.filename!r} twice: pack each file once")
    seen.add(key)


def _unpack_one(opened: zipfile.ZipFile, entry: zipfile.ZipInfo, path: Path, name: str, left: int) -> int:
    """Unpack one file, whole or not at all; returns its bytes."""
    try:
        with opened.open(entry) as source, path.open("xb") as target:
            return _copy(source, target, entry, name, left)  # type: ignore[arg-type] # a ZipExtFile reads as files do
    except (*_BROKEN, EcgStreamError) as error:
        path.unlink(missing_ok=True)
        if isinstance(error, EcgStreamError):
            raise
        raise EcgStreamError(
            f"{name} holds {entry.filename!r}, which is damaged ({str(error)[:100]}): pack the files again"
        ) from error


def _check_entry(entry: zipfile.ZipInfo, name: str) -> None:
    kind = stat.S_IFMT(entry.external_attr >> 16)
    if kind not in {0, stat.S_IFREG}:
        raise EcgStreamError(f"{name} holds {entry.filename!r}, a link or device: pack the files themselves")
    if entry.flag_bits & _ENCRYPTED:
        raise EcgStreamError(f"{name} is encrypted: send it without a password, over a connection that is encrypted")
    if entry.filename.lower().endswith(ARCHIVE):
        raise EcgStreamError(f"{name} holds {entry.filename!r}, an archive in an archive: send its files")
    if entry.file_size > FREE_BYTES and entry.file_size > MAX_RATIO * max(entry.compress_size, 1):
        raise EcgStreamError(
            f"{name} holds {entry.filename!r}, {entry.compress_size} bytes that claim to be {entry.file_size}: above "
            f"{MAX_RATIO} to 1 no ECG is packed: send the file itself"
        )


def _copy(source: BinaryIO, target: BinaryIO, entry: zipfile.ZipInfo, name: str, left: int) -> int:
    """Unpack one file, whatever it claims; returns its bytes."""
    most = min(left, max(FREE_BYTES, MAX_RATIO * entry.compress_size), entry.file_size)
    copied = 0
    while piece := source.read(_PIECE):
        copied += len(piece)
        if copied > most:
            raise EcgStreamError(
                f"{name} holds {entry.filename!r}, which unpacks to more than {most} bytes: send the file itself"
            )
        target.write(piece)
    if copied != entry.file_size:
        raise EcgStreamError(f"{name} holds {entry.filename!r} in part: pack the files again")
    return copied
