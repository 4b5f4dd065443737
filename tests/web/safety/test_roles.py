"""Roles: every route of the application, and every role."""

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fastapi import FastAPI
from starlette.types import Message, Scope

from tests.web.parts import make_parts
from tests.web.safety.keys import bearer, write_tokens
from web.app import make_app
from web.roles import ROLES, Role
from web.safety.paths import API
from web.settings import WebSettings

# The least role; None where nobody need sign in. A route that is not here fails the test: give it a line.
RULES: dict[tuple[str, str], Role | None] = {
    ("GET", f"{API}/openapi.json"): None,
    ("GET", f"{API}/health"): None,
    ("GET", f"{API}/ready"): None,
    ("GET", f"{API}/session"): None,
    ("POST", f"{API}/session"): None,
    ("DELETE", f"{API}/session"): None,
    ("GET", f"{API}/session/oidc/login"): None,
    ("GET", f"{API}/session/oidc/callback"): None,
    ("GET", f"{API}/me"): "viewer",
    ("GET", f"{API}/models"): "viewer",
    ("GET", f"{API}/patients"): "viewer",
    ("GET", f"{API}/patients/{{patient}}"): "viewer",
    ("GET", f"{API}/patients/{{patient}}/verdicts"): "viewer",
    ("GET", f"{API}/patients/{{patient}}/trends"): "viewer",
    ("GET", f"{API}/patients/{{patient}}/events"): "viewer",
    ("GET", f"{API}/patients/{{patient}}/samples"): "viewer",
    ("GET", f"{API}/patients/{{patient}}/strip"): "viewer",
    ("GET", f"{API}/patients/{{patient}}/beat-reviews"): "viewer",
    ("POST", f"{API}/patients/{{patient}}/beat-reviews"): "responder",
    ("GET", f"{API}/alarms"): "viewer",
    ("GET", f"{API}/alarms/life"): "viewer",
    ("GET", f"{API}/alarms/strip"): "viewer",
    ("POST", f"{API}/alert-commands"): "responder",
    ("GET", f"{API}/events"): "viewer",
    ("WEBSOCKET", f"{API}/live"): "viewer",
    ("POST", f"{API}/score"): "responder",
    ("POST", f"{API}/score/beats"): "responder",
    ("GET", f"{API}/formats"): "viewer",
    ("GET", f"{API}/samples"): "viewer",
    ("POST", f"{API}/samples/{{name}}/score"): "responder",
    ("GET", f"{API}/recordings"): "viewer",
    ("GET", f"{API}/recordings/{{number}}"): "viewer",
    ("DELETE", f"{API}/recordings/{{number}}"): "responder",
    ("GET", f"{API}/recordings/{{number}}/report"): "viewer",
    ("GET", f"{API}/recordings/{{number}}/report.pdf"): "viewer",
    ("GET", f"{API}/recordings/{{number}}/strip"): "viewer",
    ("PUT", f"{API}/recordings/{{number}}/questionnaire"): "responder",
    # The page itself holds nothing of anybody: its scripts ask the interface.
    ("GET", "/"): None,
    ("GET", "/patients/{patient}"): None,
    ("GET", "/alarms"): None,
    ("GET", "/upload"): None,
    ("GET", "/recordings/{recording}"): None,
    ("GET", "/signin"): None,
    ("GET", "/assets/{name:path}"): None,
}


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> FastAPI:
    folder = tmp_path_factory.mktemp("roles")
    settings = WebSettings(_env_file=None, tokens=write_tokens(folder / "tokens.toml"), state=folder / "web")
    return make_app(make_parts(Path(folder), settings=settings))


def routes_of(app: FastAPI) -> Iterator[tuple[str, str]]:
    """Every route with each of its methods, as it is written."""
    for route in app.routes:
        contexts = getattr(route, "effective_route_contexts", None)
        found: Any
        for found in contexts() if contexts else [route]:
            socket = getattr(found, "starlette_route", None) or found
            for method in sorted((found.methods or {"WEBSOCKET"}) - {"HEAD"}):
                yield method, found.path or socket.path


def test_every_route_has_a_rule(app: FastAPI) -> None:
    assert set(routes_of(app)) == RULES.keys()


def test_a_viewer_changes_nothing() -> None:
    changing = {key: role for key, role in RULES.items() if key[0] not in {"GET", "WEBSOCKET"}}
    assert {role for key, role in changing.items() if key[1] != f"{API}/session"} <= {"responder", "admin"}


async def status(app: FastAPI, method: str, path: str, headers: dict[str, str]) -> int:
    """The status of an answer, of which no more is waited for: some have no end."""
    begun: asyncio.Future[int] = asyncio.get_running_loop().create_future()
    scope: Scope = {
        "type": "websocket" if method == "WEBSOCKET" else "http",
        "method": method,
        "path": path.replace("{name:path}", "js/app.js").replace("{", "").replace("}", ""),
        "query_string": b"id=a&at_ns=1",
        "headers": [
            (name.lower().encode(), value.encode()) for name, value in ({"Host": "localhost"} | headers).items()
        ],
        "client": ("127.0.0.1", 1),
        "scheme": "http",
        "extensions": {"websocket.http.response": {}},
    }
    first: list[Message] = [
        {"type": "websocket.connect"} if method == "WEBSOCKET" else {"type": "http.request", "body": b""}
    ]

    async def receive() -> Message:
        return first.pop() if first else await asyncio.Future()

    async def send(message: Message) -> None:
        if not begun.done() and message["type"].endswith((".start", ".accept")):
            begun.set_result(int(message.get("status", 101)))

    answering: asyncio.Task[Any] = asyncio.ensure_future(app(scope, receive, send))
    try:
        async with asyncio.timeout(60):
            await asyncio.wait({answering, begun}, return_when=asyncio.FIRST_COMPLETED)
        return begun.result()
    finally:
        answering.cancel()
        await asyncio.gather(answering, return_exceptions=True)


@pytest.mark.parametrize(("method", "path"), RULES)
async def test_a_route_lets_in_whom_it_should(app: FastAPI, method: str, path: str) -> None:
    least = RULES[method, path]
    assert (await status(app, method, path, {}) == 401) == (least is not None)
    for role in ROLES:
        may = least is None or ROLES.index(role) >= ROLES.index(least)
        found = await status(app, method, path, bearer(role))
        assert found != 401
        assert (found == 403) != may
        assert found < 500 or found == 503
