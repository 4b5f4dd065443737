"""Multipart requests straight to disk: no file is held in memory, and names are kept apart from places."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from http import HTTPStatus
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from python_multipart import MultipartParser
from python_multipart.exceptions import FormParserError
from python_multipart.multipart import parse_options_header
from starlette.requests import Request

from ecg.intake import Sent
from ops.problems import ProblemError
from web.scoring.store import room

if TYPE_CHECKING:
    from python_multipart.multipart import MultipartCallbacks  # it is there for type checkers alone

MAX_FILES = 200
MAX_FIELDS = 20
MAX_FIELD_BYTES = 64_000  # a questionnaire's longest answers, several times over
MAX_HEADER_BYTES = 4096
_PIECE = 1 << 18  # of each upload that comes in, so much is held
FILES = "files"


@dataclass(frozen=True, slots=True, kw_only=True)
class Upload:
    """Files and field values of a form."""

    files: tuple[Sent, ...]
    fields: dict[str, str]


async def receive(request: Request, folder: Path, *, known: frozenset[str]) -> Upload:
    """Take a form in.

    Parameters
    ----------
    request : brings it
    folder : where its files go, under numbers
    known : names of the fields that may come with them

    Raises
    ------
    ProblemError : when it is no form, is damaged, holds too much or what is not known, or the disk is full
    """
    check_coding(request)
    kind, options = parse_options_header(request.headers.get("content-type", ""))
    boundary = options.get(b"boundary")
    if kind != b"multipart/form-data" or not boundary:
        raise ProblemError(
            HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
            f"files come as multipart/form-data in a field named {FILES!r}: send them so",
        )
    form = _Form(folder, known)
    try:
        parser = MultipartParser(boundary, form.callbacks())
        async for piece in _pieces(request.stream()):
            # Parsed and written beside the event loop: a disk may hang.
            await asyncio.to_thread(_take, parser, piece)
        parser.finalize()
        form.check_whole()
    except FormParserError as error:
        raise ProblemError(HTTPStatus.BAD_REQUEST, f"the form is damaged ({error}): send it again") from error
    finally:
        form.close()
    return Upload(files=tuple(form.files), fields=form.fields)


def check_coding(request: Request) -> None:
    """Refuse a body that is packed as a whole: what is in it could not be bounded as it comes.

    Raises
    ------
    ProblemError : when it is
    """
    coding = request.headers.get("content-encoding", "").strip().lower()
    if coding not in {"", "identity"}:
        raise ProblemError(
            HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
            f"the body is packed with {coding[:20]!r} (Content-Encoding): send it as it is, or its files in a .zip",
        )


async def receive_body(request: Request, path: Path) -> None:
    """Write a request's body to a file.

    Raises
    ------
    ProblemError : when it is packed, or the disk is full
    """
    check_coding(request)
    with path.open("xb") as file:
        async for piece in _pieces(request.stream()):
            await asyncio.to_thread(_write, file, piece)


def _write(file: BinaryIO, piece: bytes) -> None:
    with room():
        file.write(piece)
        file.flush()


def _take(parser: MultipartParser, piece: bytes) -> None:
    with room():
        parser.write(piece)


async def _pieces(stream: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """The body in pieces worth the way to another thread."""
    gathered = bytearray()
    async for chunk in stream:
        gathered += chunk
        if len(gathered) >= _PIECE:
            yield bytes(gathered)
            gathered.clear()
    if gathered:
        yield bytes(gathered)


@dataclass(slots=True)
class _Part:
    """The part of the form that comes in."""

    header: bytearray = field(default_factory=bytearray)
    value: bytearray = field(default_factory=bytearray)
    disposition: bytes = b""
    name: str = ""
    file: BinaryIO | None = None


class _Form:
    """Follows the parser."""

    def __init__(self, folder: Path, known: frozenset[str]) -> None:
        self._folder = folder
        self._known = known
        self._part = _Part()
        self._ended = False
        self.files: list[Sent] = []
        self.fields: dict[str, str] = {}

    def callbacks(self) -> "MultipartCallbacks":
        return {
            "on_part_begin": self._begin,
            "on_header_field": self._header_name,
            "on_header_value": self._header_value,
            "on_header_end": self._header_end,
            "on_headers_finished": self._headers_end,
            "on_part_data": self._data,
            "on_part_end": self._part_end,
            "on_end": self._end,
        }

    def check_whole(self) -> None:
        if not self._ended:
            raise ProblemError(HTTPStatus.BAD_REQUEST, "the form breaks off before its end: send it again")

    def close(self) -> None:
        if self._part.file is not None:
            self._part.file.close()

    def _begin(self) -> None:
        self._part = _Part()

    def _header_name(self, data: bytes, start: int, end: int) -> None:
        self._grow(self._part.header, data[start:end], MAX_HEADER_BYTES)

    def _header_value(self, data: bytes, start: int, end: int) -> None:
        self._grow(self._part.value, data[start:end], MAX_HEADER_BYTES)

    def _header_end(self) -> None:
        if self._part.header.lower() == b"content-disposition":
            self._part.disposition = bytes(self._part.value)
        self._part.header.clear()
        self._part.value.clear()

    def _headers_end(self) -> None:
        _, options = parse_options_header(self._part.disposition)
        self._part.name = options.get(b"name", b"").decode("utf-8", "replace")
        if b"filename" not in options:
            self._check_field()
            return
        if self._part.name != FILES:
            raise ProblemError(HTTPStatus.UNPROCESSABLE_ENTITY, f"a file came in another field than {FILES!r}: move it")
        if len(self.files) >= MAX_FILES:
            raise ProblemError(
                HTTPStatus.UNPROCESSABLE_ENTITY, f"more than {MAX_FILES} files came: send less at a time, or a zip"
            )
        path = self._folder / f"file{len(self.files)}"
        self.files.append(Sent(name=options[b"filename"].decode("utf-8", "replace"), path=path))
        self._part.file = path.open("xb")

    def _check_field(self) -> None:
        name = self._part.name
        if name not in self._known:
            raise ProblemError(
                HTTPStatus.UNPROCESSABLE_ENTITY,
                f"the field {name[:40]!r} is not known: there are {', '.join(sorted({FILES, *self._known}))}",
            )
        if name in self.fields or len(self.fields) >= MAX_FIELDS:
            raise ProblemError(HTTPStatus.UNPROCESSABLE_ENTITY, f"the field {name!r} came twice: send it once")

    def _data(self, data: bytes, start: int, end: int) -> None:
        if self._part.file is not None:
            self._part.file.write(data[start:end])
        else:
            self._grow(self._part.value, data[start:end], MAX_FIELD_BYTES)

    def _part_end(self) -> None:
        if self._part.file is not None:
            self._part.file.close()
            self._part.file = None
            return
        try:
            self.fields[self._part.name] = self._part.value.decode("utf-8")
        except UnicodeDecodeError as error:
            raise ProblemError(
                HTTPStatus.UNPROCESSABLE_ENTITY, f"the field {self._part.name!r} is not UTF-8 text: send it as UTF-8"
            ) from error

    def _end(self) -> None:
        self._ended = True

    @staticmethod
    def _grow(text: bytearray, piece: bytes, most: int) -> None:
        if len(text) + len(piece) > most:
            raise ProblemError(
                HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"a part of the form is longer than {most} bytes: shorten it"
            )
        text += piece
