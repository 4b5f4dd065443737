"""Live: traces by WebSocket, alarms and verdicts by server-sent events."""

import asyncio
from collections.abc import AsyncIterator
from typing import Annotated

from fastapi import APIRouter, Header, Query, WebSocket
from fastapi.responses import Response
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from sse_starlette import EventSourceResponse
from sse_starlette.sse import SendTimeoutError
from starlette.types import Receive, Scope, Send
from starlette.websockets import WebSocketDisconnect

from ecg.errors import EcgStreamError
from ops.validation import first_error
from web.access import Viewer
from web.live.broadcaster import KINDS
from web.live.positions import positions_of
from web.live.stream import event_stream
from web.live.traces import Leads, Variant
from web.live.watching import LiveClient, Watch
from web.metrics import WebMetrics
from web.parts import Parts

HEARTBEAT_S = 15.0
SEND_S = 10.0  # a client that takes nothing for so long is cut off


class Wanted(BaseModel):
    """Traces that a client wants to watch.

    Attributes
    ----------
    patients : their ids; null for all
    leads : all, or only the one that is most like lead II
    fs_hz : thinned out to as little as this, Hz; null for the device's own rate
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    patients: Annotated[frozenset[str], Field(max_length=1000)] | None
    leads: Leads = "all"
    fs_hz: Annotated[float, Field(ge=20, le=1000)] | None = None


class Request(BaseModel):
    """A client's message on the WebSocket."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    watch: Wanted


def routes(parts: Parts) -> APIRouter:
    """The routes of this subject."""
    router = APIRouter(tags=["live"])
    hub = parts.hub

    @router.websocket("/live")
    async def live(socket: WebSocket, _: Viewer) -> None:
        """Traces: frames as ``web.live.frames`` has them, after a client has said what it wants to watch."""
        await socket.accept()
        client = LiveClient(parts.metrics)
        sending = asyncio.create_task(_send(socket, client))
        try:
            while True:
                said = await socket.receive_text()
                try:
                    wanted = Request.model_validate_json(said).watch
                except ValidationError as error:
                    await socket.send_json({"type": "error", "detail": f"{first_error(error.errors())}: correct it"})
                    continue
                parts.audit.read(socket.scope, patients=wanted.patients)
                await hub.watch(client, Watch(wanted.patients, Variant(wanted.leads, wanted.fs_hz)))
        except (WebSocketDisconnect, KeyError):  # KeyError: bytes where text is expected
            pass
        finally:
            hub.watchers.leave(client)
            sending.cancel()
            await asyncio.gather(sending, return_exceptions=True)

    @router.get(
        "/events",
        response_class=EventSourceResponse,
        responses={200: {"content": {"text/event-stream": {}}, "description": "Events, for ever"}},
    )
    async def events(
        _: Viewer,
        patient: Annotated[str | None, Query(max_length=128, description="Of this one alone.")] = None,
        kinds: Annotated[
            str, Query(max_length=100, description="alarm, verdict, patients; separated by commas")
        ] = "alarm,verdict,patients",
        after: Annotated[str | None, Query(max_length=32_000, description="As Last-Event-ID, which wins.")] = None,
        last_event_id: Annotated[str | None, Header(max_length=32_000)] = None,
    ) -> Response:
        """Alarms, verdicts and changes of the ward as they come.

        ``hello`` comes first, with all open alarms and all patients; ``status`` says when Kafka goes and comes back.
        The id of an ``alarm`` is where to go on after a break (``Last-Event-ID``, or ``after``): then no alarm is left
        out and none told twice.
        """
        wanted = frozenset(kinds.split(","))
        if not wanted <= KINDS:
            raise EcgStreamError(f"kinds={kinds!r}: only {', '.join(sorted(KINDS))} are known: leave others out")
        after_id = last_event_id or after
        positions = positions_of(after_id) if after_id else None
        return EventStream(
            event_stream(hub, parts.metrics, patient=patient, kinds=wanted, after=positions),  # type: ignore[arg-type]  # seen to be kinds above
            parts.metrics,
        )

    return router


class EventStream(EventSourceResponse):
    """A stream that is cut off when its client takes nothing; it comes back and goes on where it was.

    Parameters
    ----------
    content : what is sent
    """

    def __init__(self, content: AsyncIterator[bytes], metrics: WebMetrics) -> None:
        super().__init__(content, ping=HEARTBEAT_S, send_timeout=SEND_S)
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send until the client leaves, takes nothing, or the service ends."""
        try:
            await super().__call__(scope, receive, send)
        except SendTimeoutError:  # without an end of the answer the server closes the connection
            self._metrics.listeners_cut_off.inc()


async def _send(socket: WebSocket, client: LiveClient) -> None:
    while True:
        message = await client.next()
        if isinstance(message, bytes):
            await socket.send_bytes(message)
        else:
            await socket.send_text(message)
