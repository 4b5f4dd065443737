"""Nobody need sign in on this machine: what others may do there all the same."""

import pytest

from tests.web.safety.conftest import Serve
from web.safety.headers import HEADERS

ME = "/api/v1/me"
SESSION = "/api/v1/session"
OWN = {"Origin": "http://127.0.0.1:8000", "Sec-Fetch-Site": "same-origin"}


async def test_whoever_sits_at_this_machine_is_the_local_admin(serve: Serve) -> None:
    async with serve() as client:
        assert (await client.get(ME)).json() == {"name": "local", "role": "admin"}
        assert (await client.get(SESSION)).json() == {"auth": "off", "name": "local", "role": "admin"}


@pytest.mark.parametrize("url", ["http://localhost:8000", "http://[::1]:8000"])
async def test_this_machine_is_found_under_all_its_names(serve: Serve, url: str) -> None:
    async with serve(at=url) as client:
        assert (await client.get(ME)).status_code == 200


async def test_a_page_of_another_name_that_points_here_reads_nothing(serve: Serve) -> None:
    async with serve(at="http://evil.example:8000") as client:
        answer = await client.get(ME)
    assert answer.status_code == 421
    assert answer.headers["content-type"] == "application/problem+json"
    assert "localhost" in answer.json()["detail"]


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Origin": "http://127.0.0.1:9000"},
        {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "no-cors", "Sec-Fetch-Dest": "image"},
        {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "iframe"},
    ],
)
async def test_a_page_of_another_site_asks_for_nothing(serve: Serve, headers: dict[str, str]) -> None:
    async with serve() as client:
        assert (await client.get(ME, headers=headers)).status_code == 403
        assert (await client.delete(SESSION, headers=headers)).status_code == 403


async def test_a_link_on_another_site_opens_the_page(serve: Serve) -> None:
    link = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document"}
    async with serve() as client:
        assert (await client.get("/alarms", headers=link)).status_code == 200


async def test_the_page_changes_something_with_its_header_alone(serve: Serve) -> None:
    async with serve() as client:
        refused = await client.delete(SESSION, headers=OWN)
        done = await client.delete(SESSION, headers=OWN | {"X-Ecgstream-Request": "1"})
    assert refused.status_code == 403
    assert "X-Ecgstream-Request" in refused.json()["detail"]
    assert done.status_code == 204


async def test_a_program_on_this_machine_needs_no_header(serve: Serve) -> None:
    async with serve() as client:
        assert (await client.delete(SESSION)).status_code == 204


@pytest.mark.parametrize("path", ["/", "/assets/js/app.js", ME, "/api/v1/nothing", "/nothing"])
async def test_every_answer_tells_the_browser_what_to_allow(serve: Serve, path: str) -> None:
    async with serve() as client:
        answer = await client.get(path)
    assert {name: answer.headers.get(name) for name in HEADERS} == HEADERS
    assert ("no-store" in answer.headers.get("cache-control", "")) == path.startswith("/api")
    assert "strict-transport-security" not in answer.headers


async def test_a_refusal_does_too(serve: Serve) -> None:
    async with serve(at="http://evil.example") as client:
        answer = await client.get(ME)
    assert {name: answer.headers.get(name) for name in HEADERS} == HEADERS


async def test_nobody_signs_in_where_nobody_need(serve: Serve) -> None:
    async with serve() as client:
        assert (await client.post(SESSION, json={"token": "x"})).status_code == 409
        assert (await client.get(f"{SESSION}/oidc/login")).status_code == 409
        assert (await client.get(f"{SESSION}/oidc/callback")).status_code == 409
