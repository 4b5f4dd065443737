"""Broadcast of alarms, verdicts and changes: one server-sent event stream for each listener.

No alarm is ever left out: a client whose queue is full is cut off, and goes on where it was when it comes back.
Verdicts and changes of the ward may be left out: the newest is what counts.
"""

import asyncio
import json
from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple, get_args

from web.live.positions import Positions
from web.live.summary import PatientSummary
from web.metrics import WebMetrics

MAX_ALARMS = 1000  # waiting for one client
MAX_OTHERS = 100  # lots of other events: half a minute of them
KEPT_ALARMS = 5000  # that the hub remembers: who comes back soon needs no Kafka

Kind = Literal["alarm", "verdict", "patients"]
KINDS: frozenset[Kind] = frozenset(get_args(Kind))


class AlarmEvent(NamedTuple):
    """A message about an alarm, and where it stands on the topic.

    Attributes
    ----------
    partition, offset : where
    """

    patient: str
    partition: int
    offset: int
    value: str


class _Pending(NamedTuple):
    """An event that goes out with the next ``flush``; to all where ``kind`` is None."""

    kind: Kind | None
    patient: str | None
    encoded: bytes


def encode_event(kind: str, data: str, identity: Positions | None = None) -> bytes:
    """An event as it goes over the line; ``data`` is JSON, which has no line break."""
    named = f"id: {identity}\r\n" if identity is not None else ""
    return f"{named}event: {kind}\r\ndata: {data}\r\n\r\n".encode()


@dataclass(slots=True, eq=False)
class Listener:
    """One event stream's queue.

    Attributes
    ----------
    patient : of whom it wants to hear; None for all
    kinds : what it wants to hear
    positions : how far it has been told
    cut_off : whether it was too slow for its alarms, or the service ends
    """

    metrics: WebMetrics
    patient: str | None
    kinds: frozenset[Kind]
    positions: Positions
    cut_off: bool = False
    _alarms: deque[AlarmEvent] = field(default_factory=deque)
    _others: deque[bytes] = field(default_factory=deque)
    _wake: asyncio.Event = field(default_factory=asyncio.Event)

    def wants(self, kind: Kind, patient: str | None) -> bool:
        """Return whether something is for it."""
        return kind in self.kinds and self.patient in {None, patient}

    def put_alarm(self, alarm: AlarmEvent) -> None:
        """Queue an alarm; cut the client off when it is too slow."""
        if len(self._alarms) >= MAX_ALARMS:
            self.metrics.listeners_cut_off.inc()
            self.cut_off = True
        self._alarms.append(alarm)
        self._wake.set()

    def put(self, encoded: bytes) -> None:
        """Queue something else; the oldest makes room."""
        if len(self._others) >= MAX_OTHERS:
            self._others.popleft()
            self.metrics.dropped_events.inc()
        self._others.append(encoded)
        self._wake.set()

    def end(self) -> None:
        """Let the stream end."""
        self.cut_off = True
        self._wake.set()

    @property
    def depth(self) -> int:
        """Return how many events wait."""
        return len(self._alarms) + len(self._others)

    async def next(self) -> bytes | None:
        """All that waits, alarms first; None when the stream ends."""
        while not (self._alarms or self._others or self.cut_off):
            self._wake.clear()
            await self._wake.wait()
        if self.cut_off:
            return None
        parts = []
        while self._alarms:
            parts.extend(self.alarm_events([self._alarms.popleft()]))
        parts.extend(self._others)
        self._others.clear()
        return b"".join(parts)

    def alarm_events(self, alarms: Iterable[AlarmEvent]) -> list[bytes]:
        """Events of alarms that it has not been told of, each under the id from which it goes on after it."""
        return [
            encode_event("alarm", alarm.value, self.positions)
            for alarm in alarms
            if self.positions.passes(alarm.partition, alarm.offset) and self.wants("alarm", alarm.patient)
        ]


class EventBroadcaster:
    """All event streams, and the alarms that were told last.

    Parameters
    ----------
    cluster : the beginning of Kafka's cluster id

    Attributes
    ----------
    listeners : the streams
    positions : how far alarms have been told
    """

    def __init__(self, metrics: WebMetrics, cluster: str = "") -> None:
        self._metrics = metrics
        self._kept: deque[AlarmEvent] = deque()
        self._forgotten: dict[int, int] = {}
        self._pending: list[_Pending] = []
        self._changed: list[PatientSummary] = []
        self.listeners: set[Listener] = set()
        self.positions = Positions(cluster)

    def alarm(self, alarm: AlarmEvent) -> None:
        """Tell of an alarm."""
        if not self.positions.passes(alarm.partition, alarm.offset):
            return
        self._kept.append(alarm)
        if len(self._kept) > KEPT_ALARMS:
            old = self._kept.popleft()
            self._forgotten[old.partition] = old.offset + 1
        for listener in self.listeners:
            listener.put_alarm(alarm)

    def verdict(self, patient: str, value: bytes) -> None:
        """Tell of a verdict, with the next ``flush``."""
        if self.listeners:
            self._pending.append(_Pending("verdict", patient, encode_event("verdict", value.decode())))

    def changed(self, summaries: Sequence[PatientSummary]) -> None:
        """Tell which patients have changed, with the next ``flush``."""
        if self.listeners and summaries:
            self._changed.extend(summaries)

    def say(self, kind: str, data: dict[str, Any]) -> None:
        """Tell everybody how the service stands, with the next ``flush``."""
        self._pending.append(_Pending(None, None, encode_event(kind, json.dumps(data))))

    def flush(self) -> None:
        """Send what has gathered; it is put together once for all that want the same."""
        made: dict[tuple[str | None, frozenset[Kind]], bytes] = {}
        for listener in self.listeners:
            key = (listener.patient, listener.kinds)
            if key not in made:
                made[key] = self._gathered(listener)
            if made[key]:
                listener.put(made[key])
        self._pending.clear()
        self._changed.clear()

    def _gathered(self, listener: Listener) -> bytes:
        parts = [one.encoded for one in self._pending if one.kind is None or listener.wants(one.kind, one.patient)]
        changed = [one for one in self._changed if listener.wants("patients", one.patient)]
        if changed:
            parts.append(encode_event("patients", summaries_json(changed)))
        return b"".join(parts)

    def kept_since(self, wanted: dict[int, int]) -> list[AlarmEvent] | None:
        """The alarms from some offsets on, in the order in which they came; None when they reach too far back.

        Parameters
        ----------
        wanted : by partition, the first offset
        """
        if any(offset < self._forgotten.get(partition, 0) for partition, offset in wanted.items()):
            return None
        return [alarm for alarm in self._kept if alarm.offset >= wanted.get(alarm.partition, alarm.offset + 1)]


def summaries_json(summaries: Iterable[PatientSummary]) -> str:
    """Summaries as a JSON list."""
    return "[" + ",".join(one.model_dump_json() for one in summaries) + "]"
