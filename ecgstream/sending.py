"""Sending of what comes on standard input or grows in a file, as a live patient."""

import asyncio
import contextlib
import os
import sys
import threading
from collections.abc import AsyncGenerator, AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np

from bus.samples import check_patient
from ecg.errors import EcgStreamError
from ecg.units import millivolts_in
from ecgstream.client import Stream
from ecgstream.live_rows import Int16Reader, LineReader, RowReader, Rows
from ecgstream.settings import ClientSettings
from gateway.forms import DEFAULT_GAIN

PIECE_BYTES = 65_536
PIECES = 16  # of standard input that wait to be sent
GROWN_S = 0.05  # how often a file is looked at
STDIN = Path("-")
RAW_SUFFIXES = frozenset({".bin", ".dat", ".raw", ".i16", ".int16"})
_MARKS_OF_BYTES = frozenset(range(9)) | frozenset(range(14, 32))


@dataclass(frozen=True, slots=True, kw_only=True)
class SendPlan:
    """Plan of a sending.

    Attributes
    ----------
    patient : the patient id
    fs_hz : sampling rate in Hz
    leads : names of the columns that are sent; empty for those that the source names
    raw : the source is int16, and not text; None to see by its name and its beginning
    unit : of text: mV, uV, V, or "adc" for ADC units
    gain : ADC units per mV, for int16 and "adc"
    until_end : end with the file as it is, and do not wait for it to grow
    """

    patient: str
    fs_hz: float
    leads: tuple[str, ...] = ()
    raw: bool | None = None
    unit: str = "mV"
    gain: float = DEFAULT_GAIN
    until_end: bool = False


class GrowingFile:
    """A file that may grow, from its beginning on.

    Parameters
    ----------
    path : the file
    until_end : end where it ends now
    """

    def __init__(self, path: Path, *, until_end: bool) -> None:
        self._path = path
        self._until_end = until_end

    async def pieces(self) -> AsyncGenerator[bytes, None]:
        """Contents of the file, and of what is appended.

        Raises
        ------
        EcgStreamError : when it cannot be read
        """
        try:
            with self._path.open("rb") as file:
                async for piece in self._read(file):
                    yield piece
        except OSError as error:
            raise EcgStreamError(f"{self._path}: {error.strerror}: name a file that can be read") from error

    async def _read(self, file: BinaryIO) -> AsyncIterator[bytes]:
        while True:
            piece = file.read(PIECE_BYTES)
            yield piece
            if piece:
                continue
            if self._until_end:
                return
            await asyncio.sleep(GROWN_S)


