"""Patients: who is there, how they are, what was judged of them."""

from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Path
from pydantic import BaseModel, StringConstraints

from bus.messages import PATIENT_ID, Alert
from web.access import Viewer
from web.live.bedside import Bedside
from web.live.hub import Hub
from web.live.summary import PatientSummary, by_urgency
from web.parts import Parts
from web.problems import ProblemError, responses

PatientId = Annotated[
    str, StringConstraints(pattern=rf"^{PATIENT_ID.pattern}$"), Path(description="The patient's id on the topics.")
]


class Patients(BaseModel):
    """All patients of whom something came within the last hour, or who have an open alarm; the most urgent first."""

    patients: list[PatientSummary]


class PatientView(BaseModel):
    """A patient and what is open."""

    summary: PatientSummary
    alarms: list[Alert]


def known(hub: Hub, patient: str) -> Bedside:
    """A patient's bedside.

    Raises
    ------
    ProblemError : when nothing is known of the patient
    """
    bedside = hub.ward.bedsides.get(patient)
    if bedside is None:
        raise ProblemError(
            HTTPStatus.NOT_FOUND,
            "nothing has come of this patient within the last hour: see GET /patients for who is there",
        )
    return bedside


def routes(parts: Parts) -> APIRouter:
    """The routes of this subject."""
    router = APIRouter(prefix="/patients", tags=["patients"])
    hub = parts.hub

    @router.get("")
    async def patients(_: Viewer) -> Patients:
        """Who is there, the most urgent first."""
        return Patients(patients=by_urgency(hub.ward.summaries()))

    @router.get("/{patient}", responses=responses(HTTPStatus.NOT_FOUND))
    async def one(patient: PatientId, _: Viewer) -> PatientView:
        """A patient and all open alarms."""
        bedside = known(hub, patient)
        return PatientView(summary=hub.ward.summary(patient), alarms=bedside.open_alarms())

    return router
