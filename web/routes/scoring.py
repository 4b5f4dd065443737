"""Scoring: recordings and single beats that people send, and samples to try."""

import asyncio
from http import HTTPStatus
from typing import Annotated, Any, Literal

import structlog
from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import StreamingResponse
from pydantic import BaseModel, ConfigDict, Field, FiniteFloat, Json, ValidationError

from ecg.contents import ARCHIVE
from ecg.data import data_directory
from ecg.formats import FORMATS, PICTURE_SUFFIXES
from ecg.intake import Sent
from ops.problems import ProblemError, responses
from ops.validation import first_error
from web.access import Caller, Responder, Viewer
from web.parts import Parts
from web.scoring.answers import BeatsAnswer, FormatAnswer, FormatsAnswer, Samples, ScoreAnswer
from web.scoring.beats import BEAT_FILES, ScoreBeats
from web.scoring.jobs import Keeping, Outcome, Reading, ScoreFiles, ScoreRecord
from web.scoring.kept import RESULT
from web.scoring.questionnaire import Questionnaire
from web.scoring.receiving import FILES, receive, receive_body
from web.scoring.samples import BEATS, SampleShelf
from web.scoring.service import ScoringService
from web.scoring.streaming import joined, sent

SAMPLE_BEATS = 20
_REFUSALS = responses(
    HTTPStatus.BAD_REQUEST,
    HTTPStatus.NOT_FOUND,
    HTTPStatus.REQUEST_TIMEOUT,
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
    HTTPStatus.UNPROCESSABLE_ENTITY,
    HTTPStatus.SERVICE_UNAVAILABLE,
    HTTPStatus.INSUFFICIENT_STORAGE,
)
_FORM = "multipart/form-data"
_FILES = {"type": "array", "items": {"type": "string", "format": "binary"}, "minItems": 1}
_NAMED = 5  # files that a refusal of all names

log = structlog.get_logger(__name__)


class ScoreFields(BaseModel):
    """Form fields that may come with files.

    Attributes
    ----------
    fs_hz : sampling rate in Hz; it comes before what a file says
    leads : lead names separated by commas: which to read, or what the columns are called
    unit : it comes before what a file says; mV where neither says one
    questionnaire : what is known of the person, as JSON
    """

    model_config = ConfigDict(extra="forbid")

    fs_hz: FiniteFloat | None = None
    leads: Annotated[str | None, Field(max_length=2000)] = None
    unit: Literal["mV", "uV", "V", "adc"] | None = None
    questionnaire: Json[Questionnaire] | None = None

    def reading(self) -> Reading:
        """Return the facts that readers need."""
        names = tuple(name for part in (self.leads or "").split(",") if (name := part.strip()))
        return Reading(fs_hz=self.fs_hz, leads=names or None, unit=self.unit)


class BeatList(BaseModel):
    """Single beats, each of 140 samples in any unit."""

    beats: list[list[float]]


_SCORE_FORM = {
    "requestBody": {
        "required": True,
        "content": {
            _FORM: {
                "schema": {
                    "type": "object",
                    "required": [FILES],
                    "properties": {
                        FILES: _FILES,
                        "fs_hz": {"type": "number"},
                        "leads": {"type": "string"},
                        "unit": {"enum": ["mV", "uV", "V", "adc"]},
                        "questionnaire": {"type": "string", "description": "A Questionnaire as JSON."},
                    },
                }
            }
        },
    }
}
_BEATS_FORM = {
    "requestBody": {
        "required": True,
        "content": {
            _FORM: {"schema": {"type": "object", "required": [FILES], "properties": {FILES: _FILES}}},
            "application/json": {"schema": BeatList.model_json_schema()},
        },
    }
}


