"""Errors as problem details (RFC 9457): one form for all that goes wrong."""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict
from starlette.exceptions import HTTPException

from ecg.errors import EcgStreamError
from ops.validation import first_error

MEDIA_TYPE = "application/problem+json"

log = structlog.get_logger(__name__)


class Problem(BaseModel):
    """Problem details of an error.

    Attributes
    ----------
    type : says which kind of problem; "about:blank" for what the status says already
    title : the kind in words
    status : HTTP's status
    detail : the value, the limit and the remedy
    """

    model_config = ConfigDict(extra="forbid")

    type: str = "about:blank"
    title: str
    status: int
    detail: str


class ProblemError(EcgStreamError):
    """A request that is answered with a problem.

    Parameters
    ----------
    status : HTTP's status
    detail : the value, the limit and the remedy
    headers : sent with it
    """

    def __init__(self, status: HTTPStatus, detail: str, *, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(detail)
        self.status = status
        self.headers = headers


def responses(*statuses: HTTPStatus) -> dict[int | str, dict[str, Any]]:
    """Problems that a route may answer with, for its OpenAPI document."""
    content = {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}}
    return {status.value: {"description": status.phrase, "content": content} for status in statuses}


def problem(status: HTTPStatus, detail: str, headers: Mapping[str, str] | None = None) -> JSONResponse:
    """The answer that tells of a problem."""
    body = Problem(title=status.phrase, status=status.value, detail=detail)
    return JSONResponse(body.model_dump(), status_code=status.value, headers=headers, media_type=MEDIA_TYPE)


def answer(error: ProblemError) -> JSONResponse:
    """The answer that tells of a problem that was raised."""
    return problem(error.status, str(error), error.headers)


def install(app: FastAPI, *, unavailable: type[EcgStreamError]) -> None:
    """Let an application tell all errors of its routes as problems.

    Parameters
    ----------
    unavailable : the error of what the service stands on, which is not the request's fault
    """

    @app.exception_handler(ProblemError)
    async def _raised(_: Request, error: ProblemError) -> JSONResponse:
        return answer(error)

    @app.exception_handler(EcgStreamError)
    async def _refused(_: Request, error: EcgStreamError) -> JSONResponse:
        return problem(HTTPStatus.UNPROCESSABLE_ENTITY, str(error))

    @app.exception_handler(unavailable)
    async def _away(_: Request, error: EcgStreamError) -> JSONResponse:
        return problem(HTTPStatus.SERVICE_UNAVAILABLE, str(error))

    @app.exception_handler(RequestValidationError)
    async def _malformed(_: Request, error: RequestValidationError) -> JSONResponse:
        return problem(HTTPStatus.UNPROCESSABLE_ENTITY, f"{first_error(error.errors())}: correct it")

    @app.exception_handler(HTTPException)
    async def _plain(_: Request, error: HTTPException) -> JSONResponse:
        return problem(HTTPStatus(error.status_code), str(error.detail), error.headers)
