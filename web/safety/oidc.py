"""Signing in at an OpenID Connect provider: authorization code with PKCE, state and nonce, ID token checked."""

import re
import warnings
from collections.abc import Mapping
from typing import Any

import httpx
from joserfc.errors import JoseError
from starlette.requests import Request
from starlette.responses import RedirectResponse

from ecg.errors import EcgStreamError
from web.access import Caller
from web.roles import ROLES
from web.settings import WebSettings

with warnings.catch_warnings(record=True):  # it asks for httpx's successor, and works with httpx
    warnings.simplefilter("ignore")
    from authlib.integrations.starlette_client import OAuth, OAuthError, StarletteOAuth2App

ANSWER_S = 10.0  # for the provider, for each of its answers
LEEWAY_S = 60  # between its clock and ours
# Signatures that only the provider can make: "none" and those by the client's secret prove nothing to us.
SIGNATURES = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA", "Ed25519")
_NAMES = ("preferred_username", "email", "name", "sub")  # the first that is there stands in the alarm history
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")


class ProviderError(EcgStreamError):
    """The OpenID Connect provider cannot be reached, or is not the one that is set."""


class RefusedError(EcgStreamError):
    """The provider does not vouch for somebody."""


class NoRoleError(EcgStreamError):
    """Somebody is known to the provider, but may do nothing here."""


class Provider:
    """The provider that people sign in at.

    Parameters
    ----------
    settings : its address, what it knows this service as, and which claim gives the role
    """

    def __init__(self, settings: WebSettings) -> None:
        if settings.oidc_issuer is None or settings.oidc_client_id is None or settings.url is None:
            raise ValueError("no provider is set")
        self._settings = settings
        self._issuer = settings.oidc_issuer
        secret = settings.oidc_client_secret
        self._client: StarletteOAuth2App = OAuth().register(
            name="oidc",
            client_id=settings.oidc_client_id,
            client_secret=secret.get_secret_value() if secret else None,
            server_metadata_url=f"{self._issuer.rstrip('/')}/.well-known/openid-configuration",
            client_kwargs={
                "scope": settings.oidc_scopes,
                "code_challenge_method": "S256",
                "timeout": ANSWER_S,
                **({} if secret else {"token_endpoint_auth_method": "none"}),
            },
        )

    async def send_off(self, request: Request, *, back_to: str) -> RedirectResponse:
        """Send a browser to the provider; what its return is checked by is put into ``request.session``.

        Parameters
        ----------
        request : of the browser
        back_to : address of the callback

        Raises
        ------
        ProviderError : when the provider does not answer as one
        """
        await self._known()
        answer: RedirectResponse = await self._client.authorize_redirect(request, back_to)
        return answer

    async def receive(self, request: Request) -> Caller:
        """Return who comes back from the provider.

        Parameters
        ----------
        request : to the callback, with the session of the one that was sent off

        Raises
        ------
        ProviderError : when the provider does not answer as one
        RefusedError : when it does not vouch for them
        NoRoleError : when it does, but they have no role here
        """
        await self._known()
        try:
            token = await self._client.authorize_access_token(
                request,
                claims_options={
                    "iss": {"essential": True, "value": self._issuer},
                    "aud": {"essential": True, "value": self._settings.oidc_client_id},
                    "exp": {"essential": True},
                },
                leeway=LEEWAY_S,
            )
        except httpx.HTTPError as error:
            raise ProviderError(
                f"the provider {self._issuer} fails: {type(error).__name__}: try again later"
            ) from error
        except (OAuthError, JoseError, ValueError) as error:
            # Its own words could hold the code: the kind of the error is enough.
            reason = getattr(error, "error", None) or type(error).__name__
            raise RefusedError(f"the provider does not vouch for this sign-in ({reason}): sign in again") from error
        claims = token.get("userinfo")
        if not claims:
            raise RefusedError("the provider sent no ID token: ask for the scope openid")
        return self._caller(claims)

    async def _known(self) -> None:
        """Read what the provider says of itself, once."""
        try:
            metadata = await self._client.load_server_metadata()
        except (httpx.HTTPError, ValueError) as error:
            raise ProviderError(
                f"the provider {self._issuer} cannot be asked: {type(error).__name__}: try again later"
            ) from error
        if metadata.get("issuer") != self._issuer:
            raise ProviderError(
                f"the provider names itself {metadata.get('issuer')}, not {self._issuer}: correct "
                "ECGSTREAM_WEB_OIDC_ISSUER"
            )
        offered = metadata.get("id_token_signing_alg_values_supported") or ["RS256"]
        metadata["id_token_signing_alg_values_supported"] = [each for each in offered if each in SIGNATURES]

    def _caller(self, claims: Mapping[str, Any]) -> Caller:
        name = next(str(claims[each]) for each in _NAMES if claims.get(each))
        values = _values(claims, self._settings.oidc_claim)
        roles = self._settings.roles
        mine = {roles[value] for value in values if value in roles}
        if not mine:
            raise NoRoleError("signed in, but without a role here: ask who runs this service for one")
        return Caller(name=_CONTROL.sub("", name)[:100], role=max(mine, key=ROLES.index))


def _values(claims: Mapping[str, Any], path: str) -> list[str]:
    """The values of a claim: by its name, else by a path with dots (``realm_access.roles``)."""
    found: Any = claims.get(path)
    if found is None:
        found = claims
        for part in path.split("."):
            found = found.get(part) if isinstance(found, Mapping) else None
    return [str(each) for each in (found if isinstance(found, list) else [found]) if isinstance(each, str)]
