import pytest
from fastapi import FastAPI
from httpx import ASGITransport, AsyncClient

from web.access import Viewer
from web.safety.gate import OpenAccessError, check_access
from web.safety.protect import protect
from web.settings import WebSettings


@pytest.mark.parametrize("host", ["127.0.0.1", "::1", "localhost"])
def test_nobody_need_sign_in_on_this_machine(host: str) -> None:
    check_access(WebSettings(_env_file=None, host=host))


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.5", "ward.example.org", ""])  # noqa: S104 # that is the point
def test_without_authentication_it_does_not_listen_to_a_network(host: str) -> None:
    with pytest.raises(OpenAccessError, match=r"loopback address alone: listen on 127\.0\.0\.1"):
        check_access(WebSettings(_env_file=None, host=host))


@pytest.fixture
def page() -> FastAPI:
    app = FastAPI()

    @app.get("/me")
    async def me(caller: Viewer) -> str:
        return f"{caller.role} {caller.name}"

    protect(app, WebSettings(_env_file=None))
    return app


async def test_whoever_sits_at_this_machine_is_the_local_admin(page: FastAPI) -> None:
    async with AsyncClient(transport=ASGITransport(page), base_url="http://127.0.0.1:8000") as client:
        assert (await client.get("/me")).json() == "admin local"


async def test_a_page_of_another_name_that_points_here_reads_nothing(page: FastAPI) -> None:
    async with AsyncClient(transport=ASGITransport(page), base_url="http://evil.example:8000") as client:
        answer = await client.get("/me")
    assert answer.status_code == 421
    assert answer.headers["content-type"] == "application/problem+json"
