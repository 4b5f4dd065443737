"""Answers that hold stored results: read from the disk as they are sent.

The result of a long recording has megabytes, and a request brings up to some hundred recordings.
"""

import asyncio
from collections.abc import AsyncIterator, Iterator, Sequence
from http import HTTPStatus
from pathlib import Path

from ops.problems import Problem
from web.scoring.answers import NotScored

PIECE_BYTES = 1 << 18  # held of each answer on its way


def joined(results: Sequence[Path], refused: Sequence[NotScored]) -> Iterator[bytes]:
    """Return the pieces of ``{"results": [...]}``.

    Parameters
    ----------
    results : files that hold one result each
    """
    separator = b'{"results":['
    for path in results:
        yield separator
        yield from content(path)
        separator = b","
    for one in refused:
        yield separator + one.model_dump_json().encode()
        separator = b","
    yield b"]}" if separator == b"," else separator + b"]}"


def content(path: Path) -> Iterator[bytes]:
    """Return the pieces of a stored result; what is told in its place where it was deleted before it was sent."""
    try:
        file = path.open("rb")
    except FileNotFoundError:
        status = HTTPStatus.NOT_FOUND
        problem = Problem(title=status.phrase, status=status.value, detail="the recording was deleted meanwhile")
        yield NotScored(file="", error=problem).model_dump_json().encode()
        return
    with file:
        while piece := file.read(PIECE_BYTES):
            yield piece


async def sent(pieces: Iterator[bytes]) -> AsyncIterator[bytes]:
    """Return pieces read beside the event loop, each when the one before has gone out."""
    while (piece := await asyncio.to_thread(next, pieces, None)) is not None:
        yield piece
