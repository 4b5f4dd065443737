"""Parts of the OpenAPI document that all routes share."""

from http import HTTPStatus
from typing import Any

from fastapi import FastAPI

from ops import problems

TAGS = [
    {"name": "system", "description": "What runs here, and whether it is well."},
    {"name": "session", "description": "Signing in and out."},
    {"name": "patients", "description": "Patients: how they are, their verdicts, trends, samples and strips."},
    {"name": "alarms", "description": "Alarms: open ones, all that ever were, and what people do about them."},
    {"name": "live", "description": "Events as they come; traces come by the WebSocket /api/v1/live."},
    {"name": "scoring", "description": "Recordings and single beats that people send, scored."},
    {"name": "recordings", "description": "What was scored and kept: results, reports, questionnaires."},
]
# What stands before the routes may answer any request with.
EVERYWHERE = problems.responses(
    HTTPStatus.BAD_REQUEST,
    HTTPStatus.UNAUTHORIZED,
    HTTPStatus.FORBIDDEN,
    HTTPStatus.REQUEST_TIMEOUT,
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    HTTPStatus.MISDIRECTED_REQUEST,
    HTTPStatus.UNPROCESSABLE_ENTITY,
    HTTPStatus.TOO_MANY_REQUESTS,
)


class DocumentedApi(FastAPI):
    """An application whose document has the form of a problem, which no route returns by itself."""

    def openapi(self) -> dict[str, Any]:
        """The document; made when somebody first asks for it, since that takes longer than all else at the start."""
        if not self.openapi_schema:
            super().openapi()["components"]["schemas"]["Problem"] = problems.Problem.model_json_schema()
        return super().openapi()
