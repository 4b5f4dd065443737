"""The patients of one input partition: who is followed, who is dormant, and where to resume."""

import heapq
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import islice

from bus import topics
from bus.dead_letters import Refusal
from bus.interfaces import Received
from bus.progress_store import ProgressRecord
from bus.quarantine import Quarantine
from bus.samples import Chunk
from detector import progress
from detector.due import Due, StreamId
from detector.patient import PatientContext
from detector.patient_streams import Accepted, PatientStreams
from detector.progress import Dormant
from detector.stream import PatientStream
from ecg.second_filter import FilteredSignal
from ecg.windows import HOP_S

# Not a patient id: "/" may not stand in one.
PARTITION_KEY = b"/partition"
SERVICE = "detector"
PARK_AT_ONCE = 100  # half a millisecond each
MAX_PATIENTS = 2500  # of a partition
CHUNK_WEIGHT = 0.1  # of a batch in the usual length of a chunk: senders of other lengths show within some batches
RETURN_S = 60.0  # after a crash, who has not returned by then is away


@dataclass(slots=True, kw_only=True)
class _Live:
    """A patient who is followed.

    Attributes
    ----------
    streams : its signal
    contexts, signals : of each stream of which something was judged, what it has shown and its filtered signal; of one
        that has ended, until the record is written
    heard_s : when something new came, monotonic seconds
    ring_bytes : what its rings hold, as far as ``PartitionState.ring_bytes`` counts it
    """

    streams: PatientStreams
    contexts: dict[StreamId, PatientContext] = field(default_factory=dict)
    signals: dict[StreamId, FilteredSignal] = field(default_factory=dict)
    heard_s: float
    ring_bytes: int = 0


