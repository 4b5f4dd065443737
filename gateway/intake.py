"""Taking chunks in: each sample goes to Kafka once, and its device hears of it when Kafka has it.

What is stored is what the topic says. Whoever is new to a stream (a new connection, a gateway that was started anew, a
request of its own) looks there first; from then on it knows, since a device sends over one connection at a time. So it
does not matter which gateway a device comes back to, nor whether the last one lived to acknowledge what it stored.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Sequence
from dataclasses import dataclass, field

from bus import topics
from bus.clients import BrokerError
from bus.interfaces import Headers, Outgoing, Publisher
from bus.publisher import UnderWayError
from bus.recent_samples import MAX_BYTES, Recent, RecentSamples
from bus.samples import Chunk, check_patient, encode
from bus.stream_search import SearchLimitError
from gateway.device_clock import ClockState, DeviceClock
from gateway.metrics import GatewayMetrics, Way
from gateway.positions import Positions
from gateway.refusals import RefusedError, check_time
from gateway.senders import Sender
from gateway.settings import GatewaySettings
from ops.clock import Clock

SKEW_S = 2.0  # by which the clocks of brokers and gateways may differ
IDLE_S = 60.0  # after which a stream is forgotten; the topic knows it
NOTHING = Recent(chunks=(), read_bytes=MAX_BYTES)  # found, where too much would have to be read

Key = tuple[str, str]  # patient and device


class Session:
    """One connection, or one request: within it chunks come in order, and from one place."""

    __slots__ = ()


@dataclass(slots=True, kw_only=True)
class Sent:
    """A message that was handed to Kafka's client.

    Attributes
    ----------
    word : Kafka's, to be awaited as often as one likes
    done : whether it has been heard
    """

    word: Awaitable[None]
    done: bool = False


@dataclass(slots=True, kw_only=True)
class Handed:
    """A chunk on its way to Kafka.

    Attributes
    ----------
    chunk : as it came
    stored, repeated, lost : samples that are stored with it, were stored before, and are missing before it
    next_index : of its stream when it is stored
    messages : of its parts that are stored
    """

    chunk: Chunk
    stored: int
    repeated: int
    lost: int
    next_index: int
    messages: list[Sent]
    arrived_s: float


@dataclass(slots=True, kw_only=True)
class _Stream:
    """State of one patient's device."""

    positions: Positions | None = None
    session: Session | None = None
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    under_way: deque[Sent] = field(default_factory=deque)
    clock: DeviceClock = field(default_factory=DeviceClock)
    heard_s: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamState:
    """State of a patient's stream from a device.

    Attributes
    ----------
    next_index : the index after the last sample that is stored; None where none of it is found
    clock : of the device, where it sent to this gateway lately
    """

    next_index: int | None
    clock: ClockState | None


