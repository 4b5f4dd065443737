"""Patients: who is there, how they are, what was sent and judged of them."""

import re
from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Path, Query, Request, Response
from pydantic import BaseModel, StringConstraints

from bus.messages import PATIENT_ID, Decision, Verdict
from ops.problems import ProblemError, responses
from web.access import Viewer
from web.live.hub import Hub
from web.live.patient import LivePatient
from web.live.summary import PatientSummary, Place, RankedAlert
from web.live.verdicts import DECISIONS, listed
from web.parts import Parts
from web.past.events import PatientEvent, events_of
from web.routes.times import FromNs, ToNs

MAX_PATIENTS = 1000  # on a page
MAX_VERDICTS = 720  # an hour
_PLACE = re.compile(rf"(\d{{1,2}})\.({PATIENT_ID.pattern})")
FRAMES = "application/octet-stream"
_NS = 1_000_000_000

PatientId = Annotated[
    str, StringConstraints(pattern=rf"^{PATIENT_ID.pattern}$"), Path(description="The patient's id on the topics.")
]


class Patients(BaseModel):
    """Patients of whom something came within the last hour, or who have an open alarm; the most urgent first.

    Attributes
    ----------
    patients : of this page
    total : how many there are on all pages
    next : the ``after`` of the page that follows; null on the last
    """

    patients: list[PatientSummary]
    total: int
    next: str | None


class PatientView(PatientSummary):
    """A patient, and all open alarms."""

    alarms: list[RankedAlert]


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


def known(hub: Hub, patient: str) -> LivePatient:
    """Return what is known of a patient.

    Raises
    ------
    ProblemError : when nothing is known of the patient
    """
    live = hub.ward.patients.get(patient)
    if live is None:
        raise ProblemError(
            HTTPStatus.NOT_FOUND,
            "nothing came of this patient within the last hour: GET /patients lists those who are there",
        )
    return live


def _written(place: Place) -> str:
    return f"{place.rank}.{place.patient}"


def _place(text: str) -> Place:
    """The place behind which a page begins.

    Raises
    ------
    ProblemError : when it is none that was told
    """
    found = _PLACE.fullmatch(text)
    if found is None:
        raise ProblemError(
            HTTPStatus.UNPROCESSABLE_ENTITY,
            f"after={text[:40]!r} is not the next of a page: leave it out to start over",
        )
    return Place.of(found[2], int(found[1]))


def routes(parts: Parts) -> APIRouter:
    """The routes of this subject."""
    router = APIRouter(prefix="/patients", tags=["patients"])
    hub, past = parts.hub, parts.past

    @router.get("")
    async def patients(
        _: Viewer,
        request: Request,
        response: Response,
        limit: Annotated[int, Query(ge=1, le=MAX_PATIENTS)] = MAX_PATIENTS,
        after: Annotated[str | None, Query(max_length=200, description="``next`` of the page before.")] = None,
    ) -> Patients:
        """List the patients, the most urgent first.

        The next page begins behind the last patient of this one, as urgent as they were; whose state changes meanwhile
        may stand on both pages or on none. The address of the next page is also a ``Link`` header.
        """
        begin = _place(after) if after else None
        places = hub.ward.places()
        found = [place for place in places if begin is None or place > begin]
        page = found[:limit]
        following = _written(page[-1]) if len(found) > limit else None
        if following is not None:
            response.headers["Link"] = f'<{request.url.include_query_params(after=following)}>; rel="next"'
        return Patients(patients=[hub.ward.summary(place.patient) for place in page], total=len(places), next=following)

    @router.get("/{patient}", responses=responses(HTTPStatus.NOT_FOUND))
    async def one(patient: PatientId, _: Viewer) -> PatientView:
        """A patient and all open alarms."""
        live = known(hub, patient)
        return PatientView(
            alarms=[RankedAlert.of(each) for each in live.open_alarms()], **dict(hub.ward.summary(patient))
        )

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
        page_ns = limit * hub.ward.hop_s(patient) * _NS
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
        live = known(hub, patient)
        # Two devices' heart rates in one line would be nobody's.
        device = live.devices[0] if len(live.devices) > 1 else None
        figures = live.verdicts.figures(from_ns, to_ns, device=device)
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
        """List events of the last hour: stretches of abnormal windows, findings, open alarms; oldest first."""
        found = events_of(known(hub, patient))
        inside = [
            one for one in found if (from_ns is None or one.end_ns >= from_ns) and (to_ns is None or one.t_ns < to_ns)
        ]
        return inside[-limit:]

    return router
