"""Signing in at a real OpenID Connect provider, over real HTTP."""

import time
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from httpx import AsyncClient

from ops.ports import free_ports
from tests.web.safety.conftest import Serve
from tests.web.safety.provider import CLIENT_ID, CLIENT_SECRET, Claims, Provider, running_provider, verifier_fits

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")  # the provider stands on what is deprecated

URL = "https://ward.example.org"
LOGIN = "/api/v1/session/oidc/login"
ME = "/api/v1/me"


@pytest.fixture(scope="module")
def running() -> Iterator[Provider]:
    with running_provider() as provider:
        yield provider


@pytest.fixture
def provider(running: Provider) -> Provider:
    running.spoil, running.algorithm, running.own_key, running.asked = None, "RS256", True, {}
    return running


def settings(provider: Provider, **more: object) -> dict[str, Any]:
    return {
        "url": URL,
        "oidc_issuer": provider.url,
        "oidc_client_id": CLIENT_ID,
        "oidc_client_secret": CLIENT_SECRET,
        "oidc_roles": "cardiology=responder,it=admin",
        **more,
    }


async def came_back(client: AsyncClient, provider: Provider, subject: str = "nurse", onward: str = "/alarms") -> str:
    """Sign in from the first click to where the browser ends up."""
    there = (await client.get(LOGIN, params={"next": onward})).headers["location"]
    back = await provider.sign_in(there, subject=subject)
    answer = await client.get(back)
    assert answer.status_code == 303
    return str(answer.headers["location"])


async def test_somebody_signs_in(serve: Serve, provider: Provider) -> None:
    async with serve(**settings(provider)) as client:
        assert (await client.get("/api/v1/session")).json()["auth"] == "oidc"
        sent = await client.get(LOGIN, params={"next": "/patients/p1?t=1"})
        asked = {name: values[0] for name, values in parse_qs(urlsplit(sent.headers["location"]).query).items()}
        assert asked["redirect_uri"] == f"{URL}/api/v1/session/oidc/callback"
        assert (asked["response_type"], asked["code_challenge_method"]) == ("code", "S256")
        assert asked["nonce"]
        (errand,) = sent.headers.get_list("set-cookie")
        assert {"HttpOnly", "SameSite=lax", "Secure"} <= {part.strip() for part in errand.split(";")}
        back = await provider.sign_in(sent.headers["location"], subject="nurse")
        answer = await client.get(back)
        assert answer.headers["location"] == "/patients/p1?t=1"
        assert verifier_fits(provider.asked["code_verifier"], asked["code_challenge"])
        assert (await client.get(ME)).json() == {"name": "nurse.joy", "role": "responder"}
        assert [cookie.name for cookie in client.cookies.jar] == ["__Host-ecgstream"]


async def test_the_highest_role_of_several_counts(serve: Serve, provider: Provider) -> None:
    async with serve(**settings(provider)) as client:
        await came_back(client, provider, "technician")
        assert (await client.get(ME)).json() == {"name": "Tom", "role": "admin"}


@pytest.mark.parametrize("subject", ["visitor", "somebody"])
async def test_without_a_role_nobody_comes_in(serve: Serve, provider: Provider, subject: str) -> None:
    async with serve(**settings(provider)) as client:
        assert await came_back(client, provider, subject) == "/signin?failed=role"
        assert (await client.get(ME)).status_code == 401


async def test_a_role_can_lie_deep_in_the_token(serve: Serve, provider: Provider) -> None:
    provider.spoil = lambda claims: claims | {"realm_access": {"roles": ["it"]}}
    async with serve(**settings(provider, oidc_claim="realm_access.roles")) as client:
        await came_back(client, provider)
        assert (await client.get(ME)).json()["role"] == "admin"


def without(name: str) -> Callable[[Claims], Claims]:
    return lambda claims: {key: value for key, value in claims.items() if key != name}


