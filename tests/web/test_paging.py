"""The list of patients, page by page."""

from pathlib import Path

from httpx import ASGITransport, AsyncClient

from tests.alerting.alerts import alert
from tests.web.live.chunks import chunk
from tests.web.parts import make_parts
from web.app import make_app

COUNT = 25
NOW_MS = 1_700_000_100_000


async def test_all_pages_together_are_all_patients_in_their_order(tmp_path: Path) -> None:
    parts = make_parts(tmp_path)
    for number in range(COUNT):
        parts.hub.ward.take_chunk(chunk(0, 90, patient=f"p{number:02}"), NOW_MS)
    parts.hub.ward.take_alert(alert(id="p07/1/1/x", patient="p07", priority="high"), sent_ms=NOW_MS)
    transport = ASGITransport(make_app(parts), client=("127.0.0.1", 50_000))
    async with AsyncClient(transport=transport, base_url="http://127.0.0.1:8000") as client:
        whole = (await client.get("/api/v1/patients")).json()
        assert (whole["total"], whole["next"], len(whole["patients"])) == (COUNT, None, COUNT)
        assert whole["patients"][0]["patient"] == "p07"
        found, after, pages = [], None, 0
        while True:
            query = {"limit": 10} | ({"after": after} if after else {})
            answer = await client.get("/api/v1/patients", params=query)
            page = answer.json()
            found += page["patients"]
            pages += 1
            after = page["next"]
            if after is None:
                assert "link" not in answer.headers
                break
            linked = answer.links["next"]["url"]
            assert (await client.get(linked)).json() == (
                await client.get("/api/v1/patients", params={"limit": 10, "after": after})
            ).json()
        assert (pages, found) == (3, whole["patients"])
        for wrong in ("x", "p1", "x.p1", "0.", "0.a b"):
            assert (await client.get("/api/v1/patients", params={"after": wrong})).status_code == 422