class PartitionState:
    """The state of one input partition.

    A patient is *live* while chunks come: its streams are in memory. Before its first chunk after a restart, and once
    it has fallen silent, it is *dormant*: its progress record holds all. It is fetched from the progress topic when the
    patient returns, and kept here only until it is known where it lies there.

    Parameters
    ----------
    partitions : how many partitions the input has; None where dead letters need not find their patient's
    max_patients : how many patients may be known at a time, live and dormant
    hop_s : from one window to the next, s
    """

    def __init__(self, *, partitions: int | None = None, max_patients: int = MAX_PATIENTS, hop_s: int = HOP_S) -> None:
        self._hop_s = hop_s
        self._max_patients = max_patients
        self._live: dict[str, _Live] = {}
        self._dormant: dict[str, Dormant] = {}
        self._changed: set[str] = set()
        # The first message that each live patient needs, each once: the smallest first, and never one too large.
        self._resumes: list[tuple[int, str]] = []
        self._placed: set[str] = set()
        # Kept up where streams begin and end, so that nobody has to look at every patient.
        self.ring_bytes = 0
        self.chunk_s = 0.0
        self.next_offset = 0
        # Messages before this offset had their dead letters written, or were counted in the quarantine.
        self.reported_before = 0
        self.quarantine = Quarantine(topic=topics.DEAD_LETTERS, service=SERVICE, partitions=partitions)

    @classmethod
    def restored(
        cls,
        records: Mapping[bytes, ProgressRecord],
        *,
        partitions: int | None = None,
        max_patients: int = MAX_PATIENTS,
        hop_s: int = HOP_S,
    ) -> tuple["PartitionState", int | None]:
        """The state that progress records hold, and the offset to resume the input at (None: the beginning).

        Raises
        ------
        BadProgressError : when a record is none of this version or the one before, or of another hop
        """
        state = cls(partitions=partitions, max_patients=max_patients, hop_s=hop_s)
        resume = None
        for key, record in records.items():
            if key == PARTITION_KEY:
                fields = json.loads(record.value)
                resume = state.next_offset = int(fields["resume_offset"])
                state.reported_before = int(fields["next_offset"])
                state.quarantine.load(fields.get("refused", ()))
            else:
                state._dormant[key.decode()] = Dormant.of(record.value, record.offset, hop_s=hop_s)
        return state, resume

    def came(self, chunk_s: float) -> None:
        """Note how long the chunks of a batch are on average, s."""
        self.chunk_s += CHUNK_WEIGHT * (chunk_s - self.chunk_s) if self.chunk_s else chunk_s

    @property
    def live(self) -> int:
        """Return how many patients are followed."""
        return len(self._live)

    def awaited(self, patient: str, offset: int) -> int | None:
        """Return where the record lies that has to be ``fetched`` before a chunk is accepted; None: no need."""
        dormant = self._dormant.get(patient)
        if dormant is None or dormant.record is not None or offset < dormant.resume_offset:
            return None
        return dormant.offset

    def fetched(self, patient: str, record: bytes) -> None:
        """Take the record of a dormant patient of whom a chunk is accepted next."""
        self._dormant[patient] = replace(self._dormant[patient], record=record)

    def written(self, patient: str, record: bytes, offset: int) -> None:
        """Hear where a record lies on the progress topic. If that is what is kept of a dormant patient, let it go."""
        dormant = self._dormant.get(patient)
        # Any record may be heard of, also one of before the patient was last here or this partition was taken over.
        if dormant is not None and dormant.offset is None and dormant.record == record and offset >= 0:
            self._dormant[patient] = replace(dormant, offset=offset, record=None)

    def accept(
        self, chunk: Chunk, offset: int, *, now_s: float, at_ms: int = 0, message: Received | None = None
    ) -> Accepted:
        """Take a chunk in.

        Parameters
        ----------
        chunk, offset : the chunk and its offset in the partition; the caller raises ``next_offset``
        now_s : monotonic seconds, to know later from whom nothing new came
        at_ms : when the broker got it, ms UTC
        message : what it came in, for a dead letter

        Raises
        ------
        RuntimeError : when the patient's record is ``awaited``
        """
        live = self._live.get(chunk.patient)
        if live is None:
            dormant = self._dormant.get(chunk.patient)
            if dormant is None:
                if len(self._live) + len(self._dormant) >= self._max_patients:
                    return self._turned_away(chunk, message)
                live = _Live(streams=PatientStreams([PatientStream.begin(chunk, hop_s=self._hop_s)]), heard_s=now_s)
                self._changed.add(chunk.patient)
            elif offset < dormant.resume_offset:  # its record holds it
                return Accepted()
            elif dormant.record is None:
                raise RuntimeError(
                    f"the record of {chunk.patient!r} at offset {dormant.offset} has to be fetched first"
                )
            else:
                del self._dormant[chunk.patient]
                streams, contexts = progress.load(chunk.patient, dormant.record)
                live = _Live(streams=streams, contexts=contexts, heard_s=now_s)
            self._live[chunk.patient] = live
        signal_ns = live.streams.signal_ns
        accepted = live.streams.accept(chunk, offset, at_ms=at_ms, message=message)
        if accepted.changed:
            self._changed.add(chunk.patient)
        if live.streams.signal_ns > signal_ns:
            # A device that sends nothing but what it has sent is silent: all it sends would have to be reread.
            live.heard_s = now_s
        if chunk.patient not in self._placed:
            self._placed.add(chunk.patient)
            heapq.heappush(self._resumes, (live.streams.resume_offset, chunk.patient))
        return accepted

    def _turned_away(self, chunk: Chunk, message: Received | None) -> Accepted:
        refusal = Refusal(
            code="too_many_patients",
            reason=f"{self._max_patients} patients are known in this partition, no more are followed: delete ids that "
            "nobody uses, wait until they are forgotten, or raise ECGSTREAM_DETECTOR_MAX_PATIENTS",
            patient=chunk.patient,
        )
        return Accepted(refused=[] if message is None else [(message, refusal)])

    def context(self, stream: StreamId) -> PatientContext:
        """Return what a stream has shown of its patient so far."""
        return self._live[stream.patient].contexts.get(stream, PatientContext())

    def signals(self, due: Sequence[Due]) -> dict[StreamId, FilteredSignal]:
        """Return the filtered signals, as they were kept last, of the streams that something is due of."""
        streams = {each.stream for each in due}
        known = ((stream, self._live[stream.patient].signals.get(stream)) for stream in streams)
        return {stream: signal for stream, signal in known if signal is not None}

    def filtered(self, signals: Mapping[StreamId, FilteredSignal]) -> None:
        """Keep filtered signals of this partition's streams. They are not written: the samples give them again."""
        for stream, signal in signals.items():
            self._live[stream.patient].signals[stream] = signal

    def judged(self, stream: StreamId, context: PatientContext, *, published: bool) -> None:
        """Keep the context after a window or a rapid check.

        What was published must not be published again after a crash, so the patient's record is written with it. What
        a check alone has changed is found again when its samples are reread: no record each second.
        """
        self._live[stream.patient].contexts[stream] = context
        if published:
            self._changed.add(stream.patient)

    def changed(self) -> Iterator[tuple[str, bytes]]:
        """Whose window or stream is another since the last call, or of whom something was published: patient, record.

        To be written with what was given out since; without them, a crash would lead to a partition record that
        has left messages behind which the patient's record still needs.
        """
        changed, self._changed = self._changed, set()
        for patient in sorted(changed):
            live = self._live[patient]
            streams = {stream.id for stream in live.streams.streams}
            live.contexts = {stream: context for stream, context in live.contexts.items() if stream in streams}
            live.signals = {stream: signal for stream, signal in live.signals.items() if stream in streams}
            self._weigh(live, live.streams.ring_bytes)
            yield patient, progress.dump(live.streams, live.contexts)

    def _weigh(self, live: _Live, ring_bytes: int) -> None:
        self.ring_bytes += ring_bytes - live.ring_bytes
        live.ring_bytes = ring_bytes

    def park_silent(self, *, now_s: float, now_ns: int, silent_s: float) -> Iterator[tuple[str, bytes]]:
        """Make dormant from whom nothing new came for ``silent_s`` seconds; patient and progress record of each.

        No more than ``PARK_AT_ONCE`` of them: a whole partition that falls silent must not stop the event loop.
        """
        silent = (patient for patient, live in self._live.items() if now_s - live.heard_s >= silent_s)
        for patient in list(islice(silent, PARK_AT_ONCE)):
            live = self._live.pop(patient)
            self._changed.discard(patient)
            live.streams.park()
            self._weigh(live, 0)
            record = progress.dump(live.streams, live.contexts, parked_ns=now_ns)
            self._dormant[patient] = Dormant.of(record, hop_s=self._hop_s)
            yield patient, record

    def forget(self, *, now_ns: int, forget_s: float) -> Iterator[str]:
        """Forget who has been silent for ``forget_s`` seconds; their progress records are to be deleted.

        Of who has not returned ``RETURN_S`` after a crash, only the stub is kept on.

        Who comes back after that begins a new stream. To be followed by a partition record in the same transaction:
        nobody is forgotten of whom a message would be reread from there, since it would be judged once more.
        """
        resume = self._resume_offset()
        for patient, dormant in list(self._dormant.items()):
            if dormant.parked_ns is None:  # followed until a crash, and what it sent has expired since
                self._dormant[patient] = replace(dormant, parked_ns=now_ns)
                continue
            away_ns = now_ns - dormant.parked_ns
            if away_ns >= forget_s * 1e9 and dormant.seen <= resume:
                del self._dormant[patient]
                yield patient
            elif dormant.record is not None and dormant.offset is not None and away_ns >= RETURN_S * 1e9:
                self._dormant[patient] = replace(dormant, record=None)

    def partition_record(self) -> bytes:
        """Return where to resume the partition: to be written in every transaction."""
        resume = self._resume_offset()
        record: dict[str, object] = {
            "resume_offset": resume,
            "next_offset": max(self.next_offset, self.reported_before),
        }
        if refused := self.quarantine.dump():
            record["refused"] = refused
        return json.dumps(record).encode()

    def _resume_offset(self) -> int:
        """The first message that somebody still needs; it looks at few patients, however many there are."""
        while self._resumes:
            offset, name = self._resumes[0]
            live = self._live.get(name)
            if live is None:
                heapq.heappop(self._resumes)
                self._placed.discard(name)
            elif live.streams.resume_offset != offset:  # it has gone on since, and never goes back
                heapq.heapreplace(self._resumes, (live.streams.resume_offset, name))
            else:
                return min(offset, self.next_offset)
        return self.next_offset
