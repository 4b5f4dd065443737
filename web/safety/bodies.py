"""No request is larger or slower than it may be, whatever it says of its length."""

import asyncio
import contextlib
from http import HTTPStatus
from typing import NoReturn

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ops import problems
from web.safety.paths import is_scoring

MB = 1_000_000
ORDINARY_BYTES = MB  # of a request that brings no recording
PIECE_S = 20.0  # the longest wait for the next piece of a body, s: who sends slower holds a connection for nothing


class _RefusedError(Exception):
    """The rest of this body is not read."""

    def __init__(self, status: HTTPStatus, detail: str) -> None:
        super().__init__(detail)
        self.status = status
        self.detail = detail


class Bodies:
    """Counts what comes in, and answers 413 or 408 when it is too much or too slow.

    Parameters
    ----------
    upload_mb : the largest request that brings recordings, MB
    """

    def __init__(self, app: ASGIApp, *, upload_mb: int) -> None:
        self._app = app
        self._upload_bytes = upload_mb * MB

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer or refuse a request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        most = self._upload_bytes if is_scoring(scope) else ORDINARY_BYTES
        body = _Body(receive, send, most=most)
        said = Headers(scope=scope).get("content-length", "")
        with contextlib.suppress(_RefusedError):
            if said.isdecimal() and int(said[:20]) > most:
                body.refuse_large()
            await self._app(scope, body.receive, body.send)
        if body.refused is not None and not body.answered:
            answer = problems.problem(body.refused.status, body.refused.detail, {"Connection": "close"})
            await answer(scope, receive, send)


class _Body:
    """The body of one request on its way in, and the answer on its way out."""

    def __init__(self, receive: Receive, send: Send, *, most: int) -> None:
        self._receive = receive
        self._send = send
        self._most = most
        self._bytes = 0
        self._whole = False
        self.answered = False
        self.refused: _RefusedError | None = None

    def refuse_large(self) -> NoReturn:
        self._refuse(
            HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
            f"the request is larger than {self._most / MB:g} MB: send less at a time "
            "(ECGSTREAM_WEB_UPLOAD_MB bounds recordings)",
        )

    async def receive(self) -> Message:
        if self._whole:  # from here on it only waits for the client to leave
            return await self._receive()
        if self.refused is not None:
            raise self.refused
        try:
            async with asyncio.timeout(PIECE_S):
                message = await self._receive()
        except TimeoutError:
            self._refuse(HTTPStatus.REQUEST_TIMEOUT, f"no piece of the request came for {PIECE_S:g} s: send it faster")
        if message["type"] == "http.request":
            self._bytes += len(message.get("body", b""))
            self._whole = not message.get("more_body", False)
            if self._bytes > self._most:
                self.refuse_large()
        return message

    async def send(self, message: Message) -> None:
        # Whoever reads a body makes an answer of its own out of our refusal: ours is sent instead.
        if self.refused is None or self.answered:
            self.answered = True
            await self._send(message)

    def _refuse(self, status: HTTPStatus, detail: str) -> NoReturn:
        self.refused = _RefusedError(status, detail)
        raise self.refused
