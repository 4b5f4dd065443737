"""Watchers of traces: one WebSocket each, one message made for all that watch the same.

A slow client loses its own oldest messages and is told so; nobody waits for it.
"""

import asyncio
import json
from collections import Counter, deque
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import NamedTuple

from web.live.patient import Arrived, LivePatient
from web.live.traces import Trace, Variant, caught_up
from web.metrics import WebMetrics

MAX_WAITING = 32  # messages for a client: three seconds of them
MAX_WAITING_BYTES = 4_000_000


class Watch(NamedTuple):
    """Traces that a client watches.

    Attributes
    ----------
    patients : their ids; None for all
    variant : how the traces are wanted
    """

    patients: frozenset[str] | None
    variant: Variant


class Parcel(NamedTuple):
    """A message on its way to all clients of one watch.

    Attributes
    ----------
    message : frames, one behind the other
    samples : by patient, how many of each lead
    """

    message: bytes
    samples: Counter[str]


@dataclass(slots=True, eq=False)
class LiveClient:
    """One WebSocket's queue.

    Attributes
    ----------
    waiting : what has not been sent
    dropped : by patient, samples that were dropped since they were last told of
    wake : set when there is something to send
    """

    metrics: WebMetrics
    waiting: deque[Parcel] = field(default_factory=deque)
    dropped: Counter[str] = field(default_factory=Counter)
    wake: asyncio.Event = field(default_factory=asyncio.Event)
    _bytes: int = 0

    def put(self, parcel: Parcel) -> None:
        """Queue a message, the oldest making room."""
        self.waiting.append(parcel)
        self._bytes += len(parcel.message)
        while len(self.waiting) > MAX_WAITING or (self._bytes > MAX_WAITING_BYTES and len(self.waiting) > 1):
            old = self.waiting.popleft()
            self._bytes -= len(old.message)
            self.dropped.update(old.samples)
            self.metrics.dropped_samples.inc(old.samples.total())
        self.wake.set()

    async def next(self) -> bytes | str:
        """The next message: of a loss first, as JSON, then what waits."""
        while not (self.waiting or self.dropped):
            self.wake.clear()
            await self.wake.wait()
        if self.dropped:
            patient, samples = self.dropped.popitem()
            return json.dumps({"type": "dropped", "patient": patient, "samples": samples})
        parcel = self.waiting.popleft()
        self._bytes -= len(parcel.message)
        self.metrics.live_bytes.inc(len(parcel.message))
        return parcel.message


@dataclass(slots=True)
class _Channel:
    """All clients of one watch, and what has come for them since the last message."""

    clients: set[LiveClient] = field(default_factory=set)
    frames: list[bytes] = field(default_factory=list)
    samples: Counter[str] = field(default_factory=Counter)


class Watchers:
    """All WebSockets."""

    def __init__(self, metrics: WebMetrics) -> None:
        self._metrics = metrics
        self._channels: dict[Watch, _Channel] = {}
        self._watch_of: dict[LiveClient, Watch] = {}
        self._traces: dict[tuple[str, Variant], Trace] = {}
        self._all_watched = False
        self._watched: frozenset[str] = frozenset()

    def watches(self, patient: str) -> bool:
        """Return whether anybody watches a patient."""
        return self._all_watched or patient in self._watched

    def watch(self, client: LiveClient, watch: Watch, patients: Iterable[LivePatient]) -> None:
        """Let a client watch; what it watched before, it does no longer.

        Parameters
        ----------
        patients : of the patients that are meant; their last seconds are sent first
        """
        self.leave(client)
        # What has come since the last message is in the last seconds already: it goes to the others first.
        self.send()
        channel = self._channels.setdefault(watch, _Channel())
        channel.clients.add(client)
        self._watch_of[client] = watch
        self._see_who_is_watched()
        frames, samples = [], Counter[str]()
        for live in patients:
            trace, caught = caught_up(live.recent, watch.variant)
            # One that is there may have stood still while nobody watched; this one has seen the same or more.
            self._traces[live.patient, watch.variant] = trace
            for encoded in caught:
                frames.append(encoded.frame)
                samples[live.patient] += encoded.samples
        if frames:
            client.put(Parcel(b"".join(frames), samples))

    def leave(self, client: LiveClient) -> None:
        """Forget what a client watches."""
        watch = self._watch_of.pop(client, None)
        if watch is None:
            return
        channel = self._channels[watch]
        channel.clients.discard(client)
        if not channel.clients:
            del self._channels[watch]
            self._see_who_is_watched()
            wanted = {left.variant for left in self._channels}
            if watch.variant not in wanted:
                self._traces = {key: trace for key, trace in self._traces.items() if key[1] in wanted}

    def _see_who_is_watched(self) -> None:
        named = [watch.patients for watch in self._channels if watch.patients is not None]
        self._all_watched = len(named) < len(self._channels)
        self._watched = frozenset().union(*named)

    def arrived(self, arrived: Arrived) -> bool:
        """Encode new samples for those who watch them; whether anybody does."""
        patient = arrived.chunk.patient
        wanted: dict[Variant, list[_Channel]] = {}
        for watch, channel in self._channels.items():
            if watch.patients is None or patient in watch.patients:
                wanted.setdefault(watch.variant, []).append(channel)
        for variant, channels in wanted.items():
            trace = self._traces.get((patient, variant))
            if trace is None:
                trace = self._traces[patient, variant] = Trace(variant)
            encoded = trace.frame(arrived)
            if encoded is None:
                continue
            self._metrics.live_frames.inc()
            for channel in channels:
                channel.frames.append(encoded.frame)
                channel.samples[patient] += encoded.samples
        return bool(wanted)

    def send(self) -> None:
        """Make a message of what has come for each watch, and queue it for its clients."""
        for channel in self._channels.values():
            if channel.frames:
                parcel = Parcel(b"".join(channel.frames), channel.samples)
                channel.frames, channel.samples = [], Counter()
                for client in channel.clients:
                    client.put(parcel)

    @property
    def clients(self) -> int:
        """Return how many watch."""
        return len(self._watch_of)
