"""One patient's stream: chunks in, due windows out. No clock, no network, no model.

What a window holds depends on the samples and their order alone, never on how they were cut into chunks.
"""

from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace

from bus.samples import Chunk
from detector.baseline import PersonalBaseline
from detector.looks import DueLook
from detector.ring import Ring, Run
from ecg.holes import MAX_BITS
from ecg.leads import choose_leads
from ecg.lethal import LOOK_S, UsualSwing
from ecg.records import MISSING, Int16Array, exact_rate
from ecg.rhythm import RhythmState
from ecg.segments import segment_samples
from ecg.windows import HOP_S, Grid

LATE_S = 1.0  # a window with a hole waits that much newer signal for late chunks to fill it
CLOCK_TOLERANCE_NS = 100_000_000  # a device clock that strays further from its sample count has jumped
STREAMS_KEPT = 8  # of a patient, so that no window is given out twice; more than devices that take turns


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """What a stream's chunks have in common; a chunk that differs starts a new stream."""

    device: str
    fs_hz: float
    leads: tuple[str, ...]
    gain: tuple[float, ...]
    baseline: tuple[int, ...]

    @classmethod
    def of(cls, chunk: Chunk) -> "Source":
        """The source of a chunk."""
        return cls(device=chunk.device, fs_hz=chunk.fs_hz, leads=chunk.leads, gain=chunk.gain, baseline=chunk.baseline)


@dataclass(frozen=True, slots=True, kw_only=True)
class DueWindow:
    """A window ready to be judged, with the context before it.

    Attributes
    ----------
    stream : the stream that it is of, which knows the beats and the rhythm before
    patient, source, stream_start_ns : whose, from what, and the time of the stream's sample 0
    window : number on the stream's grid
    start_ns, end_ns : its span by the device's clock, ns UTC
    columns : columns of ``source.leads`` in ``segment``, the one to judge first
    segment : (segment_samples, len(columns)) int16, ``MISSING`` where nothing was received
    gap_before_s, missing_samples, duplicate_samples, clock_jump_ns : see ``bus.messages.Continuity``
    offset : offset of the message that made the window due
    """

    stream: "PatientStream" = field(repr=False, compare=False)
    patient: str
    source: Source
    stream_start_ns: int
    window: int
    start_ns: int
    end_ns: int
    columns: tuple[int, ...]
    segment: Int16Array
    gap_before_s: float
    missing_samples: int
    duplicate_samples: int
    clock_jump_ns: int
    offset: int


# Of a stream, in order: a look comes before the window whose end it lies at or before.
Due = DueWindow | DueLook


@dataclass(slots=True)
class WindowNotes:
    """What went wrong in a window that is not due yet: see ``bus.messages.Continuity``."""

    duplicate_samples: int = 0
    clock_jump_ns: int = 0


