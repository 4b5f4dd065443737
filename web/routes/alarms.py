"""Alarms: those that are open, all that ever were, and what people do about them."""

from http import HTTPStatus
from typing import Annotated, Any

from fastapi import APIRouter, Query, Response, status
from pydantic import BaseModel, ConfigDict, Field

from alerting.commanding import CommandError, command, urgency_of
from alerting.history.reading import AlarmHistory, Wanted
from alerting.strips.alarm_strip import AlarmStrip
from alerting.strips.store import AFTER_NS, BEFORE_NS
from bus.messages import AlarmKind, Alert, AlertCommand
from bus.sample_history import NoSamplesError, SearchLimitError
from ecg.urgency import AlarmPriority, AlarmState
from ops.problems import ProblemError, responses
from web.access import Responder, Viewer
from web.live.summary import RankedAlert
from web.parts import Parts
from web.past.strips import MEDIA_TYPES, Form, Sampled, StripView, drawn, view_of
from web.routes.drawing import DRAWN, in_thread
from web.routes.times import FromNs, ToNs

MAX_PAGE = 500
AlarmId = Annotated[str, Query(min_length=1, max_length=400, description="The alarm's id.")]


class Alarms(BaseModel):
    """Alarms as they stand. ``next`` is the ``after`` of the page that follows; null on the last."""

    alarms: list[RankedAlert]
    next: str | None


class Life(BaseModel):
    """An alarm's whole life: its messages, what people asked for, and how many messages the history lacks."""

    alarm: Alert
    events: list[Alert]
    actions: list[AlertCommand]
    missing: int


