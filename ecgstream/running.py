"""Running of what is asynchronous from a command, and the handing over of its result."""

import asyncio
import json
import os
import sys
from collections.abc import Awaitable, Coroutine, Iterable, Iterator
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import Any, TextIO, TypeVar

from rich.console import Console, RenderableType
from rich.text import Text

from ecg.errors import EcgStreamError

ResultT = TypeVar("ResultT")
STDOUT = Path("-")
_TOKENS = 10_000  # of JSON that are written at once
TABLE_WIDTH = 180  # cut to 80 columns a table would hide figures in a log


def run(main: Coroutine[Any, Any, ResultT]) -> ResultT:
    """Run a coroutine to its end, on uvloop where there is one: it saves the detector a quarter of its CPU."""
    if sys.platform == "win32":
        return asyncio.run(main)
    import uvloop

    return uvloop.run(main)


async def unless(stop: asyncio.Event, step: Awaitable[None]) -> bool:
    """Wait for a step; give it up when a stop is asked for meanwhile, and say False then."""
    doing = asyncio.ensure_future(step)
    asked = asyncio.ensure_future(stop.wait())
    try:
        await asyncio.wait({doing, asked}, return_when=asyncio.FIRST_COMPLETED)
        if doing.done():
            doing.result()
        return doing.done() and not stop.is_set()
    finally:
        for task in (doing, asked):
            task.cancel()
        await asyncio.gather(doing, asked, return_exceptions=True)


@contextmanager
def reader_may_leave() -> Iterator[None]:
    """End the block without an error when who reads standard output closes it, as ``head`` does."""
    try:
        yield
        sys.stdout.flush()
    except BrokenPipeError:
        # What is still held back can go nowhere; Python would complain of it when it ends.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


class Printer(Console):
    """A console on standard output that leaves it to ``reader_may_leave`` when its reader has gone."""

    def on_broken_pipe(self) -> None:
        """Pass the error on, where the base class would end the program with an error of its own."""
        raise BrokenPipeError


def print_result(printed: Iterable[RenderableType], result: object, target: Path | None) -> None:
    """Print a result for people unless its JSON has standard output; write the JSON as ``write_json`` does.

    Parameters
    ----------
    printed : lines without markup, and tables
    """
    if target != STDOUT:
        with reader_may_leave():
            console = Printer(width=None if sys.stdout.isatty() else TABLE_WIDTH)
            for one in printed:
                text = Text(one) if isinstance(one, str) else one
                console.print(text, soft_wrap=isinstance(text, Text))
    write_json(result, target)


def write_json(result: object, target: Path | None) -> None:
    """Write one JSON object to a file, or to standard output for ``-``; nothing for None.

    Raises
    ------
    EcgStreamError : when the file cannot be written
    """
    if target is None:
        return
    if target == STDOUT:
        _write_parts(result, sys.stdout)
        sys.stdout.flush()
        return
    try:
        with target.open("w", encoding="utf-8") as file:
            _write_parts(result, file)
    except OSError as error:
        raise EcgStreamError(f"--json {target} cannot be written: {error.strerror}: name another file") from error


def _write_parts(result: object, file: TextIO) -> None:
    """Write a result part by part: the text of a day's scores, and what it is put together from, would take 130 MB."""
    tokens = json.JSONEncoder(indent=2, allow_nan=False).iterencode(result)
    while part := "".join(islice(tokens, _TOKENS)):
        file.write(part)
    file.write("\n")
