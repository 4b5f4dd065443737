"""One event stream from its first event to its end."""

import json
from collections.abc import AsyncIterator

from bus.clients import BrokerError
from web.live.hub import Hub
from web.live.positions import Positions
from web.live.summary import by_urgency, urgency_of
from web.live.telling import Kind, Listener, encode_event, summaries_json
from web.metrics import WebMetrics


async def event_stream(
    hub: Hub, metrics: WebMetrics, *, patient: str | None, kinds: frozenset[Kind], after: Positions | None
) -> AsyncIterator[bytes]:
    """What is told, from ``hello`` on.

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
    reached = hub.telling.positions
    resumed = after is not None and after.cluster == reached.cluster
    listener = Listener(metrics, patient, kinds, after if after is not None and resumed else reached.copy())
    missed = listener.positions.behind(reached.offsets)
    hub.telling.listeners.add(listener)
    try:
        yield hello(hub, listener, resumed=resumed)
        kept = hub.telling.kept_since(missed)
        if kept is not None:
            yield b"".join(listener.told(kept))
        else:
            try:
                async for alarm in hub.alarms_since(missed):
                    yield b"".join(listener.told([alarm]))
            except BrokerError:  # the client comes again, with the id that it has
                return
        while (told := await listener.next()) is not None:
            yield told
    finally:
        hub.telling.listeners.discard(listener)


def hello(hub: Hub, listener: Listener, *, resumed: bool) -> bytes:
    """How everything stands: all open alarms and all patients, the most urgent first.

    Parameters
    ----------
    hub : what to tell of
    listener : who is told
    resumed : whether the stream goes on where it broke off; then what was missed follows
    """
    wanted = listener.patient
    alarms = sorted((alert for alert in hub.ward.open_alarms() if wanted in {None, alert.patient}), key=urgency_of)
    patients = by_urgency(one for one in hub.ward.summaries() if wanted in {None, one.patient})
    data = (
        f'{{"kafka":"{hub.line}","resumed":{json.dumps(resumed)},'
        f'"alarms":[{",".join(alert.model_dump_json() for alert in alarms)}],'
        f'"patients":{summaries_json(patients)}}}'
    )
    return encode_event("hello", data, None if resumed else listener.positions)