@dataclass(slots=True, kw_only=True)
class PatientStream:
    """The state of one patient's stream: what ``accept`` needs of the past.

    Attributes
    ----------
    patient, source : whose stream, and what its chunks have in common
    stream_start_ns : time of sample 0 when the stream was first seen; part of every window's id
    next_window : the first window not yet given out
    last_window : the last window given out, None before the first
    next_look : the first second not yet looked at; the look ends with it
    anchors : (from index, time of sample 0) pairs; a clock jump adds one. The first is valid at the ring's floor
    baseline : what is usual for the patient, by the windows judged
    rhythm : what the findings of the next verdict need of the beats reported
    usual_swing : what the next look needs of those before
    restored_end : samples before this index came from a snapshot and cannot be reread
    seen : offset behind the last chunk taken in, be it before a crash
    given_out : by start of the patient's last streams, the window that would come next: none is given out twice
    """

    patient: str
    source: Source
    stream_start_ns: int
    next_window: int
    ring: Ring
    grid: Grid
    last_window: int | None = None
    next_look: int = 1
    anchors: list[tuple[int, int]]
    baseline: PersonalBaseline = field(default_factory=PersonalBaseline)
    rhythm: RhythmState = field(default_factory=RhythmState)
    usual_swing: UsualSwing = field(default_factory=UsualSwing)
    restored_end: int = 0
    seen: int = 0
    given_out: dict[int, int] = field(default_factory=dict)
    stale_samples: int = 0
    _notes: dict[int, WindowNotes] = field(default_factory=dict)
    _held: deque[tuple[int, int]] = field(default_factory=deque)  # (offset, end index) of chunks the ring needs
    _next_offset: int = 0
    _columns: tuple[int, ...] = ()
    _restored_notes: dict[int, WindowNotes] = field(default_factory=dict)
    _restored_runs: tuple[Run, ...] = ()

    @classmethod
    def begin(cls, chunk: Chunk, *, after: "PatientStream | None" = None) -> "PatientStream":
        """The state before the first chunk of a stream.

        Parameters
        ----------
        chunk : its first chunk
        after : the patient's stream until now
        """
        grid = Grid(exact_rate(chunk.fs_hz))
        base_ns = chunk.start_ns - grid.offset_ns(chunk.start_index)
        given_out = after.all_given_out() if after else {}
        # A device that comes back under the same clock would give its windows their numbers once more.
        window = max(grid.window_of(chunk.start_index), given_out.get(base_ns, 0))
        stream = cls.before(
            patient=chunk.patient,
            source=Source.of(chunk),
            stream_start_ns=base_ns,
            next_window=window,
            anchors=[(_floor(grid, chunk.fs_hz, window), base_ns)],
        )
        stream.given_out = given_out
        return stream

    @classmethod
    def before(
        cls,
        *,
        patient: str,
        source: Source,
        stream_start_ns: int,
        next_window: int,
        anchors: list[tuple[int, int]],
    ) -> "PatientStream":
        """A stream that stands before ``next_window``, its ring empty."""
        grid = Grid(exact_rate(source.fs_hz))
        columns = choose_leads(source.leads)
        ring = Ring(
            floor=_floor(grid, source.fs_hz, next_window), segment=segment_samples(source.fs_hz), columns=len(columns)
        )
        return cls(
            patient=patient,
            source=source,
            stream_start_ns=stream_start_ns,
            next_window=next_window,
            next_look=_first_look(next_window),
            ring=ring,
            grid=grid,
            anchors=anchors,
            _columns=columns,
        )

    @property
    def resume_offset(self) -> int:
        """The first message to reread so that the ring comes back as it is."""
        return min((offset for offset, _ in self._held), default=self._next_offset)

    def all_given_out(self) -> dict[int, int]:
        """By start of the patient's last streams, this one among them, the window that would come next."""
        others = {start: window for start, window in self.given_out.items() if start != self.stream_start_ns}
        return dict([*others.items(), (self.stream_start_ns, self.next_window)][-STREAMS_KEPT:])

    @property
    def columns(self) -> tuple[int, ...]:
        """Columns of the source's leads that the ring holds."""
        return self._columns

    def start_reading(self, offset: int, *, seen: int) -> None:
        """Say where the input will be read from, and which of it was taken in before."""
        self._next_offset = offset
        self.seen = seen

    def restore(self, samples: Int16Array, runs: Sequence[Run], notes: dict[int, WindowNotes]) -> None:
        """Put back what will not be reread: samples from the ring's floor on, and what was noted with them."""
        self.ring.restore(samples, runs)
        self.restored_end = self.ring.floor + len(samples)
        self._restored_runs = tuple(runs)
        self._restored_notes = dict(notes)
        self._notes = {number: replace(note) for number, note in notes.items()}

    def continues(self, chunk: Chunk, offset: int) -> bool:
        """Whether a chunk belongs to this stream.

        It does not when its source differs, or when its index goes back although its time does not: a device that
        was restarted.
        """
        # What is reread was found to belong to it when more of the past was at hand.
        if offset < self.seen or chunk.start_index >= self.ring.high:
            return Source.of(chunk) == self.source
        # A late chunk may bear the clock from before a jump.
        start_ns = chunk.start_ns - self.grid.offset_ns(chunk.start_index)
        clocks = (self.stream_start_ns, *(base_ns for _, base_ns in self.anchors))
        return Source.of(chunk) == self.source and any(abs(start_ns - c) <= CLOCK_TOLERANCE_NS for c in clocks)

    def accept(self, chunk: Chunk, offset: int) -> list[Due]:
        """Take a chunk in and give the windows and looks out that are due now, in order.

        Parameters
        ----------
        chunk : a chunk of this stream (``continues`` says so)
        offset : its offset in its partition
        """
        self._next_offset = max(self._next_offset, offset + 1)
        self.seen = max(self.seen, offset + 1)
        self._follow_clock(chunk)
        samples = chunk.samples[:, self._columns]
        start, end = max(chunk.start_index, self.ring.floor), chunk.end_index
        self.stale_samples = min(max(0, self.ring.floor - chunk.start_index), len(samples))
        if start >= end:
            return []
        due: list[Due] = []
        # A chunk may span several windows: give each out before the ring has to move on.
        while start < end:
            stop = min(end, self.ring.limit)
            if start < stop:
                self._write(start, samples[start - chunk.start_index : stop - chunk.start_index], offset)
                start = stop
            before = self.ring.floor
            due.extend(self._due(offset))
            if self.ring.floor == before and start < end:
                # Nothing is due and the ring is full: a jump far ahead. The windows in between are gone.
                due.extend(self._skip_to(start, offset))
        return due

    def end(self, offset: int) -> list[DueWindow]:
        """Give out what was received of windows that are not due: the stream goes on no more.

        Parameters
        ----------
        offset : of the message that begins another stream
        """
        return list(self._skip_to(self.ring.high, offset)) if self.ring.runs else []

    def _write(self, start: int, samples: Int16Array, offset: int) -> None:
        for duplicate_start, duplicate_end in self.ring.write(start, samples):
            for window, count in self._per_window(duplicate_start, duplicate_end):
                self._notes.setdefault(window, WindowNotes()).duplicate_samples += count
        end = start + len(samples)
        if self._held and self._held[-1][0] == offset:
            self._held.pop()
        self._held.append((offset, end))

    def _per_window(self, start: int, end: int) -> Iterator[tuple[int, int]]:
        window = max(self.grid.window_of(start), self.next_window)
        while self.grid.start(window) < end:
            count = min(end, self.grid.end(window)) - max(start, self.grid.start(window))
            if count > 0:
                yield window, count
            window += 1

    def _due(self, offset: int) -> Iterator[Due]:
        late = int(LATE_S * self.source.fs_hz)
        while True:
            start, end = self.grid.start(self.next_window), self.grid.end(self.next_window)
            yield from self._looks_to(end, late, offset)
            received = self.ring.received(start, end)
            if self.ring.high < end or (received < end - start and self.ring.high < end + late):
                return
            if received:
                yield self._give_out(start, end, offset)
                self._advance(self.next_window + 1)
            else:
                following = self.ring.first_from(end)
                self._advance(self.next_window + 1 if following is None else self.grid.window_of(following))

    def _looks_to(self, window_end: int, late: int, offset: int) -> Iterator[DueLook]:
        """The looks that end with the window or before; a hole that nothing fills leaves its looks out, but for bits.

        None comes after its window: what a window waits for, its looks have waited for before.
        """
        while (end := self.grid.second(self.next_look)) <= window_end:
            start = self.grid.second(self.next_look - LOOK_S)
            lacking = end - start - self.ring.received(start, end)
            if self.ring.high < end or (lacking and self.ring.high < end + late):
                return
            # Samples marked missing are among those that came: which leads can be judged is seen when it is measured.
            if lacking <= MAX_BITS * (end - start):
                start_ns = self._base_ns(start) + self.grid.offset_ns(start)
                yield DueLook(
                    stream=self,
                    second=self.next_look,
                    start_ns=start_ns,
                    end_ns=start_ns + self.grid.offset_ns(end) - self.grid.offset_ns(start),
                    samples=self.ring.samples(start, end),
                    offset=offset,
                )
            self.next_look += 1

    def _skip_to(self, index: int, offset: int) -> Iterator[DueWindow]:
        """Give out what is left before a jump, then move the ring to where the signal goes on."""
        while self.ring.high > self.grid.start(self.next_window):
            start, end = self.grid.start(self.next_window), self.grid.end(self.next_window)
            if self.ring.received(start, end):
                yield self._give_out(start, end, offset)
            self._advance(self.next_window + 1)
        self._advance(max(self.next_window, self.grid.window_of(index)))

    def _give_out(self, start: int, end: int, offset: int) -> DueWindow:
        notes = self._notes.get(self.next_window, WindowNotes())
        before = 0 if self.last_window is None else start - self.grid.end(self.last_window)
        start_ns = self._base_ns(start) + self.grid.offset_ns(start)
        segment = self.ring.segment_to(end)
        due = DueWindow(
            stream=self,
            patient=self.patient,
            source=self.source,
            stream_start_ns=self.stream_start_ns,
            window=self.next_window,
            start_ns=start_ns,
            end_ns=start_ns + self.grid.offset_ns(end) - self.grid.offset_ns(start),
            columns=self._columns,
            segment=segment,
            gap_before_s=round(before / self.source.fs_hz, 6),
            missing_samples=int((segment[start - end :] == MISSING).all(axis=1).sum()),
            duplicate_samples=notes.duplicate_samples,
            clock_jump_ns=notes.clock_jump_ns,
            offset=offset,
        )
        self.last_window = self.next_window
        return due

    def _advance(self, window: int) -> None:
        self.next_window = window
        self.next_look = max(self.next_look, _first_look(window))
        self._notes = {number: notes for number, notes in self._notes.items() if number >= window}
        floor = _floor(self.grid, self.source.fs_hz, window)
        self.ring.move_floor(floor)
        if any(end <= floor for _, end in self._held):
            self._held = deque(entry for entry in self._held if entry[1] > floor)
        while len(self.anchors) > 1 and self.anchors[1][0] <= floor:
            del self.anchors[0]

    def _base_ns(self, index: int) -> int:
        """The time of sample 0 by the clock as it went at sample ``index``."""
        return next((base for start, base in reversed(self.anchors) if start <= index), self.anchors[0][1])

    def _follow_clock(self, chunk: Chunk) -> None:
        error_ns = chunk.start_ns - self._base_ns(chunk.start_index) - self.grid.offset_ns(chunk.start_index)
        # A chunk that is late tells nothing new about the clock.
        if abs(error_ns) <= CLOCK_TOLERANCE_NS or chunk.start_index < self.ring.high:
            return
        self.anchors.append((chunk.start_index, self._base_ns(chunk.start_index) + error_ns))
        window = self.grid.window_of(chunk.start_index)
        if window >= self.next_window:
            self._notes.setdefault(window, WindowNotes()).clock_jump_ns += error_ns

    def park(self) -> None:
        """Make all of the state something that need not be reread: ``snapshot`` then holds the whole ring."""
        self.restored_end = self.ring.high
        self._restored_runs = self.ring.runs
        self._restored_notes = {number: replace(note) for number, note in self._notes.items()}
        self._held.clear()

    def snapshot(self) -> tuple[Int16Array, list[Run]] | None:
        """What of the ring cannot be reread, None when all can be.

        (n, columns) int16 from the ring's floor on, and the runs of indices that hold samples. A late chunk that has
        filled a hole since is none of it: it will be reread.
        """
        floor = self.ring.floor
        if self.restored_end <= floor:
            return None
        return self.ring.samples(floor, self.restored_end), [
            (max(a, floor), b) for a, b in self._restored_runs if b > floor
        ]

    def restored_notes(self) -> dict[int, WindowNotes]:
        """What was noted with the samples of ``snapshot``, by window."""
        return {number: notes for number, notes in self._restored_notes.items() if number >= self.next_window}


def _first_look(window: int) -> int:
    """The first look that ends within a window."""
    return window * HOP_S + 1


def _floor(grid: Grid, fs_hz: float, window: int) -> int:
    """The oldest sample that the segment of ``window`` holds."""
    return grid.end(window) - segment_samples(fs_hz)
