"""The replay's loop: many patients through one bus, each chunk when a live device would have sent it."""

import asyncio
import heapq
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from bus import topics
from bus.interfaces import Outgoing, Publisher
from bus.samples import Chunk, encode
from ecg.errors import EcgStreamError
from ecg.records import Float32Array, Record
from ecg.windows import HOP_S
from ops.clock import Clock
from producer.injection import noise_by_record, with_faults
from producer.metrics import ReplayMetrics
from producer.settings import FaultSettings, ReplaySettings
from producer.streams import Patient, cut

# Messages due within a tick go together, none later than that: at 500 patients it halves the CPU against 5 ms,
# because the client then sends a few large batches. Latency counts from the hand-over and does not grow.
TICK_S = 0.02
# Nobody on a ward is connected at the same instant: without it all windows would fall due at once, every hop.
BEGIN_WITHIN_NS = HOP_S * 1_000_000_000
GOLDEN_PPB = 618_033_989  # steps of the golden ratio lie evenly in any interval, however many they are
LISTEN_S = 0.1  # a stop is heard after that long at most
CHECK_S = 1.0  # how often failed sends are looked for, and progress is told
_YIELD_EVERY = 64  # messages after which the event loop's other tasks get their turn


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """Progress of a replay.

    Attributes
    ----------
    patients : patients whose stream still runs
    chunks, samples, bytes : handed over so far; samples of all leads of one instant count once
    replayed_s : seconds of record time of the patient that is furthest
    elapsed_s : wall time since the start, seconds
    behind_s : how much later than its schedule the last chunk went, seconds (0 at speed "max")
    """

    patients: int
    chunks: int
    samples: int
    bytes: int
    replayed_s: float
    elapsed_s: float
    behind_s: float


