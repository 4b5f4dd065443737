"""The streams of one patient: which of them a chunk belongs to, and when another begins.

A chunk that goes on where a stream stands is taken in at once. Any other is only held, since a single message with a
wrong index, clock or device must not move anything: it becomes a candidate, and what continues it decides.

================================  ======================================================================
what a candidate looks like       what becomes of it
================================  ======================================================================
ahead of a silent stream, and     after 1 s of signal that continues its first chunk, the stream goes on
its clock says so, too            there: a gap
where a silent stream stands, by  after 1 s, the stream goes on under that clock: a jump of the clock
another clock
samples judged before             stale, but after 20 s in which nothing else came a new stream
anything else                     after 3 s a new stream: a device that restarted, a second device, what
                                  was stored while the device was away, an index that jumped
nothing continues it              its messages are refused
================================  ======================================================================
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

from bus.dead_letters import Refusal
from bus.interfaces import Received
from bus.samples import Chunk
from detector.candidate import EARLY_S, Candidate, HeldChunk
from detector.due import Due
from detector.rereading import Rereading
from detector.stream import PatientStream

MAX_STREAMS = 4  # of a patient at a time
MAX_CANDIDATES = 4
STARTS_KEPT = 32  # of streams that ended: no window is given out twice under one id
MOVED_S = 1.0  # of signal that continues a candidate, before a stream goes on there
BEGUN_S = 3.0  # before a stream begins there
JUDGED_AGAIN_S = 20.0  # before a stream begins with what was judged already, while nothing else comes
STEPPED_S = EARLY_S  # a chunk by another clock is that near to where its stream stands
IDLE_MS = 60_000  # a stream of which nothing came for so long, by the broker's clock, ends while another goes on
EVICTED_MS = 10_000  # and for so long, when there is no room for another

Kind = Literal["ahead", "stepped", "judged", "other"]
StaleReason = Literal[
    "late",  # their window had been given out
    "repeated",  # within what is held of a candidate
    "held",  # a candidate that waited for long let go of them
    "judged",  # a candidate of what had been judged before came to nothing
]


class _Place(NamedTuple):
    """Place of a candidate: beside which stream, if any, and how much signal it needs."""

    kind: Kind
    stream: PatientStream | None
    needs_s: float


@dataclass(slots=True)
class Accepted:
    """Results of accepting a chunk.

    Attributes
    ----------
    due : the windows and rapid checks that are due now; of each stream, in order
    refused : messages, this one or earlier ones, that will not be used, and why
    stale : samples that came too late to be judged, by why
    changed : whether what is written of the patient has to be written anew
    begun : streams that began beside or after another
    """

    due: list[Due] = field(default_factory=list)
    refused: list[tuple[Received, Refusal]] = field(default_factory=list)
    stale: dict[StaleReason, int] = field(default_factory=dict)
    changed: bool = False
    begun: int = 0

    def leave_out(self, reason: StaleReason, samples: int) -> None:
        """Note samples that came too late to be judged."""
        if samples:
            self.stale[reason] = self.stale.get(reason, 0) + samples


class PatientStreams:
    """Signal of one patient: the streams that go on, and candidates.

    Parameters
    ----------
    streams : at least one; those to come go on by its hop

    Attributes
    ----------
    patient : the patient id
    streams, candidates : what there is, the oldest first
    seen : offset behind the last chunk that was taken in, be it before a crash
    given_out : by start of streams that ended, the window that would come next
    signal_ns : how much signal the streams have taken in
    strayed : offset of the last chunk that did not just go on in the only stream
    rereading : what is read again after a restart, while it is
    """

    __slots__ = ("_hop_s", "candidates", "given_out", "patient", "rereading", "seen", "signal_ns", "strayed", "streams")

    def __init__(self, streams: list[PatientStream]) -> None:
        self.patient = streams[0].patient
        self.streams = streams
        self._hop_s = streams[0].grid.hop_s
        self.candidates: list[Candidate] = []
        self.seen = 0
        self.given_out: dict[int, int] = {}
        self.signal_ns = 0
        self.strayed = -1
        self.rereading: Rereading | None = None

    @property
    def ring_bytes(self) -> int:
        """Return how many bytes the rings of the streams hold."""
        return sum(stream.ring.nbytes for stream in self.streams)

    @property
    def resume_offset(self) -> int:
        """The first message to reread so that all comes back as it is."""
        if self.rereading is not None:
            return self.rereading.resume_offset
        first = self.seen
        for stream in self.streams:
            if stream.held_from is not None and stream.held_from < first:
                first = stream.held_from
        for candidate in self.candidates:
            if candidate.held_from is not None:
                first = min(first, candidate.held_from)
        return first

    @property
    def plain(self) -> bool:
        """Return whether all that would be reread went into the only stream, in order."""
        return len(self.streams) == 1 and not self.candidates and self.strayed < self.resume_offset

    def accept(self, chunk: Chunk, offset: int, *, at_ms: int, message: Received | None) -> Accepted:
        """Take a chunk in.

        Parameters
        ----------
        chunk, offset : the chunk and where it lies in the partition
        at_ms : when the broker got it
        message : what it came in
        """
        if len(self.streams) == 1 and offset >= self.seen and self.rereading is None and not self.candidates:
            only = self.streams[0]
            window = only.next_window
            due = only.go_on(chunk, offset)
            if due is not None:
                self.seen = offset + 1
                only.taken, only.heard_ms = offset, max(only.heard_ms, at_ms)
                self.signal_ns += only.grid.offset_ns(len(chunk.samples))
                return Accepted(due=due, changed=only.next_window != window)
        out = Accepted()
        held = HeldChunk(chunk=chunk, offset=offset, at_ms=at_ms, message=message)
        if offset < self.seen:
            self._reread(held, out)
            return out
        if self.rereading is not None:
            self._stop_rereading(out)
        self.seen = offset + 1
        # The patient's very first chunk begins a stream.
        going_on = [stream for stream in self.streams if stream.is_new or stream.continued_by(chunk)]
        if going_on:
            # A stream that once leapt ahead must not take what the true one comes to a minute later.
            stream = min(going_on, key=lambda each: abs(chunk.start_index - each.ring.high))
            self._take(stream, held, out)
            if self.candidates:
                self._catch_up(stream, offset, out)
        else:
            self._hold(held, out)
        if self.candidates:
            self._give_up(at_ms, out)
        if len(self.streams) > 1:
            self._end_idle(at_ms, offset, out)
        return out

    def park(self) -> None:
        """Make all of the state something that need not be reread."""
        if self.rereading is not None:
            self._stop_rereading(Accepted())  # it gives nothing out that was not given out before
        for stream in self.streams:
            stream.park()
        for candidate in self.candidates:
            candidate.park()

    def _take(self, stream: PatientStream, held: HeldChunk, out: Accepted) -> None:
        high, window = stream.ring.high, stream.next_window
        due, stale_samples = stream.accept(held.chunk, held.offset)
        out.due += due
        out.leave_out("late", stale_samples)
        if held.kept:
            stream.park()  # the chunk cannot be reread: from here on, the record holds all
        out.changed |= held.kept or stream.next_window != window
        stream.taken, stream.heard_ms = max(stream.taken, held.offset), max(stream.heard_ms, held.at_ms)
        # A jump ahead is no signal.
        grown = min(stream.ring.high - high, len(held.chunk.samples))
        if grown > 0:
            self.signal_ns += stream.grid.offset_ns(grown)

    def _catch_up(self, stream: PatientStream, offset: int, out: Accepted) -> None:
        """Take in what came a little before its turn, when the stream has come to it."""
        for candidate in [c for c in self.candidates if c.source == stream.source and c.came_early]:
            due = candidate.start <= stream.ring.high and candidate.end > stream.ring.floor
            if due and stream.clock_fits(candidate.start, candidate.base_ns):
                self.candidates.remove(candidate)
                self.strayed = offset
                for held in candidate.held:
                    self._take(stream, held, out)

    def _hold(self, held: HeldChunk, out: Accepted) -> None:
        self.strayed = held.offset
        candidate = next((c for c in self.candidates if c.continued_by(held.chunk)), None)
        if candidate is not None and self._overtaken(candidate):
            self.candidates.remove(candidate)
            out.leave_out("judged", sum(len(one.chunk.samples) for one in candidate.held))
            out.changed, candidate = True, None
        if candidate is None:
            if len(self.candidates) == MAX_CANDIDATES:
                oldest = min(self.candidates, key=lambda c: c.grown_ms)
                self.candidates.remove(oldest)
                self._refuse(oldest, out)
            beside = next((stream.ring.high for stream in self.streams if held.chunk.is_of_source(stream.source)), None)
            candidate = Candidate.begin(held, signal_ns=self.signal_ns, beside=beside)
            self.candidates.append(candidate)
        elif not candidate.take(held, signal_ns=self.signal_ns):
            out.leave_out("repeated", len(held.chunk.samples))
            return
        place = self._place_of(candidate)
        if candidate.continued_s >= place.needs_s:
            self._settle(candidate, place, held, out)
        else:
            out.leave_out("held", candidate.trim())

    def _overtaken(self, candidate: Candidate) -> bool:
        """Return whether its stream has gone on since, beyond where it began: it would wait for that stream for ever.

        A device whose clock went to and fro, chunk by chunk, leaves such a one. What comes now begins another.
        """
        place = self._place_of(candidate)
        return place.kind == "judged" and place.stream is not None and place.stream.taken > candidate.held[-1].offset

    def _place_of(self, candidate: Candidate) -> _Place:
        for stream in self.streams:
            if stream.source != candidate.source:
                continue
            high, silent = stream.ring.high, stream.taken < candidate.began
            if stream.clock_fits(candidate.start, candidate.base_ns):
                if candidate.start >= high:
                    return _Place("ahead", stream, MOVED_S) if silent else _Place("other", None, BEGUN_S)
                if stream.has_given_out(stream.grid.window_of(candidate.start)):
                    return _Place("judged", stream, JUDGED_AGAIN_S if silent else float("inf"))
            elif silent and abs(candidate.start - high) <= STEPPED_S * candidate.source.fs_hz:
                return _Place("stepped", stream, MOVED_S)
        return _Place("other", None, BEGUN_S)

    def _settle(self, candidate: Candidate, place: _Place, held: HeldChunk, out: Accepted) -> None:
        """Let a candidate become what it has shown to be."""
        self.candidates.remove(candidate)
        if place.kind in {"ahead", "stepped"} and place.stream is not None:
            stream = place.stream
        else:
            for gone in [s for s in self.streams if self._gives_way(s, candidate)]:
                self._end(gone, held.offset, out)
            if len(self.streams) == MAX_STREAMS:
                idle = min(self.streams, key=lambda s: s.heard_ms)
                if held.at_ms - idle.heard_ms < EVICTED_MS:
                    self._refuse(candidate, out, crowded=True)
                    return
                self._end(idle, held.offset, out)
            stream = self._begin(candidate.held[0].chunk)
            self.streams.append(stream)
            out.begun += 1
        for one in candidate.held:
            self._take(stream, one, out)
        out.changed = True

    def _gives_way(self, stream: PatientStream, candidate: Candidate) -> bool:
        """Return whether a stream is what the candidate's device sent before."""
        return stream.source.device == candidate.source.device and stream.taken < candidate.began

    def _begin(self, chunk: Chunk) -> PatientStream:
        """A stream whose windows have ids of their own."""
        base_ns, first = chunk.base_ns, PatientStream.begin(chunk, hop_s=self._hop_s)
        live = {stream.stream_start_ns for stream in self.streams}
        known = [start for start in (*live, *self.given_out) if base_ns <= start < base_ns + 1_000_000]
        after = self.given_out.get(base_ns, 0)
        if base_ns not in live and base_ns in self.given_out and first.next_window >= after - 1:
            # The device came back, and counted on: so do its windows.
            del self.given_out[base_ns]
            return PatientStream.begin(chunk, not_before=after, hop_s=self._hop_s)
        start_ns = max(known) + 1 if known else base_ns
        return PatientStream.begin(chunk, stream_start_ns=start_ns, hop_s=self._hop_s)

    def _end(self, stream: PatientStream, offset: int, out: Accepted) -> None:
        """Give out what was received of windows that are not due: the stream goes on no more."""
        out.due += stream.end(offset)
        out.changed = True
        self.streams.remove(stream)
        self.given_out.pop(stream.stream_start_ns, None)
        self.given_out[stream.stream_start_ns] = stream.next_window
        while len(self.given_out) > STARTS_KEPT:
            del self.given_out[next(iter(self.given_out))]
        self.strayed = offset

    def _end_idle(self, at_ms: int, offset: int, out: Accepted) -> None:
        newest = max(stream.heard_ms for stream in self.streams)
        for stream in [s for s in self.streams if at_ms - s.heard_ms >= IDLE_MS and s.heard_ms < newest]:
            self._end(stream, offset, out)

    def _give_up(self, at_ms: int, out: Accepted) -> None:
        for candidate in list(self.candidates):
            if candidate.is_over(at_ms=at_ms, signal_ns=self.signal_ns, streams=len(self.streams)):
                self.candidates.remove(candidate)
                self._refuse(candidate, out)

    def _refuse(self, candidate: Candidate, out: Accepted, *, crowded: bool = False) -> None:
        out.changed = True
        if self._place_of(candidate).kind == "judged":
            out.leave_out("judged", sum(len(held.chunk.samples) for held in candidate.held))
            return
        refusal = self._refusal(candidate, crowded=crowded)
        out.refused += [(held.message, refusal) for held in candidate.held if held.message is not None]

    def _refusal(self, candidate: Candidate, *, crowded: bool) -> Refusal:
        if crowded:
            devices = ", ".join(sorted({stream.source.device for stream in self.streams}))
            return Refusal(
                code="too_many_devices",
                reason=f"{MAX_STREAMS} streams of patient {self.patient!r} go on ({devices}), no more may, and device  "
                f"{candidate.source.device!r} sends another: give each patient one device",
                patient=self.patient,
            )
        stream = next((s for s in self.streams if s.source == candidate.source), None)
        if stream is None or candidate.beside is None:
            return Refusal(
                code="other_device",
                reason=f"device {candidate.source.device!r} (or its leads, rate, gain or baseline) is not the one that "
                f"sends for patient {self.patient!r}, and nothing followed: a stream begins after {BEGUN_S:g} s",
                patient=self.patient,
            )
        ahead_s = (candidate.start - candidate.beside) / candidate.source.fs_hz
        clock_s = (candidate.base_ns - stream.clock_at(candidate.start)) / 1e9
        return Refusal(
            code="clock" if abs(ahead_s) <= STEPPED_S else "index_jump",
            reason=f"start_index={candidate.start} lay {ahead_s:+.3f} s from where the stream stood, by a clock that "
            f"differs by {clock_s:+.3f} s, and nothing followed there: see the device's sample counter and its clock",
            patient=self.patient,
        )

    def _reread(self, held: HeldChunk, out: Accepted) -> None:
        """Take a chunk in where it was taken in before."""
        if self.rereading is not None:
            self._apply(self.rereading.put(held), out)

    def _stop_rereading(self, out: Accepted) -> None:
        """Go on, although what is missing has left the topic."""
        rereading, self.rereading = self.rereading, None
        if rereading is not None:
            self._apply(rereading.rest(), out)
            for candidate in [c for c in self.candidates if not c.held]:
                self.candidates.remove(candidate)

    def _apply(self, found: Iterator[tuple[PatientStream | Candidate, HeldChunk]], out: Accepted) -> None:
        signal_ns = self.signal_ns
        for target, held in found:
            if isinstance(target, PatientStream):
                self._take(target, held, out)
            else:
                target.held.append(held)
        self.signal_ns = signal_ns  # it was counted before