class Intake:
    """Takes chunks of all devices in.

    Parameters
    ----------
    publisher : to Kafka, acknowledged by all replicas and idempotent
    recent : reads back what is stored
    """

    def __init__(
        self,
        publisher: Publisher,
        recent: RecentSamples,
        settings: GatewaySettings,
        *,
        metrics: GatewayMetrics,
        clock: Clock,
    ) -> None:
        self._publisher = publisher
        self._recent = recent
        self._settings = settings
        self._metrics = metrics
        self._clock = clock
        self._streams: dict[Key, _Stream] = {}

    async def hand_over(
        self, session: Session, sender: Sender, chunk: Chunk, *, way: Way, trace: Headers = ()
    ) -> Handed:
        """Hand what is new of a chunk to Kafka's client, in the order of the calls for one stream.

        Parameters
        ----------
        session : over which it came
        sender : whose it is
        way : how it came, for the metrics
        trace : its trace context, which travels on with it

        Raises
        ------
        RefusedError : when the device may not send it
        BadChunkError : when it contradicts itself
        BrokerError : when Kafka does not take it or does not say what it has
        """
        arrived_s = self._clock.monotonic_s()
        self._check(sender, chunk)
        key = chunk.patient, chunk.device
        if (stream := self._streams.get(key)) is None:
            stream = self._streams[key] = _Stream()
        async with stream.lock:
            stream.heard_s = arrived_s
            parts: Sequence[Chunk] = (chunk,)
            positions, lost = stream.positions if stream.session is session else None, 0
            goes_on = positions is not None and positions.go_on(chunk)
            if positions is None or not goes_on:
                if positions is None or not (positions.is_certain_of(chunk) or positions.next_index is None):
                    positions = await self._read_back(stream, sender, chunk)
                    stream.positions, stream.session = positions, session
                lost, parts = positions.lost_before(chunk), positions.not_stored(chunk)
            try:
                messages = await self._publish(stream, parts, trace)
            except BaseException:
                stream.positions = None  # which may say now what is not so: the topic is asked anew
                raise
            if not goes_on:
                for part in parts:
                    positions.add(part)
                messages = list(stream.under_way)  # what came again may be under way
            stored = sum(len(part.samples) for part in parts)
            self._count(stream, chunk, stored=stored, lost=lost, way=way)
            return Handed(
                chunk=chunk,
                stored=stored,
                repeated=len(chunk.samples) - stored,
                lost=lost,
                next_index=positions.next_index or 0,
                messages=messages,
                arrived_s=arrived_s,
            )

    async def stored(self, handed: Handed) -> None:
        """Wait until Kafka has a chunk.

        Raises
        ------
        BrokerError : when it does not say so in time; whether it is stored is looked for when it comes again
        """
        key = handed.chunk.patient, handed.chunk.device
        stream = self._streams.get(key)
        for sent in handed.messages:
            try:
                await self._wait(stream, sent)
            except BrokerError:
                self._metrics.failed.inc()
                raise
        self._metrics.ack_seconds.observe(self._clock.monotonic_s() - handed.arrived_s)

    async def state(self, sender: Sender, patient: str) -> StreamState:
        """Return what is stored of a patient's stream from a device, by the topic.

        Raises
        ------
        RefusedError : when the device may not send for the patient
        BrokerError : when Kafka does not answer
        """
        self._check_patient(sender, patient)
        key = patient, sender.name
        stream = self._streams.get(key)
        if stream is not None:
            async with stream.lock:
                await self._settle(stream)
        since_ms = self._clock.now_ns() // 1_000_000 - round(1000 * self._settings.past_s)
        try:
            found = await self._recent.back_to(
                patient, since_ms=since_ms, enough=lambda chunks: any(each.device == sender.name for each in chunks)
            )
        except SearchLimitError:
            found = NOTHING
        sender.charge_reading(found.read_bytes)
        positions = Positions(chunk for chunk in found.chunks if chunk.device == sender.name)
        return StreamState(next_index=positions.next_index, clock=stream.clock.state if stream else None)

    def forget_idle(self) -> None:
        """Forget streams of which nothing came for long: to be called now and then."""
        now_s = self._clock.monotonic_s()
        idle = [
            key
            for key, stream in self._streams.items()
            if now_s - stream.heard_s > IDLE_S
            and not stream.lock.locked()
            and all(sent.done for sent in stream.under_way)
        ]
        for key in idle:
            del self._streams[key]
        self._metrics.streams.set(len(self._streams))

    def _check(self, sender: Sender, chunk: Chunk) -> None:
        self._check_patient(sender, chunk.patient)
        check_time(chunk, self._clock.now_ns(), future_s=self._settings.future_s, past_s=self._settings.past_s)

    @staticmethod
    def _check_patient(sender: Sender, patient: str) -> None:
        check_patient(patient)
        if not sender.device.may_send_for(patient):
            raise RefusedError(
                "patient",
                f"the token of {sender.name!r} is not for patient {patient!r}: send with that patient's token, or add "
                "the patient to the device's entry",
            )

    async def _publish(self, stream: _Stream, parts: Sequence[Chunk], trace: Headers) -> list[Sent]:
        messages = []
        for part in parts:
            key = part.patient.encode()
            partition = self._recent.partition_of(part.patient)
            message = Outgoing(topic=topics.SAMPLES, key=key, value=encode(part), partition=partition, headers=trace)
            sent = Sent(word=await self._publisher.send(message))
            stream.under_way.append(sent)
            messages.append(sent)
        return messages

    def _count(self, stream: _Stream, chunk: Chunk, *, stored: int, lost: int, way: Way) -> None:
        if stored:
            self._metrics.delay_seconds.observe(stream.clock.see(chunk, self._clock.now_ns()))
            self._metrics.chunks_by[way].inc()
            self._metrics.samples.inc(stored)
        if (repeated := len(chunk.samples) - stored) > 0:
            self._metrics.repeated.inc(repeated)
        if lost:
            self._metrics.lost.inc(lost)

    async def _read_back(self, stream: _Stream, sender: Sender, chunk: Chunk) -> Positions:
        """See in the topic what is stored that may be of a chunk's stream."""
        await self._settle(stream)
        began_s = self._clock.monotonic_s()
        # Nothing was stored before it was taken, by a clock that is ahead by no more than is allowed.
        since_ns = chunk.start_ns - round(1e9 * (self._settings.future_s + SKEW_S))

        def positions_in(chunks: Sequence[Chunk]) -> Positions:
            return Positions(each for each in chunks if each.device == chunk.device)

        try:
            found = await self._recent.back_to(
                chunk.patient,
                since_ms=since_ns // 1_000_000,
                enough=lambda chunks: positions_in(chunks).is_certain_of(chunk),
            )
        except SearchLimitError:
            self._metrics.unsettled.inc()
            found = NOTHING
        positions = positions_in(found.chunks)
        positions.reach_back_to(chunk)
        self._metrics.read_back_seconds.observe(self._clock.monotonic_s() - began_s)
        sender.charge_reading(found.read_bytes)
        return positions

    async def _settle(self, stream: _Stream) -> None:
        """Wait until nothing of a stream is under way: what failed is not in the topic, and will not be."""
        while stream.under_way:
            sent = stream.under_way[0]
            try:
                await self._wait(stream, sent)
            except UnderWayError:
                raise
            except BrokerError:
                continue

    async def _wait(self, stream: _Stream | None, sent: Sent) -> None:
        if sent.done:
            return
        try:
            await sent.word
        except UnderWayError:
            raise
        except BrokerError:
            self._done(stream, sent)
            if stream is not None:
                stream.positions = None
            raise
        self._done(stream, sent)

    @staticmethod
    def _done(stream: _Stream | None, sent: Sent) -> None:
        sent.done = True
        if stream is not None:
            while stream.under_way and stream.under_way[0].done:
                stream.under_way.popleft()
