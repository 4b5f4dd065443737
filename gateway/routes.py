"""Chunks by HTTP: each request is one chunk, answered when Kafka has it."""

import asyncio
from dataclasses import asdict
from http import HTTPStatus
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Path, Request
from fastapi.openapi.models import HTTPBearer
from fastapi.security.base import SecurityBase

from bus.messages import PATIENT_ID
from bus.samples import BadChunkError, Chunk
from bus.trace_context import trace_context_of
from gateway import answers
from gateway.forms import AVRO, INT16, JSON, JsonChunk, from_avro, from_int16, from_json
from gateway.intake import Session
from gateway.parts import Parts
from gateway.refusals import RefusedError
from gateway.senders import Sender
from ops.problems import ProblemError, responses

PIECE_S = 20.0  # the longest wait for the next piece of a body, s
PatientInPath = Annotated[str, Path(pattern=rf"^{PATIENT_ID.pattern}$", description="The patient id.")]
_BINARY = {"schema": {"type": "string", "format": "binary"}}
_BODY = {
    "requestBody": {
        "required": True,
        "content": {
            JSON: {"schema": {"$ref": "#/components/schemas/JsonChunk"}},
            INT16: _BINARY | {"example": "little-endian int16, the leads of an instant side by side"},
            AVRO: _BINARY | {"example": "a message of ecg.samples: Avro single object, schema ecg.samples.avsc"},
        },
    },
    "parameters": [
        {"name": name, "in": "query", "required": False, "schema": {"type": "string"}, "description": description}
        for name, description in (
            ("start_index", "Running index of the first sample; for int16."),
            ("start_ns", "Time of the first sample by the device's clock, ns UTC; for int16."),
            ("fs_hz", "Sampling rate, Hz."),
            ("leads", "Names of the leads, separated by commas; II by default."),
            ("unit", "Unit of samples in JSON: mV (default), uV, V."),
            ("gain", "ADC units per mV, one value or one for each lead; 1000 by default."),
            ("baseline", "ADC value of 0 mV, one or one for each lead; 0 by default."),
        )
    ],
}
_REFUSALS = responses(
    HTTPStatus.UNAUTHORIZED,
    HTTPStatus.FORBIDDEN,
    HTTPStatus.REQUEST_TIMEOUT,
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
    HTTPStatus.UNPROCESSABLE_ENTITY,
    HTTPStatus.TOO_MANY_REQUESTS,
    HTTPStatus.SERVICE_UNAVAILABLE,
)


class _Token(SecurityBase):
    """A device's token, for the OpenAPI document."""

    def __init__(self) -> None:
        self.scheme_name = "token"
        self.model = HTTPBearer(description="A device's token, which `ecgstream device-token` made.")

    async def __call__(self) -> None:
        """Nothing is left to do: the routes look at it."""


def refusal(error: RefusedError) -> ProblemError:
    """Return the problem that a refusal is told as."""
    headers = {"Retry-After": str(max(1, round(error.wait_s)))} if error.wait_s is not None else {}
    if error.code == "token":
        headers["WWW-Authenticate"] = "Bearer"
    return ProblemError(error.status, str(error), headers=headers)