def routes(parts: Parts) -> APIRouter:
    """The routes of this subject."""
    router = APIRouter(tags=["scoring"])
    scoring = parts.scoring
    shelf = SampleShelf(data=data_directory(parts.settings.data_dir))

    @router.post("/score", response_model=ScoreAnswer, responses=_REFUSALS, openapi_extra=_SCORE_FORM)
    async def score(request: Request, caller: Responder) -> Any:
        """Score recordings: any format that `/formats` names, or a `.zip` of them; several at once.

        `.npy` is of shape (samples, leads), or of (windows, samples, leads): then each window is judged on its own.
        A file that cannot be read is told with its error beside the results of the others.
        """
        async with scoring.request_folder() as folder:
            upload = await receive(request, folder, known=frozenset(ScoreFields.model_fields))
            fields = _fields(upload.fields)
            job = ScoreFiles(
                files=_some(upload.files),
                work=folder / "work",
                reading=fields.reading(),
                keeping=_keeping(scoring, caller, fields.questionnaire),
            )
            outcome = await scoring.workers.do(job)
        return _answer(scoring, outcome)

    @router.post("/score/beats", responses=_REFUSALS, openapi_extra=_BEATS_FORM)
    async def beats(request: Request, _: Responder) -> BeatsAnswer:
        """Score single beats of 140 samples, as ECG5000 has them: files, or JSON. Nothing of them is kept."""
        async with scoring.request_folder() as folder:
            if request.headers.get("content-type", "").partition(";")[0].strip().lower() == "application/json":
                files: tuple[Sent, ...] = (Sent(name="beats.json", path=folder / "beats"),)
                await receive_body(request, files[0].path)
            else:
                files = (await receive(request, folder, known=frozenset())).files
            return await scoring.workers.do(ScoreBeats(files=_some(files)))

    @router.get("/formats")
    async def formats(_: Viewer) -> FormatsAnswer:
        """The file formats that are scored."""
        known = [FormatAnswer.model_validate(form, from_attributes=True) for form in FORMATS]
        return FormatsAnswer(formats=known, archives=[ARCHIVE], pictures=list(PICTURE_SUFFIXES), beats=list(BEAT_FILES))

    @router.get("/samples")
    async def samples(_: Viewer) -> Samples:
        """Recordings to try: an excerpt that comes along, and what the data directory holds."""
        return await asyncio.to_thread(shelf.describe)

    @router.post("/samples/{name}/score", response_model=ScoreAnswer | BeatsAnswer, responses=_REFUSALS)
    async def score_sample(
        name: str,
        caller: Responder,
        start_s: Annotated[float, Query(ge=0, le=1e6)] = 0.0,
        seconds: Annotated[float | None, Query(ge=5, le=1e6)] = None,
    ) -> Any:
        """Score a sample, or a part of it; of single beats, twenty spread over all."""
        if name == BEATS and await asyncio.to_thread(shelf.beats.is_file):
            return await scoring.workers.do(
                ScoreBeats(files=(Sent(name=shelf.beats.name, path=shelf.beats),), count=SAMPLE_BEATS)
            )
        if name not in await asyncio.to_thread(shelf.names):
            available = await asyncio.to_thread(shelf.describe)
            there = ", ".join(sample.name for sample in available.samples)
            lacking = f"; {available.missing}" if available.missing else ""
            raise ProblemError(HTTPStatus.NOT_FOUND, f"there is no such sample, there are {there}{lacking}")
        async with scoring.request_folder() as folder:
            job = ScoreRecord(
                name=name,
                folder=shelf.records,
                work=folder / "work",
                keeping=_keeping(scoring, caller, None),
                start_s=start_s,
                seconds=seconds,
            )
            outcome = await scoring.workers.do(job)
        return _answer(scoring, outcome)

    return router


def _fields(given: dict[str, str]) -> ScoreFields:
    try:
        return ScoreFields.model_validate({name: value for name, value in given.items() if value.strip()})
    except ValidationError as error:
        detail = f"{first_error(error.errors())}: correct it"
        raise ProblemError(HTTPStatus.UNPROCESSABLE_ENTITY, detail) from error


def _some(files: tuple[Sent, ...]) -> tuple[Sent, ...]:
    if not files:
        raise ProblemError(
            HTTPStatus.UNPROCESSABLE_ENTITY, f"no file came: send one or more in the field {FILES!r} of a form"
        )
    return files


def _keeping(scoring: ScoringService, caller: Caller, questionnaire: Questionnaire | None) -> Keeping:
    return Keeping(
        recordings=scoring.store.recordings,
        owner=caller.name,
        now_ns=scoring.clock.now_ns(),
        questionnaire=questionnaire,
    )


def _answer(scoring: ScoringService, outcome: Outcome) -> Response:
    """Answer for all files; results as they lie on the disk, for those of a day have megabytes."""
    scoring.metrics.recordings.labels("scored").inc(len(outcome.kept))
    scoring.metrics.recordings.labels("refused").inc(len(outcome.refused))
    log.info("scored", recordings=len(outcome.kept), refused=len(outcome.refused))
    if not outcome.kept:
        refusals = "; ".join(refused.error.detail for refused in outcome.refused[:_NAMED])
        rest = len(outcome.refused) - _NAMED
        raise ProblemError(
            HTTPStatus.UNPROCESSABLE_ENTITY,
            f"{refusals or 'the files hold no recording'}" + (f"; and {rest} more" if rest > 0 else ""),
        )
    results = [scoring.store.recordings / number / RESULT for number in outcome.kept]
    return StreamingResponse(sent(joined(results, outcome.refused)), media_type="application/json")
