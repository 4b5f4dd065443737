"""Every caller has a budget for each kind of request, and so many live connections."""

from collections import Counter
from http import HTTPStatus

from starlette.types import ASGIApp, Receive, Scope, Send

from ops import problems
from web.safety.gate import address_of, entrance_of, who
from web.safety.paths import is_for_anybody, is_live, is_scoring
from web.safety.rates import Budget, Rates, too_many


class Budgets:
    """Answers no more than a caller's budgets allow.

    What brings somebody in (the page's files, signing in) is not counted for those who are not in yet: they share the
    budget of their address, and one of them could lock out the others.
    """

    def __init__(self, app: ASGIApp, *, rates: Rates) -> None:
        self._app = app
        self._rates = rates

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer or refuse a request."""
        if scope["type"] in {"http", "websocket"} and not (entrance_of(scope).caller is None and is_for_anybody(scope)):
            budget, key = _budget_of(scope), who(scope)
            if not self._rates.take(budget, key):
                await problems.answer(too_many(self._rates, budget, key))(scope, receive, send)
                return
        await self._app(scope, receive, send)


class Streams:
    """Holds no more live connections for a caller than are allowed.

    Parameters
    ----------
    most : of one caller from one address at a time
    """

    def __init__(self, app: ASGIApp, *, most: int) -> None:
        self._app = app
        self._most = most
        self._open: Counter[str] = Counter()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer or refuse a request."""
        if not is_live(scope):
            await self._app(scope, receive, send)
            return
        key = f"{who(scope)} {address_of(scope)}"
        if self._open[key] >= self._most:
            refusal = problems.problem(
                HTTPStatus.TOO_MANY_REQUESTS,
                f"{self._most} live connections are open already: close one (ECGSTREAM_WEB_STREAMS_PER_CALLER)",
                {"Retry-After": "5"},
            )
            await refusal(scope, receive, send)
            return
        self._open[key] += 1
        try:
            await self._app(scope, receive, send)
        finally:
            self._open[key] -= 1
            if not self._open[key]:
                del self._open[key]


def _budget_of(scope: Scope) -> Budget:
    if scope["type"] == "websocket" or scope["method"] in {"GET", "HEAD", "OPTIONS"}:
        return Budget.READS
    return Budget.SCORES if is_scoring(scope) else Budget.COMMANDS
