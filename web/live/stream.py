"""One event stream from its first event to its end."""

import json
from collections.abc import AsyncIterator, Sequence

from alerting.commanding import urgency_of
from bus.clients import BrokerError
from web.live.broadcaster import Kind, Listener, encode_event, summaries_json
from web.live.hub import Hub
from web.live.positions import Positions
from web.live.summary import ranked_json
from web.metrics import WebMetrics

AT_ONCE = 500  # patients that are told of in one event: some 300 kB


async def event_stream(
    hub: Hub, metrics: WebMetrics, *, patient: str | None, kinds: frozenset[Kind], after: Positions | None
) -> AsyncIterator[bytes]:
    """Yield events, from ``hello`` on.

    Parameters
    ----------
    hub, metrics : what to tell of, and what to count on
    patient : of this one alone; None for all
    kinds : what to tell
    after : how far somebody was told before the line broke; None for who comes anew
    """
    if hub.line != "connected":
        yield encode_event("status", json.dumps({"kafka": hub.line}))
    if not await hub.alarms_known():
        return
    reached = hub.events.positions
    resumed = after is not None and after.cluster == reached.cluster
    listener = Listener(metrics, patient, kinds, after if after is not None and resumed else reached.copy())
    missed = listener.positions.behind(reached.offsets)
    hub.events.listeners.add(listener)
    try:
        there = [place.patient for place in hub.ward.places()] if patient is None else [patient]
        yield hello(hub, listener, there[:AT_ONCE], resumed=resumed)
        kept = hub.events.kept_since(missed)
        if kept is not None:
            yield b"".join(listener.alarm_events(kept))
        else:
            try:
                async for alarm in hub.alarms_since(missed):
                    yield b"".join(listener.alarm_events([alarm]))
            except BrokerError:  # the client comes again, with the id that it has
                return
        if "patients" in kinds:  # in lots: between two of them others get their turn
            for begin in range(AT_ONCE, len(there), AT_ONCE):
                yield encode_event("patients", _summaries(hub, there[begin : begin + AT_ONCE]))
        while (waiting := await listener.next()) is not None:
            yield waiting
    finally:
        hub.events.listeners.discard(listener)


def hello(hub: Hub, listener: Listener, patients: Sequence[str], *, resumed: bool) -> bytes:
    """Return the first event: all open alarms and the most urgent patients; the others follow.

    Parameters
    ----------
    hub : what to tell of
    listener : who is told
    patients : the most urgent ones
    resumed : whether the stream goes on where it broke off; then what was missed follows
    """
    wanted = listener.patient
    alarms = sorted((alert for alert in hub.ward.open_alarms() if wanted in {None, alert.patient}), key=urgency_of)
    data = (
        f'{{"kafka":"{hub.line}","resumed":{json.dumps(resumed)},'
        f'"alarms":[{",".join(ranked_json(alert, alert.to_bytes()) for alert in alarms)}],'
        f'"patients":{_summaries(hub, patients)}}}'
    )
    return encode_event("hello", data, None if resumed else listener.positions)


def _summaries(hub: Hub, patients: Sequence[str]) -> str:
    """Those of them who are there still."""
    return summaries_json(hub.ward.summary(patient) for patient in patients if patient in hub.ward.patients)
