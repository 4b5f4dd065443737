"""Under which names the service answers: a page of another name must not reach it (DNS rebinding)."""

from collections.abc import Iterable
from http import HTTPStatus

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from ops import problems
from web.addresses import host_of, is_loopback


class KnownHosts:
    """Answers only requests that name a known host.

    A page of another site whose name is made to point at this machine sends that name: without this, whatever
    somebody surfs to could read a service that trusts everybody on the machine.

    Parameters
    ----------
    hosts : names besides those of this machine
    """

    def __init__(self, app: ASGIApp, *, hosts: Iterable[str]) -> None:
        self._app = app
        self._hosts = frozenset(host.lower() for host in hosts)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer or refuse a request."""
        if scope["type"] in {"http", "websocket"}:
            host = host_of(Headers(scope=scope).get("host"))
            if host is None or not (host in self._hosts or is_loopback(host)):
                refusal = problems.problem(
                    HTTPStatus.MISDIRECTED_REQUEST,
                    "the Host header does not name this service: use the address that it was given "
                    "(ECGSTREAM_WEB_URL), or localhost; a proxy before it must pass the header on",
                )
                await refusal(scope, receive, send)
                return
        await self._app(scope, receive, send)
