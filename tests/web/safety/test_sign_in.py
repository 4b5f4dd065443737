"""Signing in with tokens: programs by header, people by a session."""

import asyncio
from pathlib import Path

import pytest
from httpx import Response

from bus.testing import FakeClock
from tests.support.waiting import until
from tests.web.safety.conftest import Serve
from tests.web.safety.keys import TOKENS, bearer, write_tokens
from web.roles import ROLES, Role
from web.safety.failures import MOST_SLOWED, SLOW_S

ME = "/api/v1/me"
SESSION = "/api/v1/session"
URL = "https://ward.example.org"
PAGE = {"Origin": URL, "Sec-Fetch-Site": "same-origin", "X-Ecgstream-Request": "1"}


@pytest.mark.parametrize("role", ROLES)
async def test_a_program_comes_with_its_token(serve: Serve, tokens: Path, role: Role) -> None:
    async with serve(tokens=tokens) as client:
        assert (await client.get(ME, headers=bearer(role))).json() == {"name": f"the {role}", "role": role}


async def test_without_one_it_is_told_how(serve: Serve, tokens: Path) -> None:
    async with serve(tokens=tokens) as client:
        answer = await client.get(ME)
        assert answer.status_code == 401
        assert answer.headers["www-authenticate"] == "Bearer"
        assert (await client.get("/api/v1/health")).status_code == 200
        assert (await client.get(SESSION)).json() == {"auth": "token", "name": None, "role": None}


@pytest.mark.parametrize("value", ["Bearer wrong", "Bearer", "Basic YTpi", "", f"Bearer {TOKENS['admin']}x"])
async def test_a_wrong_token_is_refused_everywhere(serve: Serve, tokens: Path, value: str) -> None:
    async with serve(tokens=tokens) as client:
        answer = await client.get("/api/v1/health", headers={"Authorization": value})
    assert answer.status_code == 401
    assert "invalid_token" in answer.headers["www-authenticate"]


async def test_a_token_becomes_a_session_that_scripts_cannot_read(serve: Serve, tokens: Path) -> None:
    async with serve(url=URL, tokens=tokens) as client:
        answer = await client.post(SESSION, json={"token": TOKENS["responder"]}, headers=PAGE)
    assert answer.json() == {"auth": "token", "name": "the responder", "role": "responder"}
    (cookie,) = answer.headers.get_list("set-cookie")
    assert cookie.startswith("__Host-ecgstream=")
    assert {part.strip() for part in cookie.split(";")[1:]} == {
        "HttpOnly",
        "Max-Age=43200",
        "Path=/",
        "SameSite=strict",
        "Secure",
    }
    assert TOKENS["responder"] not in cookie
    assert "strict-transport-security" in answer.headers


async def test_a_session_is_who_signed_in_until_they_sign_out(serve: Serve, tokens: Path) -> None:
    async with serve(url=URL, tokens=tokens) as client:
        await client.post(SESSION, json={"token": TOKENS["viewer"]}, headers=PAGE)
        cookie = client.cookies["__Host-ecgstream"]
        assert (await client.get(ME)).json()["name"] == "the viewer"
        assert (await client.delete(SESSION, headers=PAGE)).status_code == 204
        assert not client.cookies
        copied = {"Cookie": f"__Host-ecgstream={cookie}"}
        assert (await client.get(ME, headers=copied)).status_code == 401


async def test_a_session_ends(serve: Serve, tokens: Path, clock: FakeClock) -> None:
    async with serve(url=URL, tokens=tokens, session_hours=1.0) as client:
        await client.post(SESSION, json={"token": TOKENS["viewer"]}, headers=PAGE)
        await clock.advance(3599)
        assert (await client.get(ME)).status_code == 200
        await clock.advance(2)
        assert (await client.get(ME)).status_code == 401


@pytest.mark.parametrize("change", [lambda cookie: cookie[:-1], lambda _: "x" * 5000, lambda _: "", str.swapcase])
async def test_a_session_that_was_not_begun_here_is_none(serve: Serve, tokens: Path, change: object) -> None:
    assert callable(change)
    async with serve(url=URL, tokens=tokens) as client:
        await client.post(SESSION, json={"token": TOKENS["viewer"]}, headers=PAGE)
        cookie = change(client.cookies["__Host-ecgstream"])
        client.cookies.clear()
        assert (await client.get(ME, headers={"Cookie": f"__Host-ecgstream={cookie}"})).status_code == 401


async def session_cookie(serve: Serve, **settings: object) -> str:
    async with serve(url=URL, **settings) as client:
        await client.post(SESSION, json={"token": TOKENS["viewer"]}, headers=PAGE)
        return f"__Host-ecgstream={client.cookies['__Host-ecgstream']}"


async def test_a_start_ends_sessions_unless_the_secret_stays(serve: Serve, tokens: Path) -> None:
    for secret, status in ((None, 401), ("s" * 32, 200)):
        cookie = await session_cookie(serve, tokens=tokens, session_secret=secret)
        async with serve(url=URL, tokens=tokens, session_secret=secret) as client:
            assert (await client.get(ME, headers={"Cookie": cookie})).status_code == status


