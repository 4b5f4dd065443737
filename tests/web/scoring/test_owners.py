"""Permission to see, score and delete what."""

from pathlib import Path

import httpx

from tests.web.parts import make_parts
from tests.web.safety.keys import write_tokens
from web.app import make_app
from web.settings import WebSettings


async def test_without_leave_nothing_is_read(tmp_path: Path) -> None:
    settings = WebSettings(_env_file=None, state=tmp_path / "web", tokens=write_tokens(tmp_path / "tokens.toml"))
    parts = make_parts(tmp_path, settings=settings)
    transport = httpx.ASGITransport(make_app(parts), client=("127.0.0.1", 50_000))
    async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1:8000") as client:
        for path in ("score", "score/beats", "samples/208-excerpt/score"):
            answer = await client.post(f"/api/v1/{path}", files=[("files", ("a.csv", b"1"))])
            assert answer.status_code == 401
        assert (await client.get("/api/v1/recordings")).status_code == 401
    parts.scoring.workers.close()
    assert not (tmp_path / "web").exists(), "nobody's file touches the disk"
