"""The HTTP server around an application: its patience, its sizes, TLS, and what its libraries may log."""

import asyncio
import contextlib
import logging
import socket
import ssl
from collections.abc import Iterator
from pathlib import Path

import h11
import uvicorn
from starlette.types import ASGIApp
from uvicorn.protocols.http.h11_impl import H11Protocol

from ecg.errors import EcgStreamError

LEAVE_S = 3  # for the requests under way
HEADERS_S = 10.0  # for the whole head of a request, s: who sends it byte by byte holds a connection for nothing
HEADERS_BYTES = 32_768  # of the address and headers of a request
PONG_S = 60.0  # for an answer that comes behind all that a slow browser has not taken yet
MOST_CONNECTIONS = 2000  # at a time; who comes then is told 503
# At these levels they would write paths with patients' ids, what is sent, and the secrets of a sign-in.
_QUIET = (
    "authlib",
    "httpcore",
    "httpx",
    "multipart",
    "python_multipart",
    "sse_starlette",
    "uvicorn.error",
    "websockets",
)


class HttpServer(uvicorn.Server):
    """Serves an application; signals are the service's own business.

    Parameters
    ----------
    app : the application
    prefix : of the service's settings, such as "ECGSTREAM_WEB_", for what is said about them
    message_bytes : the largest message that a WebSocket's client may send
    tls_cert, tls_key : PEM files; None for no TLS
    trusted_proxies : addresses or networks whose X-Forwarded headers count, separated by commas
    most_connections : at a time; who comes then is told 503

    Raises
    ------
    EcgStreamError : when certificate and key cannot be used
    """

    def __init__(
        self,
        app: ASGIApp,
        *,
        prefix: str,
        message_bytes: int,
        tls_cert: Path | None = None,
        tls_key: Path | None = None,
        trusted_proxies: str | None = None,
        most_connections: int = MOST_CONNECTIONS,
    ) -> None:
        for name in _QUIET:
            logging.getLogger(name).setLevel(logging.WARNING)
        super().__init__(
            uvicorn.Config(
                app,
                http=HurriedProtocol,
                h11_max_incomplete_event_size=HEADERS_BYTES,
                log_config=None,
                log_level="warning",
                access_log=False,  # paths hold patients' ids
                server_header=False,
                proxy_headers=trusted_proxies is not None,
                forwarded_allow_ips=trusted_proxies,
                limit_concurrency=most_connections,
                ssl_certfile=tls_cert,
                ssl_keyfile=tls_key,
                ws="websockets-sansio",
                ws_max_size=message_bytes,
                ws_ping_timeout=PONG_S,
                ws_per_message_deflate=False,  # samples hardly shrink, and each client's would cost its own time
                timeout_graceful_shutdown=LEAVE_S,
            )
        )
        try:
            self.config.load()
        except (OSError, ssl.SSLError) as error:
            raise EcgStreamError(
                f"{tls_cert} and {tls_key} cannot be used for TLS: {error.strerror or error}: "
                f"correct {prefix}TLS_CERT and {prefix}TLS_KEY"
            ) from error

    @property
    def ready(self) -> bool:
        """Return whether it answers."""
        return bool(self.started)

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave the signals as they are."""
        yield


class HurriedProtocol(H11Protocol):
    """uvicorn's own, which alone would wait for the head of a request for ever."""

    headers_s = HEADERS_S
    _late: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn's does
        """Begin to wait for a request."""
        super().connection_made(transport)
        self._hurry()

    def data_received(self, data: bytes) -> None:
        """Take what came; wait no longer once the head is whole."""
        super().data_received(data)
        if self.conn.their_state is h11.IDLE:
            self._hurry()
        else:
            self._rest()

    def connection_lost(self, exc: Exception | None) -> None:
        """Wait no longer."""
        self._rest()
        super().connection_lost(exc)

    def _hurry(self) -> None:
        if self._late is None:
            self._late = self.loop.call_later(self.headers_s, self.transport.close)

    def _rest(self) -> None:
        if self._late is not None:
            self._late.cancel()
            self._late = None


@contextlib.contextmanager
def listening(host: str, port: int, *, prefix: str, send_buffer: int | None = None) -> Iterator[socket.socket]:
    """Listen while in ``with``.

    Parameters
    ----------
    host, port : where; port 0 takes a free one
    prefix : of the service's settings, for what is said about them
    send_buffer : bytes of the kernel for each connection; None leaves it the kernel's choice

    Raises
    ------
    EcgStreamError : when nobody can listen there
    """
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0][0]
        listener = socket.create_server((host, port), family=family)
    except (OSError, OverflowError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise EcgStreamError(
            f"cannot listen on {host}:{port}: {reason}: choose another port with {prefix}PORT (0 takes a free one)"
        ) from error
    with listener:
        if send_buffer is not None:  # every connection has it from here
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, send_buffer)
        yield listener
