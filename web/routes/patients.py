"""Patients: who is there, how they are, what was sent and judged of them."""

from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Path, Query
from pydantic import BaseModel, StringConstraints

from bus.messages import PATIENT_ID, Alert, Decision, Verdict
from ecg.windows import HOP_S
from web.access import Viewer
from web.live.bedside import Bedside
from web.live.hub import Hub
from web.live.summary import PatientSummary, by_urgency
from web.live.verdicts import DECISIONS, listed
from web.parts import Parts
from web.past.events import PatientEvent, events_of
from web.problems import ProblemError, responses
from web.routes.times import FromNs, ToNs

MAX_VERDICTS = 720  # an hour
FRAMES = "application/octet-stream"
_NS = 1_000_000_000

PatientId = Annotated[
    str, StringConstraints(pattern=rf"^{PATIENT_ID.pattern}$"), Path(description="The patient's id on the topics.")
]


class Patients(BaseModel):
    """All patients of whom something came within the last hour, or who have an open alarm; the most urgent first."""

    patients: list[PatientSummary]


class PatientView(PatientSummary):
    """A patient, and all open alarms."""

    alarms: list[Alert]


class Verdicts(BaseModel):
    """Verdicts in the order of their time. ``next`` is the ``after`` of the page that follows; null on the last."""

    verdicts: list[Verdict]
    next: str | None


class Trends(BaseModel):
    """The last hour, window by window: where each ended, and what was found in it; null where nothing is known."""

    t_ns: list[int]
    heart_rate_bpm: list[float | None]
    cnn: list[float | None]
    autoencoder: list[float | None]
    fused: list[float | None]
    decision: list[Decision]


def known(hub: Hub, patient: str) -> Bedside:
    """A patient's bedside.

    Raises
    ------
    ProblemError : when nothing is known of the patient
    """
    bedside = hub.ward.bedsides.get(patient)
    if bedside is None:
        raise ProblemError(
            HTTPStatus.NOT_FOUND, "nothing came of this patient within the last hour: GET /patients tells who is there"
        )
    return bedside


def routes(parts: Parts) -> APIRouter:
    """The routes of this subject."""
    router = APIRouter(prefix="/patients", tags=["patients"])
    hub, past = parts.hub, parts.past

    @router.get("")
    async def patients(_: Viewer) -> Patients:
        """Who is there, the most urgent first."""
        return Patients(patients=by_urgency(hub.ward.summaries()))

    @router.get("/{patient}", responses=responses(HTTPStatus.NOT_FOUND))
    async def one(patient: PatientId, _: Viewer) -> PatientView:
        """A patient and all open alarms."""
        bedside = known(hub, patient)
        return PatientView(alarms=bedside.open_alarms(), **dict(hub.ward.summary(patient)))

    @router.get("/{patient}/verdicts", responses=responses(HTTPStatus.NOT_FOUND, HTTPStatus.SERVICE_UNAVAILABLE))
    async def verdicts(
        patient: PatientId,
        _: Viewer,
        from_ns: FromNs = None,
        to_ns: ToNs = None,
        limit: Annotated[int, Query(ge=1, le=MAX_VERDICTS)] = 120,
        after: Annotated[int | None, Query(ge=0, le=2**63 - 1, description="``next`` of the page before.")] = None,
    ) -> Verdicts:
        """The verdicts of a stretch of time; the last ``limit`` windows by default.

        A page goes as far as ``limit`` windows without a break would, so it may hold fewer, or none, and go on.
        """
        if to_ns is None:
            newest = known(hub, patient).verdicts.newest
            to_ns = newest.end_ns if newest else 0
        page_ns = limit * HOP_S * _NS
        begin = max(0, to_ns - page_ns) if from_ns is None else from_ns
        begin = max(begin, after or 0)
        end = min(to_ns, begin + page_ns)
        if begin >= end:
            return Verdicts(verdicts=[], next=None)
        found = [one for one in await past.verdicts(patient, begin, end) if after is None or one.start_ns >= begin]
        return Verdicts(verdicts=found, next=str(end) if end < to_ns else None)

    @router.get("/{patient}/trends", responses=responses(HTTPStatus.NOT_FOUND))
    async def trends(patient: PatientId, _: Viewer, from_ns: FromNs = None, to_ns: ToNs = None) -> Trends:
        """Heart rate and scores over the last hour, as far as the service remembers."""
        figures = known(hub, patient).verdicts.figures(from_ns, to_ns)
        return Trends(
            t_ns=figures["end_ns"].tolist(),
            heart_rate_bpm=listed(figures["heart_rate_bpm"]),
            cnn=listed(figures["cnn"]),
            autoencoder=listed(figures["autoencoder"]),
            fused=listed(figures["fused"]),
            decision=[DECISIONS[number] for number in figures["decision"]],
        )

    @router.get("/{patient}/events", responses=responses(HTTPStatus.NOT_FOUND))
    async def events(
        patient: PatientId,
        _: Viewer,
        from_ns: FromNs = None,
        to_ns: ToNs = None,
        limit: Annotated[int, Query(ge=1, le=1000)] = 500,
    ) -> list[PatientEvent]:
        """Where to jump to within the last hour: stretches of abnormal windows, findings, open alarms; oldest first."""
        found = events_of(known(hub, patient))
        inside = [
            one for one in found if (from_ns is None or one.end_ns >= from_ns) and (to_ns is None or one.t_ns < to_ns)
        ]
        return inside[-limit:]

    return router
