"""The HTTP endpoint of every service: /metrics, /healthz and /readyz, answered from threads of their own."""

import asyncio
import contextlib
import socket
import socketserver
import threading
from collections.abc import Callable, Iterable
from http import HTTPStatus
from typing import TYPE_CHECKING, Self
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer

from prometheus_client import CollectorRegistry, make_wsgi_app

from ecg.errors import EcgStreamError
from ops.clock import Clock, SystemClock

if TYPE_CHECKING:
    from wsgiref.types import StartResponse, WSGIEnvironment

BEAT_S = 1.0  # how often the event loop shows that it is alive
STILL_S = 10.0  # a loop that has not for so long is stuck: Kafka throws its consumer out at about this time
CLIENT_S = 10.0  # a client that takes longer to send its request is dropped


class HealthServer:
    """Serves a service's metrics and health while in ``async with``.

    ``/healthz`` answers 503 when the event loop stands still or the service has not been ready for long, ``/readyz`` as
    long as the service says why it is not ready. The answers come from threads, since a stuck event loop could not tell
    that it is stuck.

    Parameters
    ----------
    registry : the metrics to show
    ready : why the service is not ready, None when it is; called from another thread, so let it only look
    host, port : where to listen; port 0 takes a free one
    unready_limit_s : how long the service may be not ready before it counts as unhealthy
    """

    def __init__(
        self,
        *,
        registry: CollectorRegistry,
        ready: Callable[[], str | None],
        host: str = "127.0.0.1",
        port: int = 0,
        unready_limit_s: float = 60.0,
        clock: Clock | None = None,
    ) -> None:
        self._unready_limit_s = unready_limit_s
        self._unready_since_s: float | None = None
        self._metrics = make_wsgi_app(registry)
        self._ready = ready
        self._address = host, port
        self._clock = clock or SystemClock()
        self._beat_s = 0.0
        self._server: _Server | None = None
        self._thread: threading.Thread | None = None
        self._heart: asyncio.Task[None] | None = None

    @property
    def port(self) -> int:
        """The port that it listens on."""
        if self._server is None:
            raise RuntimeError("use the health server inside 'async with'")
        return int(self._server.server_address[1])

    async def __aenter__(self) -> Self:
        host, port = self._address
        try:
            self._server = _Server(host, port)
        except (OSError, OverflowError) as error:
            reason = getattr(error, "strerror", None) or str(error)
            raise EcgStreamError(
                f"cannot serve health and metrics on {host}:{port}: {reason}: choose another port with "
                "ECGSTREAM_HEALTH_PORT (0 takes a free one)"
            ) from error
        self._server.set_app(self._answer)
        self._beat_s = self._clock.monotonic_s()
        self._heart = asyncio.create_task(self._beat(), name="health beat")
        self._thread = threading.Thread(
            target=self._server.serve_forever, kwargs={"poll_interval": 0.1}, name="health", daemon=True
        )
        self._thread.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._heart is not None:
            self._heart.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._heart
        if self._server is not None and self._thread is not None:
            await asyncio.to_thread(self._server.shutdown)
            self._thread.join()
            self._server.server_close()
            self._server = None

    async def _beat(self) -> None:
        while True:
            self._beat_s = now_s = self._clock.monotonic_s()
            if self._not_ready() is None:
                self._unready_since_s = None
            elif self._unready_since_s is None:
                self._unready_since_s = now_s
            await self._clock.sleep(BEAT_S)

    def _answer(self, environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
        path = environ.get("PATH_INFO", "")
        if environ.get("REQUEST_METHOD") not in {"GET", "HEAD"}:
            status, text = HTTPStatus.METHOD_NOT_ALLOWED, "only GET and HEAD"
        elif path == "/metrics":
            page: Iterable[bytes] = self._metrics(environ, start_response)
            return page
        elif path == "/healthz":
            status, text = self._health()
        elif path == "/readyz":
            status, text = self._readiness()
        else:
            status, text = HTTPStatus.NOT_FOUND, "here are /metrics, /healthz and /readyz"
        start_response(f"{status.value} {status.phrase}", [("Content-Type", "text/plain; charset=utf-8")])
        return [f"{text}\n".encode()]

    def _health(self) -> tuple[HTTPStatus, str]:
        still_s = self._clock.monotonic_s() - self._beat_s
        if still_s > STILL_S:
            return HTTPStatus.SERVICE_UNAVAILABLE, f"the event loop has stood still for {still_s:.0f} s"
        since_s = self._unready_since_s
        if since_s is not None and (unready_s := self._clock.monotonic_s() - since_s) >= self._unready_limit_s:
            reason = self._not_ready() or "it was not until a moment ago"
            return HTTPStatus.SERVICE_UNAVAILABLE, f"not ready for {unready_s:.0f} s: {reason}"
        return HTTPStatus.OK, "alive"

    def _readiness(self) -> tuple[HTTPStatus, str]:
        reason = self._not_ready()
        if reason is None:
            return HTTPStatus.OK, "ready"
        return HTTPStatus.SERVICE_UNAVAILABLE, f"not ready: {reason}"

    def _not_ready(self) -> str | None:
        """Return the reason why the service is not ready; None when it is."""
        try:
            return self._ready()
        except Exception as error:  # noqa: BLE001  # whatever it is, the service cannot say that it is ready
            return repr(error)


class _Handler(WSGIRequestHandler):
    timeout = CLIENT_S

    def log_message(self, *_: object) -> None:
        """Say nothing: Prometheus asks every few seconds."""


class _Server(socketserver.ThreadingMixIn, WSGIServer):
    daemon_threads = True

    def __init__(self, host: str, port: int) -> None:
        # IPv4 or IPv6, as the address is; the base class takes IPv4 for granted.
        self.address_family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0][0]
        super().__init__((host, port), _Handler)

    def server_bind(self) -> None:
        """Bind without looking up this machine's name, which can take many seconds where no DNS answers."""
        socketserver.TCPServer.server_bind(self)
        self.server_name, self.server_port = str(self.server_address[0]), int(self.server_address[1])
        self.setup_environ()
