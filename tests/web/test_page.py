from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from fastapi import FastAPI
from httpx import ASGITransport, AsyncClient

from bus.clients import BrokerError
from ops import problems
from web.routes import page


@pytest_asyncio.fixture
async def client() -> AsyncIterator[AsyncClient]:
    app = FastAPI()
    problems.install(app, unavailable=BrokerError)
    app.include_router(page.routes())
    async with AsyncClient(transport=ASGITransport(app), base_url="http://ward") as found:
        yield found


@pytest.mark.parametrize("path", ["/", "/patients/bed-7?t=2026-01-01T00:00:00Z", "/alarms", "/upload", "/signin"])
async def test_every_address_of_the_page_gives_its_document(client: AsyncClient, path: str) -> None:
    answer = await client.get(path)
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert 'id="main"' in answer.text


@pytest.mark.parametrize(
    ("name", "media_type"),
    [("js/app.js", "text/javascript"), ("css/base.css", "text/css"), ("icon.svg", "image/svg+xml")],
)
async def test_files_have_their_types(client: AsyncClient, name: str, media_type: str) -> None:
    assert (await client.get(f"/assets/{name}")).headers["content-type"].startswith(media_type)


async def test_a_file_that_is_known_is_not_sent_again(client: AsyncClient) -> None:
    first = await client.get("/assets/js/app.js")
    again = await client.get("/assets/js/app.js", headers={"If-None-Match": f'"other", {first.headers["etag"]}'})
    assert again.status_code == 304
    assert again.content == b""
    other = await client.get("/assets/js/app.js", headers={"If-None-Match": '"other"'})
    assert other.status_code == 200


async def test_files_are_the_same_zipped_or_not(client: AsyncClient) -> None:
    zipped = await client.get("/assets/js/app.js", headers={"Accept-Encoding": "gzip"})
    plain = await client.get("/assets/js/app.js", headers={"Accept-Encoding": "identity"})
    assert zipped.headers["content-encoding"] == "gzip"
    assert "content-encoding" not in plain.headers
    assert zipped.content == plain.content


@pytest.mark.parametrize("name", ["nothing.js", "../page.py", "%2e%2e/page.py", "index.html", "js"])
async def test_there_are_no_other_files(client: AsyncClient, name: str) -> None:
    assert (await client.get(f"/assets/{name}")).status_code == 404


async def test_the_document_has_no_script_or_style_in_it(client: AsyncClient) -> None:
    text = (await client.get("/")).text
    assert "<style" not in text
    assert "style=" not in text
    assert "</script>" in text
    assert all(part.lstrip().startswith("</script>") for part in text.split('.js">')[1:])
