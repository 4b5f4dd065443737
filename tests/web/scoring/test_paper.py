"""Pictures of paper ECGs over REST: judged like any recording, in a worker with limits."""

import cv2
import pytest

from tests.paper.drawn import drawn_page
from tests.web.scoring.conftest import Served
from web.scoring.answers import ScoreAnswer

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def test_a_picture_of_a_page_is_judged(served: Served) -> None:
    drawn = drawn_page(layout="3x4+1", px_per_mm=6.0)
    _, packed = cv2.imencode(".png", drawn.image)
    answer = await served.client.post("/api/v1/score", files=[("files", ("page.png", packed.tobytes()))])
    assert answer.status_code == 200, answer.text
    ScoreAnswer.model_validate_json(answer.content)
    (result,) = answer.json()["results"]
    assert result["windows"]
    assert "read from a picture: 3x4+1, 25 mm/s (written), 10 mm/mV (calibration pulse)" in result["remarks"][0]
    assert {"lead": "II"}.items() <= result["windows"][0].items()
    report = await served.client.get(result["report"])
    assert report.status_code == 200
