"""Routes on what runs here: version, models, and whether it is well."""

from http import HTTPStatus
from importlib.metadata import version
from typing import Any

from fastapi import APIRouter
from pydantic import BaseModel

from ops.problems import ProblemError, responses
from web.access import Viewer
from web.live.hub import Line
from web.parts import Parts
from web.roles import Role


class Me(BaseModel):
    """The caller who is signed in."""

    name: str
    role: Role


class Models(BaseModel):
    """Version and models. ``models`` is the manifest of the ONNX files: hashes, input, thresholds, figures."""

    version: str
    models: dict[str, Any]


class Health(BaseModel):
    """The service answers."""

    status: str = "ok"


class Ready(BaseModel):
    """State of the live view: ready when Kafka is reached and all that it held has been read."""

    kafka: Line


def routes(parts: Parts) -> APIRouter:
    """The routes of this subject."""
    router = APIRouter(tags=["system"])

    @router.get("/health")
    async def health() -> Health:
        """Return whether the service answers."""
        return Health()

    @router.get("/ready", responses=responses(HTTPStatus.SERVICE_UNAVAILABLE))
    async def ready() -> Ready:
        """Return whether everything can be asked: patients, alarms and their history."""
        line = parts.hub.line
        if line != "connected":
            raise ProblemError(HTTPStatus.SERVICE_UNAVAILABLE, f"Kafka: {line.replace('_', ' ')}: ask again in a while")
        return Ready(kafka=line)

    @router.get("/me")
    async def me(caller: Viewer) -> Me:
        """Return who is signed in, and their role."""
        return Me(name=caller.name, role=caller.role)

    @router.get("/models")
    async def models(_: Viewer) -> Models:
        """Return the networks that score here, their training data, and how good they are."""
        return Models(version=version("ecgstream"), models=parts.scorer.manifest.model_dump(mode="json"))

    return router
