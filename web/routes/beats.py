"""Beats: what people decide on those that the detector found, and on those that it missed."""

from http import HTTPStatus
from typing import Annotated, Any, Literal

from fastapi import APIRouter, status
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from bus.beat_reviews import read_reviews
from bus.messages import BeatClass, BeatReview
from ops.problems import ProblemError, responses
from ops.validation import first_error
from web.access import Responder, Viewer
from web.parts import Parts
from web.routes.patients import PatientId
from web.routes.times import INT64_MAX, TimeNs


class Decided(BaseModel):
    """A decision on a beat: see ``BeatReview``; who decided, and when, is known."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    t_ns: Annotated[int, Field(ge=0, le=INT64_MAX)]
    decision: Literal["accept", "reject", "reclass", "withdraw"]
    beat_class: Annotated[BeatClass | None, Field(alias="class")] = None
    detected: BeatClass | None = None


class Reviews(BaseModel):
    """Decisions as they stand, by the beats' time: the last on each beat."""

    reviews: list[BeatReview]


def routes(parts: Parts) -> APIRouter:
    """The routes of this subject."""
    router = APIRouter(prefix="/patients", tags=["patients"])

    @router.get("/{patient}/beat-reviews", response_model=Reviews, responses=responses(HTTPStatus.SERVICE_UNAVAILABLE))
    async def reviews(patient: PatientId, _: Viewer, from_ns: TimeNs, to_ns: TimeNs) -> Any:
        """Decisions of people on the beats of a stretch of time."""
        return Reviews(reviews=await read_reviews(parts.kafka, patient, from_ns, to_ns))

    @router.post(
        "/{patient}/beat-reviews",
        status_code=status.HTTP_201_CREATED,
        response_model=BeatReview,
        responses=responses(HTTPStatus.SERVICE_UNAVAILABLE),
    )
    async def review(patient: PatientId, caller: Responder, decided: Decided) -> Any:
        """Accept, reject or reclass a beat, or withdraw that; the same decision sent again changes nothing."""
        try:
            sent = BeatReview.model_validate(
                decided.model_dump(by_alias=True)
                | {"patient": patient, "by": caller.name, "sent_ns": parts.clock.now_ns()}
            )
        except ValidationError as error:
            raise ProblemError(HTTPStatus.UNPROCESSABLE_ENTITY, f"{first_error(error.errors())}: correct it") from error
        await parts.commander.send_review(sent)
        return sent

    return router
