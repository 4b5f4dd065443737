"""Callers and their permissions."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from http import HTTPStatus
from typing import Annotated

from fastapi import Depends
from fastapi.openapi.models import APIKey, APIKeyIn, HTTPBearer
from fastapi.security.base import SecurityBase
from starlette.requests import HTTPConnection

from ops.problems import ProblemError
from web.roles import ROLES, Role


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """The sender of a request.

    Attributes
    ----------
    name : stands in the alarm history as who acknowledged
    role : what they may do
    """

    name: str
    role: Role


class _Documented(SecurityBase):
    """A way to show who one is, for the OpenAPI document; ``web.safety.gate`` has looked at it already."""

    def __init__(self, name: str, model: HTTPBearer | APIKey) -> None:
        self.scheme_name = name
        self.model = model

    async def __call__(self) -> None:
        """Nothing is left to do."""


_TOKEN = _Documented("token", HTTPBearer(description="Of programs: a token that `ecgstream web-token` made."))
_SESSION = _Documented(
    "session",
    APIKey(**{"in": APIKeyIn.cookie}, name="__Host-ecgstream", description="Of the page: see POST /session."),
)


async def caller(
    connection: HTTPConnection, _token: Annotated[None, Depends(_TOKEN)], _session: Annotated[None, Depends(_SESSION)]
) -> Caller:
    """Return the sender of a request or WebSocket.

    Raises
    ------
    ProblemError : when nobody that is known
    """
    found: Caller | None = getattr(connection.state, "caller", None)
    if found is None:
        raise ProblemError(
            HTTPStatus.UNAUTHORIZED,
            "nobody is signed in: sign in, or send a token",
            headers={"WWW-Authenticate": "Bearer"},
        )
    return found


def at_least(role: Role) -> Callable[[Caller], Awaitable[Caller]]:
    """A dependency that lets callers of a role and those above it through."""

    async def checked(found: Annotated[Caller, Depends(caller)]) -> Caller:
        if ROLES.index(found.role) < ROLES.index(role):
            raise ProblemError(
                HTTPStatus.FORBIDDEN, f"a {found.role} may not do this, a {role} may: ask who gave you access"
            )
        return found

    return checked


Viewer = Annotated[Caller, Depends(at_least("viewer"))]
Responder = Annotated[Caller, Depends(at_least("responder"))]
