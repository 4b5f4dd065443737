"""One stream of a patient's: chunks in, due windows out. No clock, no network, no model.

What a window holds depends on the samples and their order alone, never on how they were cut into chunks.
"""

from array import array
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace

from bus.offsets import NEVER
from bus.samples import CLOCK_TOLERANCE_NS, Chunk, Source
from detector.due import Due, DueWindow, RapidCheck, StreamId
from detector.ring import Ring, Run
from ecg.holes import MAX_BITS
from ecg.leads import choose_leads
from ecg.lethal import CHECK_S
from ecg.records import MISSING, Int16Array, exact_rate
from ecg.segments import segment_samples
from ecg.windows import HOP_S, Grid

LATE_S = 1.0  # a window with a hole waits that much newer signal for late chunks to fill it
MAX_HELD = 2048  # messages to reread; a sender of one chunk over and over must not fill the memory
MAX_LACKING = 16  # stretches of windows that are remembered as never received


def _no_numbers() -> "array[int]":
    return array("q")


@dataclass(slots=True)
class WindowNotes:
    """Faults in a window that is not due yet: see ``bus.messages.Continuity``."""

    duplicate_samples: int = 0
    clock_jump_ns: int = 0
    clock_jumps_abs_ns: int = 0


@dataclass(slots=True, kw_only=True)
class PatientStream:
    """The state of one stream of a patient's: what ``accept`` needs of the past.

    Attributes
    ----------
    patient, source : whose stream, and what its chunks have in common
    stream_start_ns : time of sample 0 when the stream was first seen, or some nanoseconds later where another stream
        has that already; part of every window's id
    next_window : the first window not yet given out
    last_window : the last window given out, None before the first
    next_check : the first second not yet checked; the check ends with it
    anchors : (from index, time of sample 0) pairs; a clock jump adds one. The first is valid at the ring's floor
    restored_end : samples before this index came from a snapshot and cannot be reread
    first_window : the first that the stream could give out
    lacking : runs of windows since then of which nothing was received
    taken : offset of the last chunk taken in, be it before a crash; below ``NEVER`` after a restore that lacks it
    heard_ms : when that came, by the broker's clock
    """

    patient: str
    source: Source
    stream_start_ns: int
    next_window: int
    ring: Ring
    grid: Grid
    last_window: int | None = None
    next_check: int = 1
    anchors: list[tuple[int, int]]
    restored_end: int = 0
    first_window: int
    lacking: list[Run] = field(default_factory=list)
    taken: int = NEVER
    heard_ms: int = 0
    _notes: dict[int, WindowNotes] = field(default_factory=dict)
    # Of each chunk that the ring needs, its offset and its end: a tuple for each would take a sixth of all memory.
    _held: "array[int]" = field(default_factory=_no_numbers)
    _held_ends: "array[int]" = field(default_factory=_no_numbers)
    _held_from: int | None = None
    _columns: tuple[int, ...] = ()
    _in_order: bool = False  # the ring's columns are the source's
    _restored_notes: dict[int, WindowNotes] = field(default_factory=dict)
    _restored_runs: tuple[Run, ...] = ()
    _filtered_to: int | None = None  # the second up to which what was given out has the signal filtered
    _due_at: int = 0  # nothing is due before the head has come there; 0 while that is not known

    @classmethod
    def begin(
        cls, chunk: Chunk, *, stream_start_ns: int | None = None, not_before: int = 0, hop_s: int = HOP_S
    ) -> "PatientStream":
        """The state before the first chunk of a stream.

        Parameters
        ----------
        chunk : its first chunk
        stream_start_ns : what tells its windows from those of the patient's other streams; None for the time of
            sample 0
        not_before : the first window that may be given out
        hop_s : from one window to the next, s
        """
        grid = Grid(exact_rate(chunk.fs_hz), hop_s)
        base_ns = chunk.base_ns
        window = max(grid.window_of(chunk.start_index), not_before)
        return cls.before(
            patient=chunk.patient,
            source=chunk.source,
            stream_start_ns=base_ns if stream_start_ns is None else stream_start_ns,
            next_window=window,
            anchors=[(_floor(grid, chunk.fs_hz, window), base_ns)],
            hop_s=hop_s,
        )

    @classmethod
    def before(
        cls,
        *,
        patient: str,
        source: Source,
        stream_start_ns: int,
        next_window: int,
        anchors: list[tuple[int, int]],
        hop_s: int = HOP_S,
    ) -> "PatientStream":
        """A stream that stands before ``next_window``, its ring empty."""
        grid = Grid(exact_rate(source.fs_hz), hop_s)
        columns = choose_leads(source.leads)
        ring = Ring(
            floor=_floor(grid, source.fs_hz, next_window), segment=segment_samples(source.fs_hz), columns=len(columns)
        )
        return cls(
            patient=patient,
            source=source,
            stream_start_ns=stream_start_ns,
            next_window=next_window,
            first_window=next_window,
            next_check=grid.new_second(next_window) + 1,
            ring=ring,
            grid=grid,
            anchors=anchors,
            _columns=columns,
            _in_order=columns == tuple(range(len(source.leads))),
        )

    @property
    def id(self) -> StreamId:
        """Its identity."""
        return StreamId(self.patient, self.stream_start_ns, self.first_window)

    @property
    def held_from(self) -> int | None:
        """The first message to reread so that the ring comes back as it is; None when it would be empty."""
        return self._held_from

    def held(self) -> list[int]:
        """The messages to reread, in the order in which they were taken in."""
        return self._held.tolist()

    @property
    def is_new(self) -> bool:
        """Return whether nothing was taken in yet."""
        return self.taken == NEVER and self.last_window is None

    @property
    def columns(self) -> tuple[int, ...]:
        """Columns of the source's leads that the ring holds."""
        return self._columns

    def restore(self, samples: Int16Array, runs: Sequence[Run], notes: dict[int, WindowNotes]) -> None:
        """Put back what will not be reread: samples from the ring's floor on, and what was noted with them."""
        self.ring.restore(samples, runs)
        self.restored_end = self.ring.floor + len(samples)
        self._restored_runs = tuple(runs)
        self._restored_notes = dict(notes)
        self._notes = {number: replace(note) for number, note in notes.items()}

    def continued_by(self, chunk: Chunk) -> bool:
        """Return whether a chunk goes on where this stream stands, or lies among what it still holds, by its clock."""
        ring = self.ring
        return (
            ring.floor < chunk.end_index
            and chunk.start_index <= ring.high
            and chunk.is_of_source(self.source)
            and self.clock_fits(chunk.start_index, chunk.start_ns - self.grid.offset_ns(chunk.start_index))
        )

    def clock_fits(self, index: int, base_ns: int) -> bool:
        """Return whether a clock whose sample 0 lies at ``base_ns`` may be this stream's at a sample."""
        if abs(base_ns - self.clock_at(index)) <= CLOCK_TOLERANCE_NS:
            return True
        # A late chunk may bear the clock from before a jump.
        return index < self.ring.high and any(abs(base_ns - c) <= CLOCK_TOLERANCE_NS for _, c in self.anchors)

    def has_given_out(self, window: int) -> bool:
        """Return whether a window was judged, or will be: false for one of which nothing was received."""
        if window < self.first_window:
            return False
        return not any(start <= window < end for start, end in self.lacking)

    def go_on(self, chunk: Chunk, offset: int) -> list[Due] | None:
        """Take in a chunk that begins where the stream stands, by its clock: what nearly all chunks do.

        Returns
        -------
        as of ``accept``; None where the chunk is another, and nothing was done
        """
        start, samples = chunk.start_index, chunk.samples
        ring, end = self.ring, start + len(samples)
        if start != ring.high or end > ring.limit or not self._held or not chunk.is_of_source(self.source):
            return None
        error_ns = chunk.start_ns - self.clock_at(start) - self.grid.offset_ns(start)
        if not -CLOCK_TOLERANCE_NS <= error_ns <= CLOCK_TOLERANCE_NS or self._held[-1] >= offset:
            return None
        ring.append(samples if self._in_order else samples.take(self._columns, axis=1))
        self._held.append(offset)
        self._held_ends.append(end)
        if end < self._due_at:
            return []
        due = list(self._due(offset))
        self._due_at = min(self.grid.second(self.next_check), self.grid.end(self.next_window))
        return due

    def accept(self, chunk: Chunk, offset: int) -> tuple[list[Due], int]:
        """Take a chunk in.

        Parameters
        ----------
        chunk : a chunk of this stream
        offset : its offset in its partition

        Returns
        -------
        the windows and rapid checks that are due now, in order, and how many samples came too late for their window
        """
        self._due_at = 0
        self._follow_clock(chunk)
        samples = chunk.samples[:, self._columns]
        start, end = max(chunk.start_index, self.ring.floor), chunk.end_index
        stale_samples = min(max(0, self.ring.floor - chunk.start_index), len(samples))
        if start >= end:
            return [], stale_samples
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
        return due, stale_samples

    def end(self, offset: int) -> list[DueWindow]:
        """Give out what was received of windows that are not due: the stream goes on no more.

        Parameters
        ----------
        offset : of the message that begins another stream
        """
        return list(self._skip_to(self.ring.high, offset)) if self.ring.runs else []

    def _write(self, start: int, samples: Int16Array, offset: int) -> None:
        end = start + len(samples)
        if self._filtered_to is not None and start < self.grid.second(self._filtered_to):
            self._filtered_to = None  # a late chunk: what was filtered lacks it
        known = self.ring.write(start, samples)
        for duplicate_start, duplicate_end in known:
            for window, count in self._per_window(duplicate_start, duplicate_end):
                self._notes.setdefault(window, WindowNotes()).duplicate_samples += count
        if len(self._held) >= MAX_HELD and known == [(start, end)]:
            return  # after a crash, its duplicates are not counted again
        if self._held and self._held[-1] == offset:
            self._held.pop()
            self._held_ends.pop()
        self._held.append(offset)
        self._held_ends.append(end)
        if self._held_from is None or offset < self._held_from:
            self._held_from = offset

    def _per_window(self, start: int, end: int) -> Iterator[tuple[int, int]]:
        window = max(self.grid.window_of(start), self.next_window)
        while self.grid.new_from(window) < end:
            count = min(end, self.grid.end(window)) - max(start, self.grid.new_from(window))
            if count > 0:
                yield window, count
            window += 1

    def _due(self, offset: int) -> Iterator[Due]:
        late = int(LATE_S * self.source.fs_hz)
        while True:
            new_from, end = self.grid.new_from(self.next_window), self.grid.end(self.next_window)
            yield from self._checks_to(end, late, offset)
            received = self.ring.received(new_from, end)
            if self.ring.high < end or (received < end - new_from and self.ring.high < end + late):
                return
            if received:
                yield self._give_out(offset)
                self._advance(self.next_window + 1)
            else:
                following = self.ring.first_from(end)
                self._advance(self.next_window + 1 if following is None else self.grid.window_of(following))

    def _checks_to(self, window_end: int, late: int, offset: int) -> Iterator[RapidCheck]:
        """The checks that end with the window or before; a hole that nothing fills leaves its checks out, but for bits.

        None comes after its window: what a window waits for, its checks have waited for before.
        """
        while (end := self.grid.second(self.next_check)) <= window_end:
            start = self.grid.second(self.next_check - CHECK_S)
            lacking = end - start - self.ring.received(start, end)
            if self.ring.high < end or (lacking and self.ring.high < end + late):
                return
            # Samples marked missing are among those that came: which leads can be judged is seen when it is measured.
            if lacking <= MAX_BITS * (end - start):
                start_ns = self.clock_at(start) + self.grid.offset_ns(start)
                goes_on = self._filtered_to == self.next_check - 1
                yield RapidCheck(
                    stream=self.id,
                    source=self.source,
                    second=self.next_check,
                    start_ns=start_ns,
                    end_ns=start_ns + self.grid.offset_ns(end) - self.grid.offset_ns(start),
                    columns=self._columns,
                    samples=self.ring.samples(start, end),
                    segment=None if goes_on else self.ring.segment_to(end),
                    filtered_to=self._filtered_to if goes_on else None,
                    offset=offset,
                )
                self._filtered_to = self.next_check
            self.next_check += 1

    def _skip_to(self, index: int, offset: int) -> Iterator[DueWindow]:
        """Give out what is left before a jump, then move the ring to where the signal goes on."""
        while self.ring.high > self.grid.new_from(self.next_window):
            if self.ring.received(self.grid.new_from(self.next_window), self.grid.end(self.next_window)):
                yield self._give_out(offset)
            self._advance(self.next_window + 1)
        self._advance(max(self.next_window, self.grid.window_of(index)))

    def _give_out(self, offset: int) -> DueWindow:
        start, end = self.grid.start(self.next_window), self.grid.end(self.next_window)
        notes = self._notes.get(self.next_window, WindowNotes())
        new_from = self.grid.new_from(self.next_window)
        before = 0 if self.last_window is None else new_from - self.grid.end(self.last_window)
        start_ns = self.clock_at(start) + self.grid.offset_ns(start)
        segment = self.ring.segment_to(end)
        second = self.grid.end_second(self.next_window)
        due = DueWindow(
            stream=self.id,
            source=self.source,
            window=self.next_window,
            start_ns=start_ns,
            new_from_ns=start_ns + self.grid.offset_ns(new_from) - self.grid.offset_ns(start),
            end_ns=start_ns + self.grid.offset_ns(end) - self.grid.offset_ns(start),
            hop_s=self.grid.hop_s,
            columns=self._columns,
            segment=segment,
            second=second,
            filtered_to=self._filtered_to,
            gap_before_s=round(before / self.source.fs_hz, 6),
            missing_samples=int((segment[new_from - end :] == MISSING).all(axis=1).sum()),
            duplicate_samples=notes.duplicate_samples,
            clock_jump_ns=notes.clock_jump_ns,
            clock_jumps_abs_ns=notes.clock_jumps_abs_ns,
            offset=offset,
        )
        self.last_window = self.next_window
        self._filtered_to = second
        return due

    def _advance(self, window: int) -> None:
        lacking = self.next_window if self.last_window is None else max(self.next_window, self.last_window + 1)
        if lacking < window:
            self._note_lacking(lacking, window)
        self.next_window = window
        self.next_check = max(self.next_check, self.grid.new_second(window) + 1)
        self._notes = {number: notes for number, notes in self._notes.items() if number >= window}
        floor = _floor(self.grid, self.source.fs_hz, window)
        self.ring.move_floor(floor)
        if self._held and min(self._held_ends) <= floor:
            kept = [place for place, end in enumerate(self._held_ends) if end > floor]
            self._held = array("q", [self._held[place] for place in kept])
            self._held_ends = array("q", [self._held_ends[place] for place in kept])
            self._held_from = min(self._held, default=None)
        while len(self.anchors) > 1 and self.anchors[1][0] <= floor:
            del self.anchors[0]

    def _note_lacking(self, start: int, end: int) -> None:
        if self.lacking and self.lacking[-1][1] == start:
            self.lacking[-1] = (self.lacking[-1][0], end)
        else:
            self.lacking = [*self.lacking, (start, end)][-MAX_LACKING:]

    def clock_at(self, index: int) -> int:
        """The time of sample 0 by the clock as it went at sample ``index``."""
        anchors = self.anchors
        if len(anchors) == 1:
            return anchors[0][1]
        return next((base for start, base in reversed(anchors) if start <= index), anchors[0][1])

    def _follow_clock(self, chunk: Chunk) -> None:
        error_ns = chunk.start_ns - self.clock_at(chunk.start_index) - self.grid.offset_ns(chunk.start_index)
        # A chunk that is late tells nothing new about the clock.
        if abs(error_ns) <= CLOCK_TOLERANCE_NS or chunk.start_index < self.ring.high:
            return
        self.anchors.append((chunk.start_index, self.clock_at(chunk.start_index) + error_ns))
        window = self.grid.window_of(chunk.start_index)
        if window >= self.next_window:
            notes = self._notes.setdefault(window, WindowNotes())
            notes.clock_jump_ns += error_ns
            notes.clock_jumps_abs_ns += abs(error_ns)

    def park(self) -> None:
        """Make all of the state something that need not be reread: ``snapshot`` then holds the whole ring."""
        self.restored_end = self.ring.high
        self._restored_runs = self.ring.runs
        self._restored_notes = {number: replace(note) for number, note in self._notes.items()}
        self._held, self._held_ends = _no_numbers(), _no_numbers()
        self._held_from = None

    def snapshot(self) -> tuple[Int16Array, list[Run]] | None:
        """Return what of the ring cannot be reread, None when all can be.

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
        """Return what was noted with the samples of ``snapshot``, by window."""
        return {number: notes for number, notes in self._restored_notes.items() if number >= self.next_window}


def _floor(grid: Grid, fs_hz: float, window: int) -> int:
    """The oldest sample that the segment of ``window`` holds."""
    return grid.end(window) - segment_samples(fs_hz)
