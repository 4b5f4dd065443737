"""The audit trail of reads: who saw what of which patient, as lines to which one can only add."""

import json
import os
from collections.abc import Collection
from datetime import UTC, datetime
from http import HTTPStatus
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

import structlog
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from alerting.commanding import patient_of
from ecg.errors import EcgStreamError
from ops.clock import Clock
from web.access import Caller
from web.safety.gate import address_of
from web.safety.observed import route_of

AGAIN_S = 60.0  # the page asks for the same every few seconds: once a minute says as much
OF_PATIENTS = frozenset({"patients", "alarms", "live", "recordings"})  # subjects of ``web.document`` that show some

log = structlog.get_logger(__name__)


class AuditTrail:
    """Appends one JSON object a line to a file: ``at``, ``who``, ``role``, ``from``, ``route``, and of whom.

    ``patient`` is null where all of them are seen, or a recording; ``alarm`` and ``recording`` stand where one was
    asked for. The same read of the same caller is written once in each ``AGAIN_S``.

    Parameters
    ----------
    path : the file, made where it is not there; None to keep none
    clock : tells the time

    Raises
    ------
    EcgStreamError : when the file cannot be opened for appending
    """

    def __init__(self, path: Path | None, *, clock: Clock) -> None:
        self._clock = clock
        self._lately = set[tuple[str | None, ...]]()
        self._since_s = clock.monotonic_s()
        self._file: int | None = None
        if path is not None:
            try:
                path.parent.mkdir(parents=True, exist_ok=True)
                self._file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
            except OSError as error:
                raise EcgStreamError(
                    f"ECGSTREAM_WEB_AUDIT_TRAIL={path}: {error.strerror}: name a file that this service may append to"
                ) from error

    @property
    def kept(self) -> bool:
        """Return whether there is a file."""
        return self._file is not None

    def read(
        self,
        scope: Scope,
        *,
        patients: Collection[str] | None,
        alarm: str | None = None,
        recording: str | None = None,
    ) -> None:
        """Note that the sender of a request has seen something.

        Parameters
        ----------
        scope : of the request or WebSocket
        patients : of whom; None for all who are there
        alarm, recording : which, where one was asked for
        """
        caller: Caller | None = scope.get("state", {}).get("caller")
        if self._file is None or caller is None:
            return
        route = route_of(scope)
        for patient in (None,) if patients is None else sorted(patients):
            if self._again((caller.name, route, patient, alarm, recording)):
                continue
            line: dict[str, Any] = {
                "at": datetime.fromtimestamp(self._clock.now_ns() / 1e9, UTC).isoformat(timespec="milliseconds"),
                "who": caller.name,
                "role": caller.role,
                "from": address_of(scope),
                "route": route,
                "patient": patient,
            }
            line |= {name: value for name, value in (("alarm", alarm), ("recording", recording)) if value is not None}
            try:
                os.write(self._file, json.dumps(line).encode() + b"\n")
            except OSError as error:  # a full disk must not blind the ward
                log.error("read_not_in_audit_trail", error=repr(error))  # noqa: TRY400 # no traceback: it says nothing

    def close(self) -> None:
        """Write no more."""
        if self._file is not None:
            os.close(self._file)
            self._file = None

    def _again(self, what: tuple[str | None, ...]) -> bool:
        now_s = self._clock.monotonic_s()
        if now_s - self._since_s >= AGAIN_S:
            self._since_s = now_s
            self._lately.clear()
        if what in self._lately:
            return True
        self._lately.add(what)
        return False


class Audited:
    """Notes requests that were answered with something of a patient's.

    What a WebSocket shows is known when its client has said whom it wants to watch: its route notes that.

    Parameters
    ----------
    trail : takes the notes
    """

    def __init__(self, app: ASGIApp, *, trail: AuditTrail) -> None:
        self._app = app
        self._trail = trail

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        if scope["type"] != "http" or not self._trail.kept:
            await self._app(scope, receive, send)
            return

        async def noted(message: Message) -> None:
            if message["type"] == "http.response.start" and message["status"] < HTTPStatus.BAD_REQUEST:
                self._note(scope)
            await send(message)

        await self._app(scope, receive, noted)

    def _note(self, scope: Scope) -> None:
        if scope["method"] != "GET" or OF_PATIENTS.isdisjoint(getattr(scope.get("route"), "tags", ())):
            return
        named = dict(parse_qsl(scope["query_string"].decode("latin-1"))) | scope["path_params"]
        alarm = named.get("id")
        patient = patient_of(alarm) if alarm else named.get("patient")
        recording = named.get("number")
        self._trail.read(scope, patients=[patient] if patient else None, alarm=alarm, recording=recording)
