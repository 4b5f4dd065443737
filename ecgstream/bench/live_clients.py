"""Simulated browsers: each watches traces by WebSocket and hears of alarms by an event stream, and notes what comes."""

import asyncio
import contextlib
import json
import socket
import time
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

import httpx
import websockets

from web.live.frames import HEAD, VERSION
from web.live.positions import positions_of

SLOW_BUFFER = 4096  # bytes of a slow client's socket: the system must not read ahead for it
SLOW_READ_S = 0.25  # between two messages that it takes: a third of what comes
API = "/api/v1"
AlarmMessage = tuple[str, int]  # an alarm's id, and the number of the message about it


@dataclass(slots=True, kw_only=True)
class LiveClient:
    """One browser.

    Attributes
    ----------
    address : of the service, host:port
    watch : what it watches, as WS /live takes it
    slow : whether it reads slower than samples come
    hangs_up_s : after how long it lets go of its event stream and comes back where it was, s; None for never
    ages_ms : of each frame, from being handed to Kafka to being here
    samples : by patient, samples of each lead that came
    holes : samples that did not come, by the frames' indices
    reported_dropped : samples that the service said it dropped
    alarms : by message, how often it came
    since : the event id of the first ``hello``
    returns : how often the event stream was resumed
    """

    address: str
    watch: dict[str, Any]
    slow: bool = False
    hangs_up_s: float | None = None
    ages_ms: list[float] = field(default_factory=list)
    samples: Counter[str] = field(default_factory=Counter)
    holes: int = 0
    reported_dropped: int = 0
    alarms: Counter[AlarmMessage] = field(default_factory=Counter)
    since: str | None = None
    returns: int = 0
    _next: dict[bytes, float] = field(default_factory=dict)
    _last_id: str | None = None

    async def run(self) -> None:
        """Watch and listen until cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._watch())
            group.create_task(self._listen())

    def forget(self) -> None:
        """Begin to measure."""
        self.ages_ms.clear()
        self.samples.clear()
        self.holes = self.reported_dropped = 0

    async def _watch(self) -> None:
        host, port = self.address.rsplit(":", 1)
        plain = socket.socket()
        if self.slow:
            plain.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, SLOW_BUFFER)
        plain.setblocking(False)
        await asyncio.get_running_loop().sock_connect(plain, (host, int(port)))
        queue = 1 if self.slow else 16
        async with websockets.connect(
            f"ws://{self.address}{API}/live",
            sock=plain,
            compression=None,
            max_queue=queue,
            max_size=None,
            ping_interval=None,  # its answer would wait behind all that a slow one has not read
        ) as line:
            await line.send(json.dumps({"watch": self.watch}))
            async for message in line:
                if isinstance(message, str):
                    said = json.loads(message)
                    self.reported_dropped += said["samples"] if said["type"] == "dropped" else 0
                else:
                    self._take(message)
                if self.slow:
                    await asyncio.sleep(SLOW_READ_S)

    def _take(self, message: bytes) -> None:
        now_ms, at = time.time() * 1000, 0
        while at < len(message):
            version, _, id_bytes, _, size, _, _, index, sent_ms, count, _ = HEAD.unpack_from(message, at)
            if version != VERSION:
                raise ValueError(f"a frame of version {version}")
            patient = message[at + HEAD.size : at + HEAD.size + id_bytes]
            self.holes += round(max(0.0, index - self._next.get(patient, index)))
            self._next[patient] = index + count
            if sent_ms:  # else of the past, to begin with
                self.ages_ms.append(now_ms - sent_ms)
                self.samples[patient.decode()] += count
            at += size

    async def _listen(self) -> None:
        async with httpx.AsyncClient(base_url=f"http://{self.address}{API}", timeout=None) as http:  # noqa: S113 # for ever
            while True:
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(self.hangs_up_s):
                        await self._hear(http)
                self.returns += 1

    async def _hear(self, http: httpx.AsyncClient) -> None:
        headers = {"Last-Event-ID": self._last_id} if self._last_id else {}
        async with http.stream("GET", "/events", headers=headers) as answer:
            answer.raise_for_status()
            kind, identity = "", None
            async for line in answer.aiter_lines():
                name, _, value = line.partition(": ")
                if name == "event":
                    kind = value
                elif name == "id":
                    identity = value
                elif name == "data":
                    if kind == "alarm":
                        alarm = json.loads(value)
                        self.alarms[alarm["id"], alarm["sequence"]] += 1
                    if identity is not None:
                        self._last_id, identity = identity, None
                        self.since = self.since or self._last_id


def expected(since: str, published: dict[tuple[int, int], AlarmMessage]) -> set[AlarmMessage]:
    """The messages that a client must have been told.

    Parameters
    ----------
    since : the event id from which on it was there
    published : what lies on the topic, by partition and offset
    """
    offsets = positions_of(since).offsets
    return {one for (partition, offset), one in published.items() if offset >= offsets.get(partition, 0)}
