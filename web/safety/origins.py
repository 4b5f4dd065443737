"""No page of another site acts in the name of who sits before the browser (CSRF)."""

from http import HTTPStatus

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from ops import problems
from web.addresses import host_of, is_loopback
from web.safety.gate import entrance_of
from web.settings import WebSettings

HEADER = "X-Ecgstream-Request"  # a page of another site cannot send it without asking first
_READING = frozenset({"GET", "HEAD", "OPTIONS"})


class Origins:
    """Refuses what a browser sends for a page of another site.

    Programs with a token are not meant: no browser sends a token by itself. They say nothing of an origin.

    Parameters
    ----------
    settings : which origins are this page's, and whose scripts may call with a token
    """

    def __init__(self, app: ASGIApp, *, settings: WebSettings) -> None:
        self._app = app
        self._own = settings.url
        self._friendly = frozenset(settings.friendly_origins)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer or refuse a request."""
        if scope["type"] in {"http", "websocket"}:
            reason = self._refused(scope)
            if reason is not None:
                await problems.problem(HTTPStatus.FORBIDDEN, reason)(scope, receive, send)
                return
        await self._app(scope, receive, send)

    def _refused(self, scope: Scope) -> str | None:
        """Return why a request is not answered."""
        headers = Headers(scope=scope)
        way = entrance_of(scope).way
        origin, site = headers.get("origin"), headers.get("sec-fetch-site")
        own = origin is not None and self._is_own(origin, headers.get("host"))
        friendly = origin in self._friendly and way in {"token", "nobody"}
        reason = None
        if not (own or friendly) and (origin is not None or _from_elsewhere(scope, site, headers)):
            reason = "this comes from a page of another site: use the page of this service"
        elif scope["type"] == "websocket":
            if way == "session" and not own:
                reason = "the WebSocket of a signed-in page names its origin: send the header Origin"
        elif scope["method"] not in _READING and way != "token":
            by_browser = way == "session" or origin is not None or site is not None
            if by_browser and headers.get(HEADER) != "1":
                reason = f"what changes something needs the header {HEADER}: 1: send it, or call with a token"
        return reason

    def _is_own(self, origin: str, host: str | None) -> bool:
        if origin.lower() == self._own:
            return True
        name = host_of(host)
        return name is not None and is_loopback(name) and origin.lower().partition("://")[2] == (host or "").lower()


def _from_elsewhere(scope: Scope, site: str | None, headers: Headers) -> bool:
    """Return whether another site's page asks, and not because somebody follows a link to this page."""
    if scope["type"] == "websocket" or site in {None, "same-origin", "none"}:
        return False
    follows_link = (
        scope["method"] in {"GET", "HEAD"}
        and headers.get("sec-fetch-mode") == "navigate"
        and headers.get("sec-fetch-dest") == "document"
    )
    return not follows_link
