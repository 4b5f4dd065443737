"""A recording sent over a real connection, piece by piece, to a service at work."""

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator
from pathlib import Path

from httpx import AsyncClient

from tests.support.waiting import until
from tests.web.parts import make_parts
from tests.web.scoring.recordings import wfdb_files
from web.app import make_app
from web.server import Server
from web.settings import WebSettings

BOUNDARY = b"----pieces"


def form(files: dict[str, bytes]) -> bytes:
    parts = [
        b'--%s\r\nContent-Disposition: form-data; name="files"; filename="%s"\r\n\r\n%s\r\n'
        % (BOUNDARY, name.encode(), content)
        for name, content in files.items()
    ]
    return b"".join([*parts, b"--%s--\r\n" % BOUNDARY])


async def pieces(body: bytes, size: int) -> AsyncIterator[bytes]:
    for start in range(0, len(body), size):
        yield body[start : start + size]
        await asyncio.sleep(0)


@contextlib.asynccontextmanager
async def at_work(folder: Path) -> AsyncIterator[tuple[str, Path]]:
    settings = WebSettings(_env_file=None, state=folder / "web", upload_mb=1)
    parts = make_parts(folder, settings=settings)
    server = Server(make_app(parts), settings)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        async with parts.office:
            work = asyncio.create_task(server.serve([listener]))
            await until(lambda: server.ready or work.done())
            try:
                yield f"http://127.0.0.1:{listener.getsockname()[1]}", folder / "web"
            finally:
                server.should_exit = True
                await work


async def test_a_recording_in_pieces(tmp_path: Path) -> None:
    headers = {"Content-Type": f"multipart/form-data; boundary={BOUNDARY.decode()}", "X-Ecgstream-Request": "1"}
    async with at_work(tmp_path) as (address, state), AsyncClient(base_url=address, timeout=120) as client:
        answer = await client.post("/api/v1/score", content=pieces(form(wfdb_files()), 1000), headers=headers)
        assert answer.status_code == 200, answer.text
        (result,) = answer.json()["results"]
        assert (result["file"], len(result["windows"])) == ("r.hea", 6)
        report = await client.get(result["report"])
        assert report.headers["content-security-policy"].endswith("sandbox")
        assert report.headers["x-content-type-options"] == "nosniff"

        # Whoever says nothing of the length is counted all the same.
        large = pieces(form({"a.csv": b"0" * 2_000_000}), 50_000)
        refused = await client.post("/api/v1/score", content=large, headers=headers)
        assert refused.status_code == 413
        await until(lambda: not list((state / "incoming").iterdir()))
