"""Who a request comes from is found out once, before any route."""

from http import HTTPStatus

from starlette.types import ASGIApp, Receive, Scope, Send

from ecg.errors import EcgStreamError
from web import problems
from web.access import Caller
from web.safety.hosts import is_loopback
from web.settings import WebSettings

LOCAL = Caller(name="local", role="admin")  # whoever sits at this machine, when nobody need sign in


class OpenAccessError(EcgStreamError):
    """The service would be open to a network."""


def check_access(settings: WebSettings) -> None:
    """Refuse to open the service to a network when nobody need sign in.

    Raises
    ------
    OpenAccessError : when it would be
    """
    if not is_loopback(settings.host):
        raise OpenAccessError(
            f"--host={settings.host}: without authentication the service listens on a loopback address alone: "
            "listen on 127.0.0.1, or let people sign in (docs/web-safety.md)"
        )


class Gate:
    """Sets ``request.state.caller`` for requests and WebSockets; a WebSocket of nobody's is refused.

    Parameters
    ----------
    app : what answers
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request in the name of who sent it."""
        if scope["type"] in {"http", "websocket"}:
            caller = self._caller()
            if caller is None and scope["type"] == "websocket":
                await problems.problem(HTTPStatus.UNAUTHORIZED, "nobody is signed in: sign in first")(
                    scope, receive, send
                )
                return
            scope.setdefault("state", {})["caller"] = caller
        await self._app(scope, receive, send)

    def _caller(self) -> Caller | None:
        return LOCAL
