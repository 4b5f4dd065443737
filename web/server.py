"""The HTTP server around the application: its patience, its sizes, TLS, and what its libraries may log."""

import asyncio
import contextlib
import logging
import ssl
from collections.abc import Iterator

import h11
import uvicorn
from fastapi import FastAPI
from uvicorn.protocols.http.h11_impl import H11Protocol

from ecg.errors import EcgStreamError
from web.settings import WebSettings

LEAVE_S = 3  # for the requests under way
HEADERS_S = 10.0  # for the whole head of a request, s: who sends it byte by byte holds a connection for nothing
HEADERS_BYTES = 32_768  # of the address and headers of a request
PONG_S = 60.0  # for an answer that comes behind all that a slow browser has not taken yet
MESSAGE_BYTES = 65_536  # of what a page sends over the live connection: which patients it watches
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


class Server(uvicorn.Server):
    """Serves the application; signals are the service's own business.

    Raises
    ------
    EcgStreamError : when certificate and key cannot be used
    """

    def __init__(self, app: FastAPI, settings: WebSettings) -> None:
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
                proxy_headers=settings.trusted_proxies is not None,
                forwarded_allow_ips=settings.trusted_proxies,
                limit_concurrency=MOST_CONNECTIONS,
                ssl_certfile=settings.tls_cert,
                ssl_keyfile=settings.tls_key,
                ws="websockets-sansio",
                ws_max_size=MESSAGE_BYTES,
                ws_ping_timeout=PONG_S,
                ws_per_message_deflate=False,  # samples hardly shrink, and each client's would cost its own time
                timeout_graceful_shutdown=LEAVE_S,
            )
        )
        try:
            self.config.load()
        except (OSError, ssl.SSLError) as error:
            raise EcgStreamError(
                f"{settings.tls_cert} and {settings.tls_key} cannot be used for TLS: {error.strerror or error}: "
                "correct ECGSTREAM_WEB_TLS_CERT and ECGSTREAM_WEB_TLS_KEY"
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
