"""Signing in with a token, and out."""

from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel, ConfigDict, Field, SecretStr

from ops import problems
from ops.problems import ProblemError
from ops.tokens import LONGEST
from web.roles import Role
from web.safety.authenticator import Auth, Authenticator, UnknownTokenError
from web.safety.failures import FailedSignIns
from web.safety.gate import address_of, entrance_of


class SessionState(BaseModel):
    """The caller who is signed in, and how people sign in. ``auth`` is "off" where nobody need."""

    auth: Auth
    name: str | None
    role: Role | None


class SignIn(BaseModel):
    """A token, to be exchanged for a session."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"example": {"token": "ecgs_a-token-of-yours"}})

    token: Annotated[SecretStr, Field(min_length=1, max_length=LONGEST)]


def routes(authenticator: Authenticator, failures: FailedSignIns) -> APIRouter:
    """The routes of this subject."""
    router = APIRouter(prefix="/session", tags=["session"])

    @router.get("")
    async def session(request: Request) -> SessionState:
        """Return who is signed in, and how people sign in."""
        caller = entrance_of(request.scope).caller
        return SessionState(
            auth=authenticator.auth, name=caller.name if caller else None, role=caller.role if caller else None
        )

    @router.post(
        "",
        responses=problems.responses(
            HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN, HTTPStatus.CONFLICT, HTTPStatus.TOO_MANY_REQUESTS
        ),
    )
    async def sign_in(request: Request, asked: SignIn, response: Response) -> SessionState:
        """Exchange a token for a session of the page: a cookie that no script can read."""
        if authenticator.auth not in {"token", "both"}:
            raise ProblemError(HTTPStatus.CONFLICT, "nobody signs in with a token here: see auth in GET /session")
        try:
            caller, token = authenticator.caller_by(asked.token.get_secret_value())
        except UnknownTokenError:
            refusal = await failures.count(address_of(request.scope))
            raise refusal or ProblemError(
                HTTPStatus.UNAUTHORIZED,
                "the token is not known, or has expired: ask for a new one",
                headers={"WWW-Authenticate": "Bearer"},
            ) from None
        authenticator.remember(response, authenticator.sessions.begin(name=caller.name, role=caller.role, token=token))
        return SessionState(auth=authenticator.auth, name=caller.name, role=caller.role)

    @router.delete("", status_code=HTTPStatus.NO_CONTENT, responses=problems.responses(HTTPStatus.FORBIDDEN))
    async def sign_out(request: Request, response: Response) -> None:
        """End the session, wherever its cookie lies."""
        found = entrance_of(request.scope).session
        if found is not None:
            authenticator.sessions.end(found)
        authenticator.forget(response)

    return router
