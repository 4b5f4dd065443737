"""The log of requests: their routes, and nothing of whom they were about."""

import io
from pathlib import Path

import pytest
import structlog
from fastapi import FastAPI
from httpx import ASGITransport, AsyncClient
from prometheus_client import CollectorRegistry, generate_latest

from bus.clients import BrokerError
from bus.testing import FakeClock
from ops import problems
from ops.logging import configure_logging
from tests.web.parts import make_parts
from tests.web.safety.keys import TOKENS, bearer, write_tokens
from tests.web.test_server import serving
from web.app import make_app
from web.metrics import WebMetrics
from web.safety.observed import BrokenOffError, Observed
from web.settings import WebSettings

PATIENT = "patient-of-bed-7"
QUERY = "secret-of-the-query"
COOKIE = "secret-of-the-cookie"
WRONG = "ecgs_wrong-secret-of-nobody"


@pytest.fixture
def log() -> io.StringIO:
    """The service's log at the level that people run it at."""
    stream = io.StringIO()
    configure_logging(service="web", level="info", form="json", stream=stream)
    structlog.get_logger(__name__).info("the_log_is_open")
    return stream


async def test_no_log_and_no_metric_says_whom_it_was_about(tmp_path: Path, log: io.StringIO) -> None:
    registry = CollectorRegistry()
    tokens = write_tokens(tmp_path / "tokens.toml")
    async with (
        serving(tmp_path, registry=registry, tokens=tokens) as port,
        AsyncClient(base_url=f"http://127.0.0.1:{port}", headers={"Cookie": f"ecgstream={COOKIE}"}) as client,
    ):
        for part in ("", "/verdicts", "/trends", "/events", "/samples", "/strip", f"/{PATIENT}"):
            await client.get(f"/api/v1/patients/{PATIENT}{part}?at_ns=1&x={QUERY}", headers=bearer("admin"))
            await client.get(f"/api/v1/patients/{PATIENT}{part}?at_ns=1&x={QUERY}")
        await client.get(f"/patients/{PATIENT}?t={QUERY}")
        await client.get(f"/nothing/{PATIENT}?{QUERY}")
        await client.request(PATIENT.upper(), "/")
        await client.get("/api/v1/me", headers={"Authorization": f"Bearer {WRONG}"})
        await client.post("/api/v1/session", json={"token": WRONG})
        await client.post("/api/v1/session", json={"token": TOKENS["viewer"]})
        await client.post("/api/v1/alert-commands", json={"action": PATIENT}, headers=bearer("admin"))
        upgrade = {"Connection": "Upgrade", "Upgrade": "websocket", "Sec-WebSocket-Version": "13"}
        await client.get(f"/api/v1/live?{QUERY}", headers=upgrade | {"Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ=="})
    metrics = generate_latest(registry).decode()
    written = log.getvalue()
    assert "the_log_is_open" in written
    assert 'route="/api/v1/patients/{patient}/verdicts",status="401"' in metrics
    for secret in (PATIENT, PATIENT.upper(), QUERY, COOKIE, WRONG, *TOKENS.values()):
        assert secret not in written
        assert secret not in metrics


def failing(registry: CollectorRegistry) -> FastAPI:
    app = FastAPI()
    problems.install(app, unavailable=BrokerError)

    @app.get("/patients/{patient}")
    async def fails(patient: str) -> None:
        raise KeyError(patient)

    app.add_middleware(Observed, metrics=WebMetrics(registry), clock=FakeClock())
    return app


async def test_a_failure_is_told_by_its_kind_and_place(log: io.StringIO) -> None:
    registry = CollectorRegistry()
    async with AsyncClient(transport=ASGITransport(failing(registry)), base_url="http://localhost") as client:
        answer = await client.get(f"/patients/{PATIENT}")
    assert answer.status_code == 500
    assert answer.headers["content-type"] == problems.MEDIA_TYPE
    written = log.getvalue()
    assert PATIENT not in answer.text + written
    for expected in ("request_failed", "KeyError", "/patients/{patient}", "fails", "error"):
        assert expected in written
    count = registry.get_sample_value(
        "ecgstream_web_requests_total", {"method": "GET", "route": "/patients/{patient}", "status": "500"}
    )
    assert count == 1


async def test_an_answer_that_had_begun_breaks_off_without_a_word(log: io.StringIO) -> None:
    async def breaks(_scope: object, _receive: object, send: object) -> None:
        assert callable(send)
        await send({"type": "http.response.start", "status": 200, "headers": []})
        raise KeyError(PATIENT)

    observed = Observed(breaks, metrics=WebMetrics(CollectorRegistry()), clock=FakeClock())

    async def nothing(*_: object) -> None:
        return None

    with pytest.raises(BrokenOffError) as broken:
        await observed({"type": "http", "method": "GET", "path": "/"}, nothing, nothing)  # type: ignore[arg-type]
    assert broken.value.__suppress_context__
    assert PATIENT not in log.getvalue()


async def test_requests_are_timed_by_route(tmp_path: Path) -> None:
    registry = CollectorRegistry()
    parts = make_parts(tmp_path, settings=WebSettings(_env_file=None), registry=registry)
    async with AsyncClient(transport=ASGITransport(make_app(parts)), base_url="http://localhost") as client:
        await client.get("/api/v1/health")
        await client.get("/nowhere")
    for route in ("/api/v1/health", "none"):
        assert registry.get_sample_value("ecgstream_web_request_seconds_count", {"route": route}) == 1