@pytest.mark.parametrize(
    "spoil",
    [
        lambda claims: claims | {"nonce": "another"},
        without("nonce"),
        lambda claims: claims | {"aud": "another client"},
        lambda claims: claims | {"aud": ["another client"], "azp": CLIENT_ID},
        without("aud"),
        lambda claims: claims | {"iss": "https://login.evil.example"},
        lambda claims: claims | {"exp": int(time.time()) - 3600},
        without("exp"),
        lambda claims: claims | {"at_hash": "another token's"},
    ],
)
async def test_an_id_token_that_is_not_ours_is_refused(
    serve: Serve, provider: Provider, spoil: Callable[[Claims], Claims]
) -> None:
    provider.spoil = spoil
    async with serve(**settings(provider)) as client:
        assert await came_back(client, provider) == "/signin?failed=refused"
        assert (await client.get(ME)).status_code == 401


@pytest.mark.parametrize(("algorithm", "own_key"), [("none", True), ("HS256", True), ("RS256", False)])
async def test_an_id_token_that_the_provider_did_not_sign_is_refused(
    serve: Serve, provider: Provider, algorithm: str, own_key: bool
) -> None:
    provider.spoil, provider.algorithm, provider.own_key = dict, algorithm, own_key
    async with serve(**settings(provider)) as client:
        assert await came_back(client, provider) == "/signin?failed=refused"


async def test_only_the_browser_that_was_sent_off_comes_back(serve: Serve, provider: Provider) -> None:
    async with serve(**settings(provider)) as client:
        there = (await client.get(LOGIN)).headers["location"]
        back = await provider.sign_in(there, subject="nurse")
        client.cookies.clear()
        assert (await client.get(back)).headers["location"] == "/signin?failed=refused"
        assert not client.cookies


async def test_a_way_back_is_gone_once(serve: Serve, provider: Provider) -> None:
    async with serve(**settings(provider)) as client:
        there = (await client.get(LOGIN)).headers["location"]
        back = await provider.sign_in(there, subject="nurse")
        assert (await client.get(back)).headers["location"] == "/"
        assert (await client.get(back)).headers["location"] == "/signin?failed=refused"


async def test_who_denies_is_not_signed_in(serve: Serve, provider: Provider) -> None:
    async with serve(**settings(provider)) as client:
        there = (await client.get(LOGIN)).headers["location"]
        back = await provider.sign_in(there, subject="nurse", action="deny")
        query = urlsplit(back).query
        answer = await client.get(f"/api/v1/session/oidc/callback?{query}")
        assert answer.headers["location"] == "/signin?failed=refused"


@pytest.mark.parametrize("onward", ["//evil.example", "https://evil.example", "/\\evil.example", "alarms", "/a b", ""])
async def test_nobody_is_sent_elsewhere_afterwards(serve: Serve, provider: Provider, onward: str) -> None:
    async with serve(**settings(provider)) as client:
        assert await came_back(client, provider, onward=onward) == "/"


async def test_a_provider_that_is_away_is_told(serve: Serve, provider: Provider) -> None:
    away = f"http://localhost:{free_ports(1)[0]}"
    async with serve(**settings(provider, oidc_issuer=away)) as client:
        answer = await client.get(LOGIN)
    assert answer.status_code == 502
    assert "try again later" in answer.json()["detail"]


async def test_a_provider_of_another_name_is_not_trusted(serve: Serve, provider: Provider) -> None:
    other = provider.url.replace("localhost", "127.0.0.1") + "/"
    async with serve(**settings(provider, oidc_issuer=other)) as client:
        answer = await client.get(LOGIN)
    assert answer.status_code == 502
    assert "ECGSTREAM_WEB_OIDC_ISSUER" in answer.json()["detail"]


async def test_its_access_token_opens_nothing(serve: Serve, provider: Provider) -> None:
    async with serve(**settings(provider)) as client:
        answer = await client.get(ME, headers={"Authorization": "Bearer eyJhbGciOiJub25lIn0.e30."})
    assert answer.status_code == 401
