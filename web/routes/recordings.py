"""Recordings that were scored: what was found, reports, strips, and what was told of the person."""

import asyncio
from collections.abc import Iterator
from http import HTTPStatus
from pathlib import Path as File
from typing import Annotated, Any

from fastapi import APIRouter, Path, Query, Response
from fastapi.responses import FileResponse, StreamingResponse

from ops.problems import responses
from web.access import Caller, Responder, Viewer
from web.parts import Parts
from web.past.strips import MEDIA_TYPES, Form
from web.routes.drawing import DRAWN
from web.scoring.answers import Recording, Recordings, RecordingStrip, RecordingSummary
from web.scoring.drawing import DrawStrip, MakeReport, ReportForm, strip_samples
from web.scoring.kept import RESULT, read_questionnaire
from web.scoring.questionnaire import Questionnaire
from web.scoring.service import ScoringService
from web.scoring.streaming import content, sent

# A report carries its styles with it, runs no script, fetches nothing, and belongs to no page.
REPORT_POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; form-action 'none'; "
REPORT_POLICY += "frame-ancestors 'none'; sandbox"
Id = Annotated[str, Path(min_length=32, max_length=32, pattern="^[0-9a-f]+$", description="The recording's id.")]
_NONE = responses(HTTPStatus.NOT_FOUND)
_MADE = responses(HTTPStatus.NOT_FOUND, HTTPStatus.SERVICE_UNAVAILABLE, HTTPStatus.INSUFFICIENT_STORAGE)


def routes(parts: Parts) -> APIRouter:
    """The routes of this subject."""
    router = APIRouter(prefix="/recordings", tags=["recordings"])
    scoring = parts.scoring

    @router.get("")
    async def recordings(caller: Viewer) -> Recordings:
        """The recordings that the caller has sent, the newest first; an admin sees everybody's."""
        return Recordings(recordings=await asyncio.to_thread(scoring.store.seen_by, caller))

    @router.get("/{number}", response_model=Recording, responses=_NONE)
    async def recording(number: Id, caller: Viewer) -> Any:
        """A recording with all that was found in it."""
        folder, summary = await _find(scoring, number, caller)
        head = await asyncio.to_thread(_head, folder, summary)
        return StreamingResponse(sent(_whole(head, folder / RESULT)), media_type="application/json")

    @router.get("/{number}/report", responses=_MADE | {200: {"content": {"text/html": {}}, "description": "HTML."}})
    async def report(number: Id, caller: Viewer) -> Response:
        """The report for people to read."""
        path = await _report(scoring, number, caller, "html")
        return FileResponse(
            path, media_type="text/html; charset=utf-8", headers={"Content-Security-Policy": REPORT_POLICY}
        )

    @router.get(
        "/{number}/report.pdf", responses=_MADE | {200: {"content": {"application/pdf": {}}, "description": "PDF."}}
    )
    async def report_pdf(number: Id, caller: Viewer) -> Response:
        """The report on A4, true to scale."""
        path = await _report(scoring, number, caller, "pdf")
        return FileResponse(path, media_type="application/pdf", filename="ecg-report.pdf")

    @router.get(
        "/{number}/strip",
        response_model=RecordingStrip,
        responses=DRAWN | responses(HTTPStatus.NOT_FOUND, HTTPStatus.SERVICE_UNAVAILABLE),
    )
    async def strip(
        number: Id,
        caller: Viewer,
        at_s: Annotated[float, Query(ge=0, le=1e7)] = 0.0,
        seconds: Annotated[float, Query(ge=1, le=60)] = 10.0,
        format: Form = "json",  # noqa: A002 # the interface's word
    ) -> Any:
        """A stretch from a time on, as numbers or on ECG paper."""
        folder, _ = await _find(scoring, number, caller)
        if format == "json":
            found = await asyncio.to_thread(strip_samples, folder, at_s=at_s, seconds=seconds)
            return Response(found.model_dump_json(), media_type=MEDIA_TYPES[format])
        drawn = await scoring.workers.do(DrawStrip(folder=folder, at_s=at_s, seconds=seconds, form=format))
        return Response(drawn, media_type=MEDIA_TYPES[format])

    @router.put("/{number}/questionnaire", status_code=HTTPStatus.NO_CONTENT, responses=_MADE)
    async def add_details(number: Id, details: Questionnaire, caller: Responder) -> None:
        """Keep details of the person; they replace what was there before, and stand in the report."""
        await asyncio.to_thread(scoring.store.save_questionnaire, number, caller, details)

    @router.delete("/{number}", status_code=HTTPStatus.NO_CONTENT, responses=_NONE)
    async def delete(number: Id, caller: Responder) -> None:
        """Delete a recording, its report, and the details of the person."""
        await asyncio.to_thread(scoring.store.delete, number, caller)

    return router


async def _find(scoring: ScoringService, number: str, caller: Caller) -> tuple[File, RecordingSummary]:
    return await asyncio.to_thread(scoring.store.find, number, caller)


async def _report(scoring: ScoringService, number: str, caller: Caller, form: ReportForm) -> File:
    folder, _ = await _find(scoring, number, caller)
    return await scoring.workers.do(MakeReport(folder=folder, form=form))


def _whole(head: bytes, result: File) -> Iterator[bytes]:
    """Summary, questionnaire and result as one object; the result as it lies on the disk."""
    yield head + b',"result":'
    yield from content(result)
    yield b"}"


def _head(folder: File, summary: RecordingSummary) -> bytes:
    questionnaire = read_questionnaire(folder)
    details = b"null" if questionnaire is None else questionnaire.model_dump_json(exclude_none=True).encode()
    head = summary.model_dump_json().encode().removesuffix(b"}")
    return head + b',"questionnaire":' + details