def routes(parts: Parts) -> APIRouter:
    """The routes for devices."""
    router = APIRouter(tags=["devices"], dependencies=[Depends(_Token())], responses=_REFUSALS)

    async def sender_of(request: Request) -> Sender:
        try:
            return parts.senders.enter(authorization=request.headers.get("authorization"))
        except RefusedError as error:
            parts.metrics.refused.labels(error.code).inc()
            raise refusal(error) from None

    @router.post("/patients/{patient}/chunks", openapi_extra=_BODY)
    async def post_chunk(
        patient: PatientInPath, request: Request, sender: Annotated[Sender, Depends(sender_of)]
    ) -> answers.Acknowledgement:
        """Store a chunk of a patient's samples.

        The answer comes when Kafka has it. Sent again, as after an answer that was lost, it is acknowledged and not
        stored again.
        """
        try:
            _within_budget(parts, sender)
            body = await _body(request, most=1000 * parts.settings.message_kb)
            chunk = _chunk(request, body, patient=patient, device=sender.name)
            sender.budget.take(size=len(body), samples=chunk.samples.size)
            parts.metrics.bytes.inc(len(body))
            handed = await parts.intake.hand_over(
                Session(), sender, chunk, way="http", trace=trace_context_of(request.headers.items())
            )
        except RefusedError as error:
            parts.metrics.refused.labels(error.code).inc()
            raise refusal(error) from None
        except BadChunkError:
            parts.metrics.refused.labels("malformed").inc()
            raise
        await parts.intake.stored(handed)
        return answers.Acknowledgement(
            patient=patient,
            start_index=chunk.start_index,
            next_index=handed.next_index,
            stored=handed.stored,
            repeated=handed.repeated,
            lost=handed.lost,
        )

    @router.get("/patients/{patient}")
    async def get_stream(patient: PatientInPath, sender: Annotated[Sender, Depends(sender_of)]) -> answers.Stream:
        """Tell where a patient's stream from this device goes on, and how the device's clock is."""
        try:
            _within_budget(parts, sender)
            state = await parts.intake.state(sender, patient)
        except RefusedError as error:
            parts.metrics.refused.labels(error.code).inc()
            raise refusal(error) from None
        return answers.Stream(
            patient=patient,
            device=sender.name,
            next_index=state.next_index,
            clock=answers.Clock(**asdict(state.clock)) if state.clock else None,
            now_ns=parts.clock.now_ns(),
        )

    return router


def schemas() -> dict[str, Any]:
    """Schemas of the OpenAPI document that no route has in its signature."""
    return {"JsonChunk": JsonChunk.model_json_schema(ref_template="#/components/schemas/{model}")}


def _within_budget(parts: Parts, sender: Sender) -> None:
    wait_s = sender.budget.wait_s(parts.clock.monotonic_s())
    if wait_s > 0:
        raise RefusedError(
            "budget",
            f"device {sender.name!r} has sent more than {parts.settings.bytes_per_s:g} bytes or "
            f"{parts.settings.samples_per_s:g} samples a second: wait {wait_s:.1f} s, and send less",
            wait_s=wait_s,
        )


async def _body(request: Request, *, most: int) -> bytes:
    said = request.headers.get("content-length", "")
    too_large = RefusedError(
        "too_large", f"the body is larger than {most} bytes (ECGSTREAM_GATEWAY_MESSAGE_KB): send shorter chunks"
    )
    if said.isdecimal() and int(said[:20]) > most:
        raise too_large
    pieces: list[bytes] = []
    size = 0
    stream = request.stream()
    try:
        while True:
            async with asyncio.timeout(PIECE_S):
                piece = await anext(stream, None)
            if piece is None:
                return b"".join(pieces)
            pieces.append(piece)
            size += len(piece)
            if size > most:
                raise too_large
    except TimeoutError:
        raise ProblemError(
            HTTPStatus.REQUEST_TIMEOUT, f"no piece of the body came for {PIECE_S:g} s: send it faster"
        ) from None


def _chunk(request: Request, body: bytes, *, patient: str, device: str) -> Chunk:
    said = {**request.query_params, "patient": patient}
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    match kind:
        case "application/json":
            chunk = from_json(body, said, device=device)
        case "application/octet-stream":
            chunk = from_int16(body, said, device=device)
        case "avro/binary":
            chunk = from_avro(body, device=device)
        case _:
            raise ProblemError(
                HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
                f"Content-Type {kind or 'none'!r} is not known: send {JSON}, {INT16} or {AVRO}",
            )
    if chunk.patient != patient:
        raise BadChunkError(f"the chunk is of patient {chunk.patient!r}, the address of {patient!r}: make them agree")
    return chunk
