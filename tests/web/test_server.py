"""The server itself, over real connections."""

import asyncio
import contextlib
import logging
import socket
import ssl
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from httpx import AsyncClient
from prometheus_client import CollectorRegistry

from ecg.errors import EcgStreamError
from ops.http_server import HEADERS_BYTES, HurriedProtocol
from tests.support.waiting import until
from tests.web.parts import make_parts
from tests.web.safety.keys import write_tokens
from web.app import make_app
from web.server import Server
from web.settings import WebSettings

CERTIFICATES = Path(__file__).parents[1] / "support" / "tls"
REQUEST = b"GET /api/v1/health HTTP/1.1\r\nHost: localhost\r\n"


@contextlib.asynccontextmanager
async def serving(folder: Path, *, registry: CollectorRegistry | None = None, **settings: Any) -> AsyncIterator[int]:
    """A server at work; gives its port."""
    configured = WebSettings(_env_file=None, **settings)
    server = Server(make_app(make_parts(folder, settings=configured, registry=registry)), configured)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        work = asyncio.create_task(server.serve([listener]))
        await until(lambda: server.ready or work.done())
        try:
            yield int(listener.getsockname()[1])
        finally:
            server.should_exit = True
            await work


async def said(port: int, text: bytes) -> bytes:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(text)
    answer = await asyncio.wait_for(reader.read(), 60)
    writer.close()
    await writer.wait_closed()
    return answer


async def test_who_sends_a_head_byte_by_byte_is_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(HurriedProtocol, "headers_s", 0.05)
    async with serving(tmp_path) as port:
        assert await said(port, b"") == b""
        assert await said(port, REQUEST) == b""
        whole = await said(port, REQUEST + b"\r\n" + REQUEST)
    assert whole.startswith(b"HTTP/1.1 200")
    assert whole.count(b"HTTP/1.1") == 1


async def test_a_head_that_is_too_large_is_refused(tmp_path: Path) -> None:
    async with serving(tmp_path) as port:
        answer = await said(port, REQUEST + b"X-Long: " + b"x" * (HEADERS_BYTES + 1))
    assert answer.startswith(b"HTTP/1.1 400")


async def test_nobody_says_what_serves(tmp_path: Path) -> None:
    async with serving(tmp_path) as port, AsyncClient(base_url=f"http://127.0.0.1:{port}") as client:
        answer = await client.get("/api/v1/health")
    assert "server" not in answer.headers


@pytest.mark.parametrize(("trusted", "status"), [(None, 429), ("192.0.2.0/24", 429), ("127.0.0.1", 200)])
async def test_only_a_trusted_proxy_says_whom_it_speaks_for(tmp_path: Path, trusted: str | None, status: int) -> None:
    settings: dict[str, Any] = {
        "trusted_proxies": trusted,
        "reads_per_minute": 1,
        "tokens": write_tokens(tmp_path / "tokens.toml"),
    }
    async with serving(tmp_path, **settings) as port, AsyncClient(base_url=f"http://127.0.0.1:{port}") as client:
        for address, expected in (("198.51.100.1", 200), ("198.51.100.2", status)):
            answer = await client.get("/api/v1/health", headers={"X-Forwarded-For": address})
            assert answer.status_code == expected


def test_a_certificate_that_cannot_be_used_is_told(tmp_path: Path) -> None:
    broken = tmp_path / "broken.pem"
    broken.write_text("no certificate")
    for certificate in (broken, tmp_path / "none.pem"):
        settings = WebSettings(_env_file=None, tls_cert=certificate, tls_key=certificate)
        with pytest.raises(EcgStreamError, match="correct ECGSTREAM_WEB_TLS_CERT"):
            Server(make_app(make_parts(tmp_path, settings=settings)), settings)


async def test_it_speaks_tls(tmp_path: Path) -> None:
    broker = CERTIFICATES / "broker.pem"
    context = ssl.create_default_context(cafile=CERTIFICATES / "ca.pem")
    async with (
        serving(tmp_path, tls_cert=broker, tls_key=broker) as port,
        AsyncClient(base_url=f"https://localhost:{port}", verify=context) as client,
    ):
        answer = await client.get("/api/v1/health")
    assert answer.status_code == 200
    assert "strict-transport-security" in answer.headers


def test_libraries_that_would_tell_too_much_are_quiet(tmp_path: Path) -> None:
    settings = WebSettings(_env_file=None)
    Server(make_app(make_parts(tmp_path, settings=settings)), settings)
    for name in ("authlib", "httpx", "sse_starlette", "uvicorn.error", "websockets"):
        assert not logging.getLogger(name).isEnabledFor(logging.INFO)
