"""Logs of alarms: on the topic, for a read_committed subscriber, and at a webhook's receiver."""

import asyncio
import contextlib
import threading
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import NamedTuple

from alerting.delivery.signature import SIGNATURE_HEADER, TIMESTAMP_HEADER, SignatureError, verify
from bus import topics
from bus.interfaces import Received
from bus.messages import Alert
from ecgstream.bench.bench_broker import all_come

IDLE_S = 0.1


class MessageKey(NamedTuple):
    """One message of one alarm."""

    alarm: str
    sequence: int


def key_of(alert: Alert) -> MessageKey:
    """Return which message it is."""
    return MessageKey(alert.id, alert.sequence)


@dataclass(slots=True)
class AlertLog:
    """The messages that came.

    Attributes
    ----------
    alerts : the first of each
    repeated, again : how many came again, and by patient
    disordered : how many came for the first time behind a later one of their alarm
    """

    alerts: dict[MessageKey, Alert] = field(default_factory=dict)
    repeated: int = 0
    again: Counter[str] = field(default_factory=Counter)
    disordered: int = 0
    topic: str = topics.ALERTS
    _last: dict[str, int] = field(default_factory=dict)

    def add(self, value: bytes) -> None:
        """Note a message."""
        alert = Alert.model_validate_json(value)
        if key_of(alert) in self.alerts:
            self.repeated += 1
            self.again[alert.patient] += 1
            return
        self.disordered += alert.sequence < self._last.get(alert.id, -1)
        self._last[alert.id] = max(alert.sequence, self._last.get(alert.id, -1))
        self.alerts[key_of(alert)] = alert

    def take(self, message: Received) -> None:
        """Note a message from the topic."""
        self.add(message.value or b"")

    async def wait_for(self, expected: Iterable[MessageKey], *, patience_s: float) -> None:
        """Return when all have come, or when none has for ``patience_s`` seconds."""
        wanted = set(expected)
        await all_come(lambda: wanted <= self.alerts.keys(), lambda: len(self.alerts), patience_s=patience_s)


@contextlib.asynccontextmanager
async def receiving(take: Callable[[bytes], object], *, secret: str) -> AsyncIterator[str]:
    """Receive a webhook's calls while in ``async with``; gives the address to call.

    Parameters
    ----------
    take : is called with each message whose signature is good, one at a time
    secret : shared with the sender
    """
    server = _Server(("127.0.0.1", 0), _handler(take, secret))
    thread = threading.Thread(target=server.serve_forever, name="receiver", daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/alarms"
    finally:
        await asyncio.to_thread(server.shutdown)
        server.server_close()


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, *_: object) -> None:
        """Nothing: a caller that was killed leaves its call half done, and the next one makes it anew."""


def _handler(take: Callable[[bytes], object], secret: str) -> type[BaseHTTPRequestHandler]:
    turn = threading.Lock()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            try:
                verify(
                    secret,
                    timestamp=self.headers[TIMESTAMP_HEADER],
                    signature=self.headers[SIGNATURE_HEADER],
                    body=body,
                    now_s=time.time(),
                )
            except SignatureError:
                self.send_response(401)
            else:
                with turn:
                    take(body)
                self.send_response(204)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Nothing: the report says it all."""

    return Handler
