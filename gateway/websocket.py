"""Chunks by WebSocket: many over one connection, each acknowledged in its turn when Kafka has it."""

import asyncio
from collections.abc import Mapping

from fastapi import APIRouter, WebSocket
from starlette.datastructures import QueryParams
from starlette.websockets import WebSocketDisconnect

from bus.clients import BrokerError
from bus.samples import MARKER, BadChunkError, Chunk
from bus.trace_context import trace_context_of
from gateway import answers
from gateway.forms import StreamDescription, description_of, from_avro, from_frame, from_json
from gateway.intake import Handed, Session
from gateway.parts import Parts
from gateway.refusals import RefusedError
from gateway.routes import refusal
from gateway.senders import SUBPROTOCOL, Sender
from ops import problems

TRY_AGAIN, POLICY = 1013, 1008  # codes of RFC 6455 with which a connection is closed
MOST_REFUSED = 100  # chunks one after the other: who sends nothing else is cut off


def routes(parts: Parts) -> APIRouter:
    """The route of the WebSocket."""
    router = APIRouter()

    @router.websocket("/stream")
    async def stream(socket: WebSocket) -> None:
        """Chunks of one device, of one patient or several."""
        try:
            sender = _enter(parts, socket)
        except RefusedError as error:
            parts.metrics.refused.labels(error.code).inc()
            await socket.send_denial_response(problems.answer(refusal(error)))
            return
        offered = socket.scope["subprotocols"]
        sender.budget.connections += 1
        parts.metrics.connections.inc()
        try:
            await socket.accept(subprotocol=SUBPROTOCOL if SUBPROTOCOL in offered else None)
            await Connection(parts, sender, socket).serve()
        except (WebSocketDisconnect, RuntimeError):  # Starlette's for a message to who has left
            pass
        finally:
            sender.budget.connections -= 1
            parts.metrics.connections.dec()

    return router


def _enter(parts: Parts, socket: WebSocket) -> Sender:
    sender = parts.senders.enter(
        authorization=socket.headers.get("authorization"), subprotocols=tuple(socket.scope["subprotocols"])
    )
    if sender.budget.connections >= parts.settings.connections_per_device:
        raise RefusedError(
            "connections",
            f"device {sender.name!r} has {sender.budget.connections} connections already: close one "
            "(ECGSTREAM_GATEWAY_CONNECTIONS_PER_DEVICE)",
            wait_s=5.0,
        )
    return sender


class Connection:
    """One device's WebSocket, which is open.

    Parameters
    ----------
    sender : whose it is
    """

    def __init__(self, parts: Parts, sender: Sender, socket: WebSocket) -> None:
        self._parts = parts
        self._sender = sender
        self._socket = socket
        self._session = Session()
        self._trace = trace_context_of(socket.headers.items())  # of all that comes over it: a message has no headers
        self._said: Mapping[str, str] = QueryParams(socket.scope["query_string"])
        self._described: StreamDescription | None = None  # of int16 messages, once one has come
        self._binary_has_place = "fs_hz" in self._said
        # What waits here holds back the reading of the socket, and with it the device.
        self._answers: asyncio.Queue[Handed | answers.Refusal] = asyncio.Queue(parts.settings.unacknowledged)

    async def serve(self) -> None:
        """Take chunks in until the device leaves or Kafka is away."""
        sender = self._sender
        hello = answers.Hello(
            device=sender.name, patients=list(sender.device.patients), now_ns=self._parts.clock.now_ns()
        )
        await self._socket.send_text(hello.model_dump_json())
        answering = asyncio.create_task(self._answer())
        receiving = asyncio.create_task(self._receive())
        try:
            await asyncio.wait((answering, receiving), return_when=asyncio.FIRST_COMPLETED)
            code = None
            for task in (receiving, answering):
                if task.done():
                    code = code or task.result()
            if code is not None:
                await self._socket.close(code)
        finally:
            for task in (answering, receiving):
                task.cancel()
            await asyncio.gather(answering, receiving, return_exceptions=True)

    async def _receive(self) -> int | None:
        """Take in what comes; returns with which code to close, None when the device has left."""
        parts, sender = self._parts, self._sender
        refused = 0
        while True:
            message = await self._socket.receive()
            if message["type"] == "websocket.disconnect":
                return None
            if (wait_s := sender.budget.wait_s(parts.clock.monotonic_s())) > 0:
                parts.metrics.held_back.inc(wait_s)
                await parts.clock.sleep(wait_s)
            chunk: Chunk | None = None
            try:
                chunk = self._chunk(message.get("text"), message.get("bytes"))
                handed = await parts.intake.hand_over(self._session, sender, chunk, way="websocket", trace=self._trace)
            except (BadChunkError, RefusedError) as error:
                refused += 1
                await self._answers.put(self._refusal(error, chunk))
                if refused >= MOST_REFUSED:
                    return POLICY
            except BrokerError:
                return TRY_AGAIN
            else:
                refused = 0
                await self._answers.put(handed)

    def _chunk(self, text: str | None, frame: bytes | None) -> Chunk:
        name = self._sender.name
        size = len(text or frame or b"")
        self._parts.metrics.bytes.inc(size)
        samples = 0
        try:
            if text is not None:
                chunk = from_json(text, self._said, device=name)
            elif frame and frame.startswith(MARKER) and not self._binary_has_place:
                chunk = from_avro(frame, device=name)
            else:
                if self._described is None:
                    self._described = description_of(self._said)
                chunk = from_frame(frame or b"", self._said.get("patient", ""), self._described, device=name)
            samples = chunk.samples.size
        finally:
            self._sender.budget.take(size=size, samples=samples)
        return chunk

    def _refusal(self, error: BadChunkError | RefusedError, chunk: Chunk | None) -> answers.Refusal:
        code = error.code if isinstance(error, RefusedError) else "malformed"
        self._parts.metrics.refused.labels(code).inc()
        return answers.Refusal(
            patient=chunk.patient if chunk else self._said.get("patient"),
            start_index=chunk.start_index if chunk else None,
            code=code,
            detail=str(error),
        )

    async def _answer(self) -> int | None:
        """Acknowledge and refuse in turn; returns with which code to close."""
        while True:
            item = await self._answers.get()
            if isinstance(item, Handed):
                try:
                    await self._parts.intake.stored(item)
                except BrokerError:
                    return TRY_AGAIN
                answer: answers.Answer = answers.Acknowledgement(
                    patient=item.chunk.patient,
                    start_index=item.chunk.start_index,
                    next_index=item.next_index,
                    stored=item.stored,
                    repeated=item.repeated,
                    lost=item.lost,
                )
            else:
                answer = item
            await self._socket.send_text(answer.model_dump_json())
