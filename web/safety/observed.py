"""Every request is counted and timed; one that fails is told of, without a word of whom it was about."""

import traceback
from http import HTTPStatus
from pathlib import Path

import structlog
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ops import problems
from ops.clock import Clock
from web.metrics import WebMetrics
from web.safety.paths import API, is_api, is_live

METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})

log = structlog.get_logger(__name__)


class BrokenOffError(Exception):
    """A request failed when its answer had begun: only closing the connection can tell the client."""


class Observed:
    """Counts, times, and answers what no route foresaw."""

    def __init__(self, app: ASGIApp, *, metrics: WebMetrics, clock: Clock) -> None:
        self._app = app
        self._metrics = metrics
        self._clock = clock

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        if scope["type"] not in {"http", "websocket"}:
            await self._app(scope, receive, send)
            return
        began_s = self._clock.monotonic_s()
        status: int | None = None

        async def watched(message: Message) -> None:
            nonlocal status
            if status is None:
                status = _status_of(message)
                if status is not None:
                    self._metrics.requests.labels(_method_of(scope), route_of(scope), str(status)).inc()
            await send(message)

        try:
            await self._app(scope, receive, watched)
        except Exception as error:  # noqa: BLE001  # whatever it is, the client gets an answer and the log a word
            _log_failure(scope, error)
            if status is not None:
                raise BrokenOffError("a request failed when its answer had begun") from None
            answer = problems.problem(
                HTTPStatus.INTERNAL_SERVER_ERROR,
                "the service failed on this request; its log says where: tell the operator",
            )
            await answer(scope, receive, watched)
        if not is_live(scope):
            self._metrics.request_seconds.labels(route_of(scope)).observe(self._clock.monotonic_s() - began_s)


def route_of(scope: Scope) -> str:
    """The route of a request as the OpenAPI document writes it: the path itself holds patients' ids."""
    path = getattr(scope.get("route"), "path", None)
    if path is None:
        return "none"
    return f"{API}{path}" if is_api(scope) and not path.startswith(API) else str(path)


def _method_of(scope: Scope) -> str:
    if scope["type"] == "websocket":
        return "WEBSOCKET"
    return scope["method"] if scope["method"] in METHODS else "other"


def _status_of(message: Message) -> int | None:
    if message["type"] in {"http.response.start", "websocket.http.response.start"}:
        return int(message["status"])
    if message["type"] == "websocket.accept":
        return HTTPStatus.SWITCHING_PROTOCOLS
    if message["type"] == "websocket.close":  # before it was accepted
        return HTTPStatus.FORBIDDEN
    return None


def _log_failure(scope: Scope, error: Exception) -> None:
    # What an error says may name a patient, and where it happened may not: the whole of it is for debugging.
    frames = traceback.extract_tb(error.__traceback__)
    way = [f"{Path(frame.filename).name}:{frame.lineno} {frame.name}" for frame in frames[-6:]]
    log.error("request_failed", method=_method_of(scope), route=route_of(scope), error=type(error).__name__, way=way)
    log.debug("request_failed_with", exc_info=error)
