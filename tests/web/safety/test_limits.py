"""Nobody gets more than their share: requests, live connections, bodies."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from starlette.types import Message, Receive, Scope, Send

from tests.support.waiting import until
from tests.web.safety.conftest import Serve
from tests.web.safety.keys import TOKENS, bearer
from web.safety import bodies
from web.safety.authenticator import LOCAL, Entrance
from web.safety.bodies import ORDINARY_BYTES, Bodies
from web.safety.budgets import Streams
from web.safety.paths import is_live, is_scoring
from web.safety.rates import network_of

ME = "/api/v1/me"
SESSION = "/api/v1/session"


async def test_each_caller_has_a_budget_of_their_own(serve: Serve, tokens: Path) -> None:
    async with serve(tokens=tokens, reads_per_minute=2, commands_per_minute=1) as client:
        for _ in range(2):
            assert (await client.get(ME, headers=bearer("viewer"))).status_code == 200
        answer = await client.get(ME, headers=bearer("viewer"))
        assert answer.status_code == 429
        assert answer.headers["content-type"] == "application/problem+json"
        assert 1 <= int(answer.headers["retry-after"]) <= 60
        assert answer.json()["detail"].startswith("more than 2 reads in a minute: wait ")
        assert (await client.get(ME, headers=bearer("admin"))).status_code == 200
        assert (await client.delete(SESSION, headers=bearer("viewer"))).status_code == 204
        assert (await client.delete(SESSION, headers=bearer("viewer"))).status_code == 429


async def test_who_is_not_signed_in_shares_an_address(serve: Serve, tokens: Path) -> None:
    async with serve(tokens=tokens, reads_per_minute=1) as client:
        assert (await client.get(ME)).status_code == 401
        assert (await client.get(ME)).status_code == 429
        # What brings people in is there for all of them, however often one has asked.
        for path in ("/", "/alarms", "/assets/js/app.js", SESSION):
            assert (await client.get(path)).status_code == 200
        assert (await client.get(ME, headers=bearer("viewer"))).status_code == 200


async def test_scores_are_counted_apart(serve: Serve) -> None:
    async with serve(scores_per_minute=1, commands_per_minute=1) as client:
        statuses = [(await client.post("/api/v1/score", content=b"")).status_code for _ in range(2)]
        assert statuses[0] != 429
        assert statuses[1] == 429
        assert (await client.delete(SESSION)).status_code == 204


@pytest.mark.parametrize(
    ("method", "path", "scores"),
    [
        ("POST", "/api/v1/score", True),
        ("POST", "/api/v1/score/beats", True),
        ("POST", "/api/v1/samples/100/score", True),
        ("GET", "/api/v1/score", False),
        ("POST", "/api/v1/scores", False),
        ("POST", "/api/v1/session", False),
        ("POST", "/api/v1/alert-commands", False),
    ],
)
def test_what_scores(method: str, path: str, *, scores: bool) -> None:
    assert is_scoring({"type": "http", "method": method, "path": path}) is scores


def test_what_is_live() -> None:
    assert is_live({"type": "websocket", "path": "/api/v1/live"})
    assert is_live({"type": "http", "path": "/api/v1/events"})
    assert not is_live({"type": "http", "path": "/api/v1/patients/p1/events"})


@pytest.mark.parametrize(
    ("host", "network"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::"),
        ("fe80::1%eth0", "fe80::"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        (None, "unknown"),
        ("a-socket", "a-socket"),
    ],
)
def test_who_has_one_address_of_a_network_has_all(host: str | None, network: str) -> None:
    assert network_of(host) == network


async def test_a_caller_holds_so_many_live_connections() -> None:
    inside, leave, sent = 0, asyncio.Event(), []

    async def stream(_: Scope, _receive: Receive, _send: Send) -> None:
        nonlocal inside
        inside += 1
        await leave.wait()

    async def receive() -> Message:
        raise AssertionError("nothing is read")

    async def send(message: Message) -> None:
        sent.append(message)

    def asked(address: str) -> Scope:
        entrance = Entrance(caller=LOCAL, way="local")
        return {
            "type": "http",
            "path": "/api/v1/events",
            "method": "GET",
            "client": (address, 1),
            "state": {"entrance": entrance},
        }

    streams = Streams(stream, most=2)
    async with asyncio.TaskGroup() as group:
        for address in ("192.0.2.1", "192.0.2.1", "192.0.2.2"):
            group.create_task(streams(asked(address), receive, send))
        await until(lambda: inside == 3)
        await streams(asked("192.0.2.1"), receive, send)
        assert sent[0]["status"] == 429
        leave.set()
    await streams(asked("192.0.2.1"), receive, send)
    assert inside == 4


async def in_pieces(pieces: int, size: int) -> AsyncIterator[bytes]:
    for _ in range(pieces):
        yield b"x" * size


async def test_a_body_that_says_it_is_too_large_is_not_read(serve: Serve) -> None:
    async with serve() as client:
        answer = await client.post(SESSION, content=b"", headers={"Content-Length": str(ORDINARY_BYTES + 1)})
    assert answer.status_code == 413
    assert answer.json()["detail"].startswith("the request is larger than 1 MB")


@pytest.mark.parametrize("lie", [{}, {"Content-Length": "5"}])
async def test_a_body_that_does_not_say_so_is_cut_off(serve: Serve, tokens: Path, lie: dict[str, str]) -> None:
    async with serve(tokens=tokens) as client:
        answer = await client.post(
            SESSION, content=in_pieces(20, 60_000), headers=lie | {"Content-Type": "application/json"}
        )
        assert answer.status_code == 413
        assert (await client.post(SESSION, json={"token": TOKENS["viewer"]})).status_code == 200


async def reader(_: Scope, receive: Receive, send: Send) -> None:
    """Reads a body to its end."""
    while (await receive()).get("more_body"):
        pass
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b""})


@pytest.mark.parametrize(
    ("path", "megabytes", "status"),
    [("/api/v1/score", 2, 200), ("/api/v1/score", 3, 413), (SESSION, 1, 200), (SESSION, 2, 413)],
)
async def test_a_recording_may_be_larger(path: str, megabytes: int, status: int) -> None:
    sent: list[Message] = []
    left = megabytes * 10

    async def receive() -> Message:
        nonlocal left
        left -= 1
        return {"type": "http.request", "body": b"x" * 100_000, "more_body": left > 0}

    async def send(message: Message) -> None:
        sent.append(message)

    scope: Scope = {"type": "http", "method": "POST", "path": path, "headers": []}
    await Bodies(reader, upload_mb=2)(scope, receive, send)
    assert sent[0]["status"] == status


async def test_who_sends_too_slowly_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bodies, "PIECE_S", 0.01)
    sent: list[Message] = []

    async def one_piece() -> Message:
        if not sent and not asked:
            asked.append(1)
            return {"type": "http.request", "body": b"{", "more_body": True}
        return await asyncio.Future()

    async def send(message: Message) -> None:
        sent.append(message)

    asked: list[int] = []
    scope: Scope = {"type": "http", "method": "POST", "path": SESSION, "headers": []}
    await Bodies(reader, upload_mb=1)(scope, one_piece, send)
    assert sent[0]["status"] == 408
