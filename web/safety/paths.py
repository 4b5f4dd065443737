"""What kind of request a path is, before any route is looked for."""

import re

from starlette.types import Scope

API = "/api/v1"

_SCORING = re.compile(rf"{API}/(?:score(?:/.*)?|samples/[^/]+/score)/?")


def is_api(scope: Scope) -> bool:
    """Whether it asks the interface, not the page."""
    return bool(scope["path"].startswith(f"{API}/"))


def is_live(scope: Scope) -> bool:
    """Whether its answer goes on for as long as somebody watches."""
    return scope["type"] == "websocket" or (scope["type"] == "http" and bool(scope["path"] == f"{API}/events"))


def is_scoring(scope: Scope) -> bool:
    """Whether it has recordings or beats scored."""
    return scope["method"] == "POST" and _SCORING.fullmatch(scope["path"]) is not None
