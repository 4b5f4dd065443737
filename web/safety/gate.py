"""The sender of a request, found once, before any route."""

from http import HTTPStatus

from starlette.requests import HTTPConnection
from starlette.types import ASGIApp, Receive, Scope, Send

from ops import problems
from web.safety.authenticator import Authenticator, Entrance, UnknownTokenError
from web.safety.failures import FailedSignIns
from web.safety.rates import network_of


def entrance_of(scope: Scope) -> Entrance:
    """Return how the sender of a request came in."""
    found: Entrance = scope["state"]["entrance"]
    return found


def address_of(scope: Scope) -> str:
    """Return the address that a request comes from, or its network."""
    client = scope.get("client")
    return network_of(client[0] if client else None)


def who(scope: Scope) -> str:
    """Return the name that a sender's requests are counted under, else the address."""
    caller = entrance_of(scope).caller
    return f"name {caller.name}" if caller else f"address {address_of(scope)}"


class Gate:
    """Sets ``request.state.caller`` for requests and WebSockets; a WebSocket of nobody's is refused.

    Parameters
    ----------
    authenticator : how they come in
    """

    def __init__(self, app: ASGIApp, *, authenticator: Authenticator, failures: FailedSignIns) -> None:
        self._app = app
        self._authenticator = authenticator
        self._failures = failures

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request in the name of who sent it."""
        if scope["type"] not in {"http", "websocket"}:
            await self._app(scope, receive, send)
            return
        connection = HTTPConnection(scope)
        authorization = connection.headers.get("authorization")
        try:
            entrance = self._authenticator.enter(authorization=authorization, cookies=connection.cookies)
        except UnknownTokenError:
            refusal = await self._failures.count(address_of(scope))
            answer = (
                _nobody("the token is not known, or has expired: ask for a new one", "invalid_token")
                if refusal is None
                else problems.answer(refusal)
            )
            await answer(scope, receive, send)
            return
        if entrance.caller is None and scope["type"] == "websocket":
            await _nobody("nobody is signed in: sign in first")(scope, receive, send)
            return
        scope.setdefault("state", {}).update(entrance=entrance, caller=entrance.caller)
        await self._app(scope, receive, send)


def _nobody(detail: str, error: str | None = None) -> ASGIApp:
    challenge = f'Bearer error="{error}"' if error else "Bearer"
    return problems.problem(HTTPStatus.UNAUTHORIZED, detail, {"WWW-Authenticate": challenge})
