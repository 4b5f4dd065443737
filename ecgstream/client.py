"""Sending a patient's ECG from any Python program to a gateway: ``async with Stream(...) as stream``.

    async with Stream(patient="bed-12", fs_hz=250, token="ecgs_...") as stream:
        await stream.send(samples_mv)

The connection may break and the gateway may be started anew meanwhile: what was not acknowledged is kept and sent
again, and the gateway stores nothing twice.
"""

import asyncio
import json
import random
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self
from urllib.parse import urlencode, urlsplit, urlunsplit

import numpy as np
import numpy.typing as npt
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import InvalidHandshake, InvalidStatus, WebSocketException

from ecg.errors import EcgStreamError
from ecg.records import Int16Array, check_fs, exact_rate, from_millivolts
from ecg.windows import Grid
from ecgstream.settings import GATEWAY_URL
from gateway.forms import DEFAULT_GAIN, FRAME

CHUNK_S = 0.25  # of samples that go in one message
BUFFER_S = 600.0  # of samples that are kept while there is no connection; then send() waits
CLOSE_S = 30.0  # for the last acknowledgements when the stream ends
FIRST_RETRY_S, LAST_RETRY_S = 0.1, 5.0
OPEN_S = 10.0  # for a connection to come up
AHEAD_S = 1.0  # that samples may be ahead of their time: pieces of a while come at once
DRIFT = 0.01  # of the time: who is ahead by less has a fast device, by more sends faster than a heart beats
CLOCK_STEP_NS = 50_000_000  # a caller's time that strays less from the count of samples is its own jitter


