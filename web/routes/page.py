"""The page: its files, and the same document at every address that the page itself makes sense of."""

import gzip
import hashlib
from dataclasses import dataclass
from http import HTTPStatus
from importlib.resources import files
from importlib.resources.abc import Traversable

from fastapi import APIRouter, Request, Response

from ops.problems import ProblemError

# The addresses that `page/js/routes.js` knows.
ADDRESSES = ("/", "/patients/{patient}", "/alarms", "/upload", "/recordings/{recording}", "/signin")
_TYPES = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}
_DOCUMENT = "index.html"


@dataclass(frozen=True, slots=True, kw_only=True)
class _File:
    content: bytes
    zipped: bytes
    media_type: str
    etag: str


def routes() -> APIRouter:
    """The routes of the page; its files are read once: they change with a release."""
    found = dict(_read(files("web") / "page"))
    router = APIRouter(include_in_schema=False)

    async def document(request: Request) -> Response:
        return _answer(request, found[_DOCUMENT])

    for address in ADDRESSES:
        router.add_api_route(address, document, methods=["GET", "HEAD"])

    @router.api_route("/assets/{name:path}", methods=["GET", "HEAD"])
    async def asset(request: Request, name: str) -> Response:
        if name not in found or name == _DOCUMENT:
            raise ProblemError(HTTPStatus.NOT_FOUND, f"the page has no file {name!r}: reload the page")
        return _answer(request, found[name])

    return router


def _read(folder: Traversable, prefix: str = "") -> list[tuple[str, _File]]:
    found: list[tuple[str, _File]] = []
    for entry in folder.iterdir():
        name = prefix + entry.name
        if entry.is_dir():
            found += _read(entry, f"{name}/")
        elif (media_type := _TYPES.get(name[name.rfind(".") :])) is not None:
            content = entry.read_bytes()
            etag = f'W/"{hashlib.sha256(content).hexdigest()[:32]}"'
            zipped = gzip.compress(content, mtime=0)
            found.append((name, _File(content=content, zipped=zipped, media_type=media_type, etag=etag)))
    return found


def _answer(request: Request, file: _File) -> Response:
    # Asked anew each time, answered in a few bytes: a new release shows at the next load.
    headers = {"ETag": file.etag, "Cache-Control": "no-cache", "Vary": "Accept-Encoding"}
    known = request.headers.get("if-none-match", "")
    if file.etag in (tag.strip() for tag in known.split(",")):
        return Response(status_code=HTTPStatus.NOT_MODIFIED, headers=headers)
    content = file.content
    if "gzip" in request.headers.get("accept-encoding", ""):
        content = file.zipped
        headers["Content-Encoding"] = "gzip"
    return Response(content, media_type=file.media_type, headers=headers)
