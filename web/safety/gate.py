"""Who a request comes from is found out once, before any route."""

from http import HTTPStatus

from starlette.requests import HTTPConnection
from starlette.types import ASGIApp, Receive, Scope, Send

from web import problems
from web.safety.doors import Doors, Entrance, UnknownTokenError
from web.safety.rates import Budget, Rates, network_of


def entrance_of(scope: Scope) -> Entrance:
    """How the sender of a request came in."""
    found: Entrance = scope["state"]["entrance"]
    return found


def address_of(scope: Scope) -> str:
    """What stands for the address that a request comes from."""
    client = scope.get("client")
    return network_of(client[0] if client else None)


def who(scope: Scope) -> str:
    """What a sender's requests are counted under: a name where there is one, else the address."""
    caller = entrance_of(scope).caller
    return f"name {caller.name}" if caller else f"address {address_of(scope)}"


class Gate:
    """Sets ``request.state.caller`` for requests and WebSockets; a WebSocket of nobody's is refused.

    Parameters
    ----------
    app : what answers
    doors : how they come in
    rates : counts wrong tokens
    """

    def __init__(self, app: ASGIApp, *, doors: Doors, rates: Rates) -> None:
        self._app = app
        self._doors = doors
        self._rates = rates

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request in the name of who sent it."""
        if scope["type"] not in {"http", "websocket"}:
            await self._app(scope, receive, send)
            return
        connection = HTTPConnection(scope)
        address = address_of(scope)
        authorization = connection.headers.get("authorization")
        if authorization is not None and not self._rates.left(Budget.FAILED_SIGN_INS, address):
            await problems.answer(too_many(self._rates, Budget.FAILED_SIGN_INS, address))(scope, receive, send)
            return
        try:
            entrance = self._doors.enter(authorization=authorization, cookies=connection.cookies)
        except UnknownTokenError:
            self._rates.take(Budget.FAILED_SIGN_INS, address)
            await _nobody("the token is not known, or has expired: ask for a new one", "invalid_token")(
                scope, receive, send
            )
            return
        if entrance.caller is None and scope["type"] == "websocket":
            await _nobody("nobody is signed in: sign in first")(scope, receive, send)
            return
        scope.setdefault("state", {}).update(entrance=entrance, caller=entrance.caller)
        await self._app(scope, receive, send)


def too_many(rates: Rates, budget: Budget, key: str) -> problems.ProblemError:
    """What is told when a budget is used up.

    Parameters
    ----------
    rates, budget : which
    key : whose
    """
    wait_s = rates.wait_s(budget, key)
    return problems.ProblemError(
        HTTPStatus.TOO_MANY_REQUESTS,
        f"more than {rates.limit(budget)} {budget} in a minute: wait {wait_s} s",
        headers={"Retry-After": str(wait_s)},
    )


def _nobody(detail: str, error: str | None = None) -> ASGIApp:
    challenge = f'Bearer error="{error}"' if error else "Bearer"
    return problems.problem(HTTPStatus.UNAUTHORIZED, detail, {"WWW-Authenticate": challenge})
