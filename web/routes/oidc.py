"""Signing in at an OpenID Connect provider."""

import re
from http import HTTPStatus
from typing import Annotated

import structlog
from fastapi import APIRouter, Query, Request, Response
from starlette.responses import RedirectResponse

from ops import problems
from ops.problems import ProblemError
from web.safety.authenticator import Authenticator
from web.safety.failures import FailedSignIns
from web.safety.gate import address_of
from web.safety.oidc import NoRoleError, ProviderError, RefusedError
from web.safety.paths import API
from web.safety.sessions import ERRAND_S

ERRAND = "ecgstream_errand"
_CALLBACK = f"{API}/session/oidc/callback"
_FAILURES = {ProviderError: "provider", RefusedError: "refused", NoRoleError: "role"}  # page/js/signin.js tells them
_OWN_PATH = re.compile(r"/(?![/\\])[^\s\\\x00-\x1f]{0,500}")

log = structlog.get_logger(__name__)


def routes(authenticator: Authenticator, failures: FailedSignIns) -> APIRouter:
    """The routes of this subject.

    Parameters
    ----------
    failures : counts those whom the provider does not vouch for
    """
    router = APIRouter(prefix="/session/oidc", tags=["session"])

    @router.get(
        "/login",
        status_code=HTTPStatus.FOUND,
        response_class=RedirectResponse,
        responses=problems.responses(HTTPStatus.CONFLICT, HTTPStatus.BAD_GATEWAY),
    )
    async def login(
        request: Request,
        onward: Annotated[str, Query(alias="next", max_length=500, description="Page to open afterwards.")] = "/",
    ) -> Response:
        """Go to the OpenID Connect provider to sign in."""
        if authenticator.provider is None:
            raise _no_provider()
        request.scope["session"] = {}
        try:
            response = await authenticator.provider.send_off(request, back_to=f"{authenticator.url}{_CALLBACK}")
        except ProviderError as error:
            raise ProblemError(HTTPStatus.BAD_GATEWAY, str(error)) from error
        carried = {"flow": request.session, "next": onward if _OWN_PATH.fullmatch(onward) else "/"}
        # Lax: it must come back along the link from the provider's page.
        response.set_cookie(
            ERRAND,
            authenticator.errands.send(carried),
            max_age=ERRAND_S,
            path=_CALLBACK,
            secure=authenticator.secure,
            httponly=True,
            samesite="lax",
        )
        return response

    @router.get(
        "/callback",
        status_code=HTTPStatus.SEE_OTHER,
        response_class=RedirectResponse,
        responses=problems.responses(HTTPStatus.CONFLICT),
    )
    async def callback(request: Request) -> Response:
        """Come back from the OpenID Connect provider, signed in."""
        if authenticator.provider is None:
            raise _no_provider()
        carried = authenticator.errands.receive(request.cookies.get(ERRAND))
        request.scope["session"] = carried.get("flow", {})
        try:
            caller = await authenticator.provider.receive(request)
        except (ProviderError, RefusedError, NoRoleError) as error:
            log.warning("sign_in_failed", reason=str(error))
            await failures.count(address_of(request.scope))
            return RedirectResponse(f"/signin?failed={_FAILURES[type(error)]}", status_code=HTTPStatus.SEE_OTHER)
        response = RedirectResponse(carried["next"], status_code=HTTPStatus.SEE_OTHER)
        authenticator.remember(response, authenticator.sessions.begin(name=caller.name, role=caller.role))
        response.delete_cookie(ERRAND, path=_CALLBACK, secure=authenticator.secure, httponly=True, samesite="lax")
        return response

    return router


def _no_provider() -> ProblemError:
    return ProblemError(
        HTTPStatus.CONFLICT, "no OpenID Connect provider is set: sign in with a token (ECGSTREAM_WEB_OIDC_ISSUER)"
    )