async def test_whose_token_is_taken_out_of_the_file_is_out(serve: Serve, tokens: Path, tmp_path: Path) -> None:
    cookie = await session_cookie(serve, tokens=tokens, session_secret="s" * 32)
    raised = write_tokens(tmp_path / "raised.toml", {"responder": TOKENS["viewer"]})
    async with serve(url=URL, tokens=raised, session_secret="s" * 32) as client:
        assert (await client.get(ME, headers={"Cookie": cookie})).json()["role"] == "responder"
    without = write_tokens(tmp_path / "without.toml", {"admin": TOKENS["admin"]})
    async with serve(url=URL, tokens=without, session_secret="s" * 32) as client:
        assert (await client.get(ME, headers={"Cookie": cookie})).status_code == 401


async def test_a_signed_in_page_changes_something_with_its_header_and_origin_alone(serve: Serve, tokens: Path) -> None:
    async with serve(url=URL, tokens=tokens) as client:
        await client.post(SESSION, json={"token": TOKENS["viewer"]}, headers=PAGE)
        for headers in (
            {},
            {"Origin": URL},
            {"X-Ecgstream-Request": "1", "Origin": "https://evil.example"},
            {"X-Ecgstream-Request": "1", "Origin": "http://ward.example.org"},
            {"X-Ecgstream-Request": "1", "Sec-Fetch-Site": "same-site"},
        ):
            assert (await client.delete(SESSION, headers=headers)).status_code == 403
        assert (await client.get(ME)).status_code == 200


async def test_no_other_page_signs_somebody_in(serve: Serve, tokens: Path) -> None:
    async with serve(url=URL, tokens=tokens) as client:
        answer = await client.post(
            SESSION, json={"token": TOKENS["viewer"]}, headers={"Origin": "https://evil.example"}
        )
    assert answer.status_code == 403
    assert "set-cookie" not in answer.headers


async def test_wrong_tokens_are_slowed_and_right_ones_are_not(serve: Serve, tokens: Path, clock: FakeClock) -> None:
    async with serve(
        url=URL, tokens=tokens, failed_sign_ins_per_minute=3, commands_per_minute=2, reads_per_minute=5
    ) as client:

        async def wrong(number: int) -> Response:
            if number % 2:
                return await client.get(ME, headers={"Authorization": "Bearer wrong"})
            return await client.post(SESSION, json={"token": "wrong"}, headers=PAGE)

        for number in range(3):
            assert (await wrong(number)).status_code == 401
        kept_back = [asyncio.create_task(wrong(number)) for number in range(MOST_SLOWED)]
        await until(lambda: len(clock._sleepers) == MOST_SLOWED)
        assert (await wrong(0)).status_code == 429, "more than that hold no connection"
        # Somebody behind the same address: with a token, with the form, with a session, at the page itself.
        for _ in range(4):
            assert (await client.get(ME, headers=bearer("admin"))).status_code == 200
        assert (await client.get("/signin")).status_code == 200
        assert (await client.get(SESSION)).json()["auth"] == "token"
        assert (await client.post(SESSION, json={"token": TOKENS["viewer"]}, headers=PAGE)).status_code == 200
        assert (await client.get(ME)).json()["name"] == "the viewer"
        assert not any(task.done() for task in kept_back)
        await clock.advance(SLOW_S)
        for answer in await asyncio.gather(*kept_back):
            assert (answer.status_code, answer.json()["status"]) == (429, 429)
            assert 1 <= int(answer.headers["retry-after"]) <= 60


async def test_right_ones_as_often_as_one_likes(serve: Serve, tokens: Path) -> None:
    async with serve(url=URL, tokens=tokens, failed_sign_ins_per_minute=1) as client:
        for _ in range(5):
            assert (await client.get(ME, headers=bearer("viewer"))).status_code == 200


@pytest.mark.parametrize("body", [{}, {"token": ""}, {"token": "x" * 201}, {"token": 1}, {"token": "x", "more": 1}, []])
async def test_what_is_no_sign_in_is_refused_without_repeating_it(serve: Serve, tokens: Path, body: object) -> None:
    async with serve(url=URL, tokens=tokens) as client:
        answer = await client.post(SESSION, json=body, headers=PAGE)
    assert answer.status_code == 422
    assert "xx" not in answer.text


async def test_scripts_of_a_friendly_site_call_with_a_token_and_never_with_a_session(
    serve: Serve, tokens: Path
) -> None:
    friend = "https://reports.example.org"
    script = {"Origin": friend, "Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "cors"}
    asks = {"Access-Control-Request-Method": "GET", "Access-Control-Request-Headers": "authorization"}
    async with serve(url=URL, tokens=tokens, cors_origins=friend) as client:
        allowed = await client.options(ME, headers=script | asks)
        assert allowed.headers["access-control-allow-origin"] == friend
        assert "access-control-allow-credentials" not in allowed.headers
        answer = await client.get(ME, headers=script | bearer("viewer"))
        assert answer.json()["role"] == "viewer"
        assert answer.headers["access-control-allow-origin"] == friend
        refused = await client.options(ME, headers=script | asks | {"Origin": "https://evil.example"})
        assert "access-control-allow-origin" not in refused.headers
        await client.post(SESSION, json={"token": TOKENS["viewer"]}, headers=PAGE)
        assert (await client.get(ME, headers=script)).status_code == 403


async def test_cors_is_off(serve: Serve, tokens: Path) -> None:
    async with serve(url=URL, tokens=tokens) as client:
        answer = await client.get(ME, headers=bearer("viewer") | {"Origin": "https://reports.example.org"})
    assert answer.status_code == 403
    assert "access-control-allow-origin" not in answer.headers