class Replay:
    """Sends the streams of many patients.

    Every chunk has its place on a schedule fixed at the start: when its last sample was taken, by the pace. Patients
    begin one after the other within ``BEGIN_WITHIN_NS``, so that the load is even. Who falls behind sends what is due
    at once, and drops nothing.

    Parameters
    ----------
    patients : who is replayed; no two ids alike
    settings : pace and chunks
    publisher : the bus
    clock : paces the replay, and gives the start where the settings give none
    metrics : what is counted
    faults : what goes wrong; by default nothing
    noise : the noise record that ``faults`` names

    Raises
    ------
    EcgStreamError : when two patients share an id, or the noise that the faults name is not given
    """

    def __init__(
        self,
        patients: Sequence[Patient],
        settings: ReplaySettings,
        *,
        publisher: Publisher,
        clock: Clock,
        metrics: ReplayMetrics,
        faults: FaultSettings | None = None,
        noise: Record | None = None,
    ) -> None:
        if len({patient.id for patient in patients}) < len(patients):
            raise EcgStreamError("two patients share an id, and would mix in one stream: give each record once")
        if faults is not None and faults.noise is not None and noise is None:
            raise EcgStreamError(
                f"noise={faults.noise!r} needs its record: fetch nstdb with 'ecgstream data fetch nstdb'"
            )
        self._patients = patients
        self._settings = settings
        self._publisher = publisher
        self._clock = clock
        self._metrics = metrics
        self._faults = faults
        self._noise = noise if faults is not None and faults.noise is not None else None
        self._streams: list[Iterator[Chunk]] = []
        self._due: list[tuple[float, int, Chunk]] = []
        self._began_s = 0.0
        self._checked_s = 0.0
        self._behind_s = self._replayed_s = 0.0
        self._chunks = self._samples = self._bytes = 0
        self._published = (0, 0, 0)

    async def run(self, stop: asyncio.Event, progress: Callable[[Progress], None] = lambda _: None) -> Progress:
        """Replay until every stream has ended or a stop is asked for; what was sent is then on the bus.

        Parameters
        ----------
        stop : set it to end the replay
        progress : called about every second
        """
        self._began_s = self._clock.monotonic_s()
        self._lay_out(self._start_ns() if self._settings.start_ns is None else self._settings.start_ns)
        until_s = 0.0
        while self._due and not stop.is_set():
            elapsed_s = self._elapsed_s()
            if elapsed_s - self._checked_s >= CHECK_S:
                self._checked_s = elapsed_s
                await self._publisher.flush()  # a message that was not stored is told here, and not at the very end
                progress(self._publish_metrics())
            if self._settings.speed == "max":
                await self._send_some(float("inf"))
            elif self._due[0][0] <= until_s:
                await self._send_some(until_s)
            else:
                # All that was due when the clock was read has gone. What came due since waits for its tick, or else
                # it would dribble out in messages one by one; only who is far behind goes on at once.
                if (wait_s := self._due[0][0] - elapsed_s) > -TICK_S:
                    await self._clock.sleep(min(max(wait_s, TICK_S), LISTEN_S))
                until_s = self._elapsed_s()
        await self._publisher.flush()
        last = self._publish_metrics()
        progress(last)
        return last

    def _elapsed_s(self) -> float:
        return self._clock.monotonic_s() - self._began_s

    def _start_ns(self) -> int:
        """Time of the first sample, ns UTC: now, or so long ago that a replay above real pace ends now.

        No device's clock runs ahead of the broker's for long, and who claims so is not believed. A stream without an
        end has no such beginning: it starts now, and above real pace runs ahead.
        """
        now_ns, speed = self._clock.now_ns(), self._settings.speed
        share = 1.0 if speed == "max" else max(0.0, 1 - 1 / speed)  # of the record's time that no time passes for
        lengths_ns = [
            end * 1_000_000_000 / patient.record.fs_hz + self.begins_after_ns(number)
            for number, patient in enumerate(self._patients)
            if (end := patient.end) is not None
        ]
        if len(lengths_ns) < len(self._patients):
            return now_ns
        return now_ns - round(max(lengths_ns) * share)

    def _lay_out(self, start_ns: int) -> None:
        noises: Mapping[str, Float32Array] = {}
        if self._noise is not None and self._faults is not None:
            noises = noise_by_record(self._patients, self._noise, self._faults.snr_db)
        for number, patient in enumerate(self._patients):
            begins_ns = start_ns + self.begins_after_ns(number)
            stream = cut(patient, chunk_ms=self._settings.chunk_ms, start_ns=begins_ns)
            if self._faults is not None:
                stream = with_faults(stream, patient, self._faults, noise_mv=noises.get(patient.record.name))
            self._streams.append(stream)
            self._schedule(number, after_s=0.0)

    def _schedule(self, number: int, *, after_s: float) -> None:
        """Put the patient's next chunk on the schedule, if there is one; never before the one sent last."""
        chunk = next(self._streams[number], None)
        if chunk is None:
            return
        speed = 1.0 if self._settings.speed == "max" else self._settings.speed
        due_s = (chunk.end_index / chunk.fs_hz + self.begins_after_ns(number) / 1e9) / speed
        heapq.heappush(self._due, (max(due_s, after_s), number, chunk))

    @staticmethod
    def begins_after_ns(number: int) -> int:
        """Return how much later than the first patient another begins, in its own time as in the pace."""
        return BEGIN_WITHIN_NS * (number * GOLDEN_PPB % 10**9) // 10**9

    async def _send_some(self, until_s: float) -> None:
        """Send what is due, but not more than leaves the event loop's other tasks their turn."""
        for _ in range(_YIELD_EVERY):
            if not self._due or self._due[0][0] > until_s:
                break
            due_s, number, chunk = heapq.heappop(self._due)
            value = encode(chunk)
            await self._publisher.send(Outgoing(topic=topics.SAMPLES, key=chunk.patient.encode(), value=value))
            self._chunks += 1
            self._samples += len(chunk.samples)
            self._bytes += len(value)
            self._replayed_s = max(self._replayed_s, chunk.end_index / chunk.fs_hz)
            self._behind_s = 0.0 if self._settings.speed == "max" else max(self._elapsed_s() - due_s, 0.0)
            self._schedule(number, after_s=due_s)
        await asyncio.sleep(0)

    def _publish_metrics(self) -> Progress:
        """Bring the metrics up to date."""
        now = (self._chunks, self._samples, self._bytes)
        counters = (self._metrics.chunks, self._metrics.samples, self._metrics.bytes)
        for counter, value, published in zip(counters, now, self._published, strict=True):
            counter.inc(value - published)
        self._published = now
        self._metrics.patients.set(len(self._due))
        self._metrics.behind_seconds.set(self._behind_s)
        return Progress(
            patients=len(self._due),
            chunks=self._chunks,
            samples=self._samples,
            bytes=self._bytes,
            replayed_s=self._replayed_s,
            elapsed_s=self._elapsed_s(),
            behind_s=self._behind_s,
        )