class StreamError(EcgStreamError):
    """The gateway does not take what is sent, or does not acknowledge it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Chunk:
    start_index: int
    end_index: int
    frame: bytes


class Stream:
    """A patient's samples, on their way to a gateway. To be used in ``async with``.

    Parameters
    ----------
    patient : the patient id
    fs_hz : sampling rate in Hz
    leads : names of the leads, in the order of the columns of what is sent
    url : of the gateway
    token : of the device, which ``ecgstream device-token`` made
    gain, baseline : of integer samples: ADC units per mV, and the ADC value of 0 mV; one, or one for each lead
    chunk_s : of samples that go in one message, s
    buffer_s : of samples that are kept while there is no connection, s; then ``send`` waits
    on_acknowledged : called with the number of samples that are stored with each acknowledgement

    Raises
    ------
    EcgStreamError : when the sampling rate is none that the system handles, or the address is none
    """

    def __init__(
        self,
        *,
        patient: str,
        fs_hz: float,
        leads: Sequence[str] = ("II",),
        url: str = GATEWAY_URL,
        token: str = "",
        gain: float | Sequence[float] = DEFAULT_GAIN,
        baseline: int | Sequence[int] = 0,
        chunk_s: float = CHUNK_S,
        buffer_s: float = BUFFER_S,
        on_acknowledged: Callable[[int], None] = lambda _: None,
    ) -> None:
        check_fs(fs_hz)
        self._leads = tuple(leads)
        self._fs_hz = fs_hz
        self._grid = Grid(exact_rate(fs_hz))
        self._chunk_samples = max(1, round(chunk_s * fs_hz))
        self._most_waiting = max(1, round(buffer_s / chunk_s))
        self._url = stream_address(url, patient=patient, fs_hz=fs_hz, leads=self._leads, gain=gain, baseline=baseline)
        self._headers = {"Authorization": f"Bearer {token}"}
        self._gain = gain
        self._waiting: deque[_Chunk] = deque()  # cut and not acknowledged, in order
        self._sent = 0  # of them, those that went over the present connection
        self._rest: list[Int16Array] = []  # not enough for a chunk yet
        self._next_index = 0
        self._cut_index = 0
        self._origin_ns: int | None = None
        self._begun_s = 0.0
        self._timed = False  # the caller says of when the samples are
        self._changed = asyncio.Event()
        self._working: asyncio.Task[None] | None = None
        self._on_acknowledged = on_acknowledged

    async def __aenter__(self) -> Self:
        self._working = asyncio.create_task(self._work(), name="ecgstream client")
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if kind is None:
                await self.flush()
        finally:
            if self._working is not None:
                self._working.cancel()
                await asyncio.gather(self._working, return_exceptions=True)

    async def send(self, samples: npt.ArrayLike, *, start_ns: int | None = None) -> None:
        """Send samples; returns when they are on their way or kept, and waits only while the buffer is full.

        Parameters
        ----------
        samples : (n,) or (n, leads). Floats are mV, NaN where no sample was taken; integers are ADC units, by ``gain``
        start_ns : time of the first sample, ns UTC; by default the samples follow each other, from now on at the
            first. A time that is later than the count of samples says leaves a gap, as large as it is

        Raises
        ------
        StreamError : when the gateway has refused what was sent, or the samples do not fit the leads
        """
        rows = self._rows(samples)
        if not len(rows):
            return
        if self._origin_ns is None:
            self._begun_s = time.monotonic()
            self._origin_ns = time.time_ns() - self._grid.offset_ns(len(rows)) if start_ns is None else start_ns
        elif start_ns is not None:
            self._skip_to(start_ns)
        self._timed = start_ns is not None
        self._rest.append(rows)
        self._next_index += len(rows)
        if self._next_index - self._cut_index >= self._chunk_samples:
            await self._keep_time()
            self._cut(self._chunk_samples)
            await self._until(lambda: len(self._waiting) < self._most_waiting)
        self._check()

    async def flush(self, *, timeout_s: float = CLOSE_S) -> None:
        """Wait until everything that was sent is acknowledged.

        Raises
        ------
        StreamError : when it is not in time, or was refused
        """
        self._cut(1)
        try:
            async with asyncio.timeout(timeout_s):
                await self._until(lambda: not self._waiting)
        except TimeoutError:
            unsent = sum(chunk.end_index - chunk.start_index for chunk in self._waiting)
            raise StreamError(
                f"{unsent} samples were not acknowledged within {timeout_s:g} s: see whether the gateway runs at "
                f"{self._url.partition('?')[0]}"
            ) from None

    async def _keep_time(self) -> None:
        """Let no sample be of a time that has not come, where the caller leaves the time to the count of samples."""
        if self._timed or self._origin_ns is None:
            return
        ahead_s = (self._origin_ns + self._grid.offset_ns(self._next_index) - time.time_ns()) / 1e9
        if ahead_s <= AHEAD_S:
            return
        if ahead_s < DRIFT * (time.monotonic() - self._begun_s):
            # Its device takes a little more samples than the rate says: its clock is set, which the gateway is told.
            self._cut(1)
            self._origin_ns -= round(ahead_s * 1e9)
        else:
            await asyncio.sleep(ahead_s - AHEAD_S)

    def _rows(self, samples: npt.ArrayLike) -> Int16Array:
        values = np.asarray(samples)
        if values.ndim == 1:
            values = values[:, None]
        if values.ndim != 2 or values.shape[1] != len(self._leads):
            raise StreamError(f"samples of shape {values.shape} do not fit {len(self._leads)} leads: send (n, leads)")
        if np.issubdtype(values.dtype, np.floating):
            if not isinstance(self._gain, int | float):
                raise StreamError("samples in mV have one gain for all leads: give gain as one number")
            return from_millivolts(values, self._gain)
        if not np.issubdtype(values.dtype, np.integer) or (abs(values.astype(np.int64)) > 32_768).any():
            raise StreamError(f"samples of {values.dtype} are neither floats in mV nor int16 ADC units: convert them")
        return values.astype("<i2")

    def _skip_to(self, start_ns: int) -> None:
        """Leave out what a time says is missing; a clock that jumped back is told to the gateway as it is."""
        assert self._origin_ns is not None  # noqa: S101 # set before the first sample
        ahead_ns = start_ns - self._origin_ns - self._grid.offset_ns(self._next_index)
        if abs(ahead_ns) <= CLOCK_STEP_NS:
            return
        self._cut(1)
        missing = max(0, round(ahead_ns * self._fs_hz / 1e9))
        self._next_index += missing
        self._cut_index = self._next_index
        if not missing:
            self._origin_ns += ahead_ns

    def _cut(self, least: int) -> None:
        """Cut what has come into chunks, the last of at least so many samples."""
        assert self._origin_ns is not None or not self._rest  # noqa: S101 # set before the first sample
        if not self._rest:
            return
        rows = np.concatenate(self._rest)
        while len(rows) >= least:
            piece, rows = rows[: self._chunk_samples], rows[self._chunk_samples :]
            start, end = self._cut_index, self._cut_index + len(piece)
            start_ns = (self._origin_ns or 0) + self._grid.offset_ns(start)
            self._waiting.append(
                _Chunk(start_index=start, end_index=end, frame=FRAME.pack(start, start_ns) + piece.tobytes())
            )
            self._cut_index = end
        self._rest = [rows] if len(rows) else []
        self._changed.set()

    async def _until(self, condition: Callable[[], bool]) -> None:
        while not condition():
            self._check()
            self._changed.clear()
            await self._changed.wait()
        self._check()

    def _check(self) -> None:
        if self._working is not None and self._working.done() and not self._working.cancelled():
            self._working.result()

    async def _work(self) -> None:
        """Hold a connection, for ever; ends only with what makes trying again vain."""
        retry_s = FIRST_RETRY_S
        try:
            while True:
                try:
                    async with connect(
                        self._url, additional_headers=self._headers, open_timeout=OPEN_S, compression=None, proxy=None
                    ) as socket:
                        retry_s = FIRST_RETRY_S
                        await self._serve(socket)
                except InvalidStatus as error:
                    if error.response.status_code in {401, 403}:
                        said = (error.response.body or b"").decode(errors="replace")
                        raise StreamError(f"the gateway lets nobody in with this token: {said}") from error
                except (WebSocketException, InvalidHandshake, OSError, TimeoutError, EOFError):
                    pass  # it is gone, or not there yet
                await asyncio.sleep(retry_s * random.uniform(0.5, 1.0))  # noqa: S311 # not secret
                retry_s = min(2 * retry_s, LAST_RETRY_S)
        finally:
            self._changed.set()

    async def _serve(self, socket: ClientConnection) -> None:
        self._sent = 0
        sending = asyncio.create_task(self._send_waiting(socket))
        try:
            async for text in socket:
                self._hear(json.loads(text))
        finally:
            sending.cancel()
            await asyncio.gather(sending, return_exceptions=True)

    async def _send_waiting(self, socket: ClientConnection) -> None:
        try:
            while True:
                while self._sent < len(self._waiting):
                    chunk = self._waiting[self._sent]
                    self._sent += 1
                    await socket.send(chunk.frame)
                self._changed.clear()
                await self._changed.wait()
        except WebSocketException:
            pass  # who reads hears of it

    def _hear(self, answer: dict[str, Any]) -> None:
        if answer["type"] == "refused":
            raise StreamError(f"the gateway refuses what is sent ({answer['code']}): {answer['detail']}")
        if answer["type"] != "ack":
            return
        # Acknowledgements come in the order of the chunks.
        if self._waiting and self._waiting[0].start_index == answer["start_index"]:
            chunk = self._waiting.popleft()
            self._sent -= 1
            self._on_acknowledged(chunk.end_index - chunk.start_index)
            self._changed.set()


def stream_address(
    url: str,
    *,
    patient: str,
    fs_hz: float,
    leads: Sequence[str],
    gain: float | Sequence[float],
    baseline: int | Sequence[int],
) -> str:
    """Return the address of a gateway's WebSocket for a stream of int16 samples; parameters as of ``Stream``.

    Raises
    ------
    EcgStreamError : when ``url`` is no address of a gateway
    """
    parts = urlsplit(url)
    schemes = {"http": "ws", "https": "wss", "ws": "ws", "wss": "wss"}
    if parts.scheme not in schemes or not parts.netloc:
        raise EcgStreamError(f"url={url!r} is not the address of a gateway: write it like {GATEWAY_URL}")
    query = {
        "patient": patient,
        "fs_hz": repr(float(fs_hz)),
        "leads": ",".join(leads),
        "gain": _listed(gain),
        "baseline": _listed(baseline),
    }
    return urlunsplit(
        (schemes[parts.scheme], parts.netloc, f"{parts.path.rstrip('/')}/v1/stream", urlencode(query), "")
    )


def _listed(values: float | Sequence[float]) -> str:
    return ",".join(map(str, [values] if isinstance(values, int | float) else values))
