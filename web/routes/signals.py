"""Signals of the past: samples and strips of a patient."""

from http import HTTPStatus
from typing import Annotated, Any

from fastapi import APIRouter, Header, Query, Response
from pydantic import BaseModel

from bus.beat_reviews import read_reviews
from bus.sample_history import NoSamplesError, StoredSamples
from ecg.annotations import Annotations
from ecg.exports import EXPORTS, ExportForm
from ops.problems import ProblemError, responses
from reports.beat_annotations import annotations_of
from web.access import Viewer
from web.parts import Parts
from web.past.exported import exported
from web.past.samples import frames, stretches
from web.past.strips import MEDIA_TYPES, Form, StripView, drawn, rows_of, view_of
from web.routes.drawing import DRAWN, in_thread
from web.routes.patients import PatientId
from web.routes.times import TimeNs

FRAMES = "application/octet-stream"
_NS = 1_000_000_000
_FRAMED: dict[int | str, dict[str, Any]] = {
    200: {
        "content": {FRAMES: {}} | {export.media_type: {} for export in EXPORTS.values()},
        "description": "A file of the format that is asked for, frames as WS /live has them, or JSON.",
    }
}


class StretchView(BaseModel):
    """Samples without a break: a row for each time, a column for each lead."""

    start_ns: int
    samples: list[list[int | None]]


class SamplesView(BaseModel):
    """Samples of a stretch of time; millivolts are (value - baseline) / gain."""

    patient: str
    fs_hz: float
    leads: tuple[str, ...]
    gain: tuple[float, ...]
    baseline: tuple[int, ...]
    stretches: list[StretchView]


def routes(parts: Parts) -> APIRouter:
    """The routes of this subject."""
    router = APIRouter(prefix="/patients", tags=["patients"])

    @router.get(
        "/{patient}/samples",
        response_model=SamplesView,
        responses=_FRAMED | responses(HTTPStatus.NOT_FOUND, HTTPStatus.SERVICE_UNAVAILABLE),
    )
    async def samples(
        patient: PatientId,
        _: Viewer,
        from_ns: TimeNs,
        to_ns: TimeNs,
        *,
        filtered: Annotated[bool, Query(description="As the detector filters: 0.5 to 40 Hz, at 100 Hz.")] = False,
        format: Annotated[  # noqa: A002 # the interface's word
            ExportForm | None,
            Query(description="A file to keep: a WFDB record with its beats (.zip), EDF+ or a FHIR Observation."),
        ] = None,
        accept: Annotated[str, Header()] = FRAMES,
    ) -> Any:
        """Return the samples of up to ten minutes: a file, frames or, where ``Accept`` asks for it, JSON."""
        found = await _sampled(parts, patient, from_ns, to_ns, as_judged=filtered)
        if format is not None:
            beats = await _annotated(parts, found, from_ns, to_ns) if format == "wfdb" else None
            file = await in_thread(exported, found, format, beats)
            kept = {"Content-Disposition": f'attachment; filename="{file.name}"'}
            return Response(file.content, media_type=file.media_type, headers=kept)
        if "application/json" in accept:
            return await in_thread(_samples_view, found)
        return Response(b"".join(frames(found)), media_type=FRAMES)

    @router.get(
        "/{patient}/strip",
        response_model=StripView,
        responses=DRAWN | responses(HTTPStatus.NOT_FOUND, HTTPStatus.SERVICE_UNAVAILABLE),
    )
    async def strip(
        patient: PatientId,
        _: Viewer,
        at_ns: TimeNs,
        seconds: Annotated[float, Query(ge=1, le=60)] = 10.0,
        format: Form = "json",  # noqa: A002 # the interface's word
    ) -> Any:
        """A strip whose middle is a time."""
        begin = at_ns - round(seconds / 2 * _NS)
        end = begin + round(seconds * _NS)
        found = await _sampled(parts, patient, begin, end)
        verdicts = await parts.past.verdicts(patient, begin, end)
        if format == "json":
            return await in_thread(view_of, found, verdicts)
        return Response(await in_thread(drawn, found, verdicts, format), media_type=MEDIA_TYPES[format])

    return router


async def _sampled(parts: Parts, patient: str, from_ns: int, to_ns: int, *, as_judged: bool = False) -> StoredSamples:
    try:
        return await parts.past.samples(patient, from_ns, to_ns, as_judged=as_judged)
    except NoSamplesError as error:
        raise ProblemError(HTTPStatus.NOT_FOUND, str(error)) from error


async def _annotated(parts: Parts, found: StoredSamples, from_ns: int, to_ns: int) -> Annotations:
    verdicts = await parts.past.verdicts(found.patient, from_ns, to_ns)
    return annotations_of(found, verdicts, await read_reviews(parts.kafka, found.patient, from_ns, to_ns))


def _samples_view(found: StoredSamples) -> SamplesView:
    return SamplesView(
        patient=found.patient,
        fs_hz=found.fs_hz,
        leads=found.leads,
        gain=found.gain,
        baseline=found.baseline,
        stretches=[
            StretchView(start_ns=one.start_ns, samples=rows_of(found.samples[one.first : one.end]))
            for one in stretches(found)
        ],
    )