class StandardInput:
    """Standard input, read in a thread of its own, since nothing else ends a read that waits."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor

    async def pieces(self) -> AsyncGenerator[bytes, None]:
        """Pieces of what comes, to its end."""
        loop = asyncio.get_running_loop()
        queue: asyncio.Queue[bytes | None] = asyncio.Queue()
        room = threading.Semaphore(PIECES)

        def read() -> None:
            while True:
                room.acquire()
                piece = os.read(self._descriptor, PIECE_BYTES)
                try:
                    loop.call_soon_threadsafe(queue.put_nowait, piece or None)
                except RuntimeError:  # the loop has ended
                    return
                if not piece:
                    return

        threading.Thread(target=read, name="standard input", daemon=True).start()
        yield b""  # nothing was there before
        while (piece := await queue.get()) is not None:
            room.release()
            yield piece


@dataclass(slots=True)
class Sent:
    """Tally of what was sent.

    Attributes
    ----------
    samples : of which every one is stored, those of all leads of an instant counted once
    unread : lines that held no row, and were sent as missing
    """

    samples: int = 0
    unread: int = 0


async def send(plan: SendPlan, path: Path, settings: ClientSettings, stop: asyncio.Event) -> Sent:
    """Send until the source ends or a stop is asked for; what was sent is then stored.

    What a file holds already ends now, by the patient's time; what comes afterwards follows it.

    Parameters
    ----------
    path : the file; ``-`` is standard input
    stop : set it to end

    Raises
    ------
    EcgStreamError : when the source is no ECG, or the gateway does not take it
    """
    if plan.unit != "adc" and millivolts_in(plan.unit) is None:
        raise EcgStreamError(f"--unit {plan.unit}: it is no voltage: say mV, uV, V or adc")
    check_patient(plan.patient)
    coming = (
        StandardInput(sys.stdin.fileno()).pieces()
        if path == STDIN
        else GrowingFile(path, until_end=plan.until_end).pieces()
    )
    sent = Sent()
    async with contextlib.aclosing(_until(stop, coming)) as pieces:
        reader, beginning = await _beginning(plan, path, pieces)
        if reader is None or not len(beginning):
            return sent
        if reader.unread >= len(beginning):
            raise EcgStreamError(
                f"{path}: none of the first {len(beginning)} lines holds a sample: send lines of numbers, JSON lines "
                "or int16"
            )
        async with _stream(plan, reader, settings) as stream:
            await stream.send(_in_millivolts(beginning, plan))
            sent.samples += len(beginning)
            async for piece in pieces:
                rows = reader.feed(piece)
                await stream.send(_in_millivolts(rows, plan))
                sent.samples += len(rows)
            rows = reader.end()
            await stream.send(_in_millivolts(rows, plan))
            sent.samples += len(rows)
    sent.unread = reader.unread
    return sent


async def _beginning(plan: SendPlan, path: Path, pieces: AsyncIterator[bytes]) -> tuple[RowReader | None, Rows]:
    """Read what is there already; a reader for the rest, None where nothing came."""
    reader: RowReader | None = None
    rows: list[Rows] = []
    async for piece in pieces:
        if reader is None and piece:
            reader = _reader_for(plan, path, piece)
        if reader is None:
            continue
        if len(read := reader.feed(piece)):
            rows.append(read)
        if rows and (not piece or path == STDIN):
            break
    else:
        if reader is not None and len(read := reader.end()):
            rows.append(read)
    return reader, np.concatenate(rows) if rows else np.empty((0, 1), np.float64)


async def _until(stop: asyncio.Event, pieces: AsyncGenerator[bytes, None]) -> AsyncGenerator[bytes, None]:
    """Hand pieces on until a stop is asked for."""
    asked = asyncio.ensure_future(stop.wait())
    async with contextlib.aclosing(pieces):
        try:
            while not stop.is_set():
                coming = asyncio.ensure_future(anext(pieces, None))
                try:
                    await asyncio.wait({coming, asked}, return_when=asyncio.FIRST_COMPLETED)
                    piece = coming.result() if coming.done() else None
                finally:
                    coming.cancel()
                    await asyncio.gather(coming, return_exceptions=True)
                if piece is None:
                    return
                yield piece
        finally:
            asked.cancel()


def _reader_for(plan: SendPlan, path: Path, beginning: bytes) -> RowReader:
    raw = plan.raw
    if raw is None:
        raw = path.suffix.lower() in RAW_SUFFIXES or bool(_MARKS_OF_BYTES.intersection(beginning[:4096]))
    return Int16Reader(plan.leads) if raw else LineReader(plan.leads)


def _stream(plan: SendPlan, reader: RowReader, settings: ClientSettings) -> Stream:
    in_millivolts = plan.unit != "adc" and isinstance(reader, LineReader)
    return Stream(
        patient=plan.patient,
        fs_hz=plan.fs_hz,
        leads=reader.leads or ("II",),
        url=settings.url,
        token=settings.token.get_secret_value(),
        gain=DEFAULT_GAIN if in_millivolts else plan.gain,
    )


def _in_millivolts(rows: Rows, plan: SendPlan) -> Rows:
    if rows.dtype.kind == "i":
        return rows
    millivolts = 1 / plan.gain if plan.unit == "adc" else millivolts_in(plan.unit) or 1.0
    return rows.astype(np.float64) * millivolts