class Asked(BaseModel):
    """A command about an alarm, or about all of a patient's.

    Attributes
    ----------
    action : "acknowledge", "silence" or "unsilence"
    alert, patient : the alarm's id, or the patient whose all are meant; one of the two
    minutes : how long a silence lasts, in the recording's time
    id : under which it takes effect once, however often it is sent; one is made where none is given
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    action: Annotated[str, Field(pattern="^(acknowledge|silence|unsilence)$")]
    alert: Annotated[str, Field(min_length=1, max_length=400)] | None = None
    patient: Annotated[str, Field(min_length=1, max_length=128)] | None = None
    minutes: Annotated[float, Field(gt=0, le=1440)] | None = None
    id: Annotated[str, Field(min_length=1, max_length=200)] | None = None


class Sent(BaseModel):
    """A command that was sent."""

    command: AlertCommand


class Answered(BaseModel):
    """The alarms that a command was about, as they stand after it."""

    alarms: list[Alert]


_ANSWERED: dict[int | str, dict[str, Any]] = {
    200: {"model": Answered, "description": "With ``wait``: how the alarms stand now."}
}


def routes(parts: Parts) -> APIRouter:
    """The routes of this subject."""
    router = APIRouter(tags=["alarms"])
    hub, past = parts.hub, parts.past_alarms

    @router.get("/alarms", responses=responses(HTTPStatus.NOT_FOUND, HTTPStatus.SERVICE_UNAVAILABLE))
    async def alarms(
        _: Viewer,
        patient: Annotated[str | None, Query(max_length=128)] = None,
        priority: AlarmPriority | None = None,
        state: AlarmState | None = None,
        kind: AlarmKind | None = None,
        *,
        open: Annotated[bool, Query(description="Only those that are open: live, the most urgent first.")] = False,  # noqa: A002 # the interface's word
        from_ns: FromNs = None,
        to_ns: ToNs = None,
        limit: Annotated[int, Query(ge=1, le=MAX_PAGE)] = 100,
        after: Annotated[str | None, Query(max_length=400, description="``next`` of the page before.")] = None,
    ) -> Alarms:
        """Alarms as they stand: those that are open, or the history's, the one with the newest onset first."""
        wanted = Wanted(patient=patient, priority=priority, state=state, kind=kind, from_ns=from_ns, to_ns=to_ns)
        if open:
            found = sorted((one for one in hub.ward.open_alarms() if _is_wanted(one, wanted)), key=urgency_of)
            return Alarms(alarms=[RankedAlert.of(one) for one in found], next=None)
        page = await past.ask(lambda history: history.page(wanted, limit=limit, after=after))
        return Alarms(alarms=[RankedAlert.of(one) for one in page], next=page[-1].id if len(page) == limit else None)

    @router.get("/alarms/life", responses=responses(HTTPStatus.NOT_FOUND, HTTPStatus.SERVICE_UNAVAILABLE))
    async def life(_: Viewer, id: AlarmId) -> Life:  # noqa: A002 # the interface's word
        """An alarm from its start on."""
        found = await past.ask(lambda history: history.life(id))
        return Life(alarm=found.newest, events=list(found.events), actions=list(found.actions), missing=found.missing)

    @router.get(
        "/alarms/strip",
        response_model=StripView,
        responses=responses(HTTPStatus.NOT_FOUND, HTTPStatus.SERVICE_UNAVAILABLE) | DRAWN,
    )
    async def strip(_: Viewer, id: AlarmId, format: Form = "json") -> Any:  # noqa: A002 # the interface's words
        """The strip around an alarm's onset."""
        found = await _strip(parts, id)
        end_ns = found.start_ns + round(len(found.samples) / found.fs_hz * 1e9)
        verdicts = await parts.past.verdicts(found.patient, found.start_ns, end_ns)
        if format == "json":
            return view_of(found, verdicts)
        return Response(await in_thread(drawn, found, verdicts, format), media_type=MEDIA_TYPES[format])

    @router.post(
        "/alert-commands",
        status_code=status.HTTP_202_ACCEPTED,
        response_model=Sent,
        responses=_ANSWERED
        | responses(HTTPStatus.CONFLICT, HTTPStatus.SERVICE_UNAVAILABLE, HTTPStatus.GATEWAY_TIMEOUT),
    )
    async def do(
        caller: Responder,
        asked: Asked,
        *,
        wait: Annotated[bool, Query(description="Wait for what alerting says, up to ten seconds.")] = False,
    ) -> Any:
        """Acknowledge or silence an alarm, or give it its sound back."""
        try:
            sent = command(
                asked.action,
                alert=asked.alert,
                patient=asked.patient,
                by=caller.name,
                minutes=asked.minutes,
                identity=asked.id,
            )
        except CommandError as error:
            raise ProblemError(HTTPStatus.UNPROCESSABLE_ENTITY, str(error)) from error
        if not wait:
            return Sent(command=await parts.commander.send(sent))
        answer = Answered(alarms=await parts.commander.send_and_wait(sent))
        return Response(answer.model_dump_json(), media_type="application/json")

    return router


def _is_wanted(alert: Alert, wanted: Wanted) -> bool:
    return (
        wanted.patient in {None, alert.patient}
        and wanted.priority in {None, alert.priority}
        and wanted.state in {None, alert.state}
        and wanted.kind in {None, alert.kind}
        and (wanted.from_ns is None or alert.onset_ns >= wanted.from_ns)
        and (wanted.to_ns is None or alert.onset_ns < wanted.to_ns)
    )


async def _strip(parts: Parts, alarm: str) -> Sampled:
    """The strip that was kept of an alarm; of one that has none yet, what the topic has."""

    def kept(history: AlarmHistory) -> tuple[AlarmStrip | None, str, Alert]:
        return history.strip(alarm), history.lack_of_strip(alarm), history.life(alarm).newest

    found, lack, alert = await parts.past_alarms.ask(kept)
    if found is not None:
        return found
    try:
        return await parts.past.samples(alert.patient, alert.onset_ns - BEFORE_NS, alert.onset_ns + AFTER_NS)
    except (NoSamplesError, SearchLimitError) as error:
        raise ProblemError(HTTPStatus.NOT_FOUND, f"the alarm has no strip: {lack}: {error}") from error
