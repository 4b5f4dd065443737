"""Kinds of requests by their path, before any route is looked for."""

import re

from starlette.types import Scope

API = "/api/v1"

_SCORING = re.compile(rf"{API}/(?:score(?:/.*)?|samples/[^/]+/score)/?")


def is_api(scope: Scope) -> bool:
    """Return whether it asks the interface, not the page."""
    return bool(scope["path"].startswith(f"{API}/"))


def is_live(scope: Scope) -> bool:
    """Return whether its answer lasts as long as somebody watches."""
    return scope["type"] == "websocket" or (scope["type"] == "http" and bool(scope["path"] == f"{API}/events"))


def is_for_anybody(scope: Scope) -> bool:
    """Return whether it is of the page's files, or of signing in."""
    path = scope["path"]
    return not is_api(scope) or path == f"{API}/session" or path.startswith(f"{API}/session/")


def is_scoring(scope: Scope) -> bool:
    """Return whether it has recordings or beats scored."""
    return scope["method"] == "POST" and _SCORING.fullmatch(scope["path"]) is not None
