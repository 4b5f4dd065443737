"""Positions of devices' streams: what is stored of each, so that nothing is stored again. Pure.

A sample is known by its running index in its stream. Chunks of one stream have one source and a clock that their
indexes bear out; a device that begins anew at index 0 has another clock origin, and begins another stream.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace

from bus.samples import CLOCK_TOLERANCE_NS, Chunk, Source
from ecg.records import exact_rate
from ecg.windows import Grid

MOST_STREAMS = 4  # of one patient and device that are remembered: who begins anew does not go on with what it left
MOST_ORIGINS = 16  # of one stream's clock: each jump adds one
MOST_HOLES = 64  # in one stream; when there are more, the oldest is taken as lost for good

Stretch = tuple[int, int]  # running indexes, the end excluded


@dataclass(slots=True, kw_only=True)
class StreamPosition:
    """Position of one stream: how far it is stored.

    Attributes
    ----------
    source : the part that its chunks have in common
    origins_ns : times of sample 0 by its clock, the newest last; a jump of the clock adds one
    known_from : what lies before this index is not known to be stored or not
    next_index : the index after the last sample that is stored
    holes : what lies between the two and is not stored, in order
    """

    source: Source
    origins_ns: list[int]
    known_from: int
    next_index: int
    holes: list[Stretch] = field(default_factory=list)

    def has_clock_of(self, chunk: Chunk) -> bool:
        """Return whether a chunk is of this stream by its source and by a clock that the stream has had."""
        return chunk.is_of_source(self.source) and any(
            abs(chunk.base_ns - origin) <= CLOCK_TOLERANCE_NS for origin in self.origins_ns
        )

    def lacking(self, start: int, end: int) -> list[Stretch]:
        """Return what of a stretch is not stored."""
        found = [(max(start, first), min(end, last)) for first, last in self.holes if first < end and last > start]
        if end > self.next_index:
            found.append((max(start, self.next_index), end))
        return found

    def add(self, chunk: Chunk) -> None:
        """Take a chunk as stored."""
        start, end = chunk.start_index, chunk.end_index
        if start < self.known_from:
            if end < self.known_from:
                self.holes.insert(0, (end, self.known_from))
            self.known_from = start
        if start > self.next_index:
            self.holes.append((self.next_index, start))
        else:
            self.holes = [piece for hole in self.holes for piece in _without(hole, start, end)]
        del self.holes[:-MOST_HOLES]
        self.next_index = max(self.next_index, end)
        if abs(chunk.base_ns - self.origins_ns[-1]) > CLOCK_TOLERANCE_NS and not self.has_clock_of(chunk):
            self.origins_ns.append(chunk.base_ns)
            del self.origins_ns[:-MOST_ORIGINS]


class Positions:
    """Positions of the streams of one patient and device.

    Parameters
    ----------
    chunks : what is stored, in the order of the topic
    """

    def __init__(self, chunks: Iterable[Chunk] = ()) -> None:
        self._streams: list[StreamPosition] = []
        for chunk in chunks:
            self.add(chunk)

    @property
    def next_index(self) -> int | None:
        """The index after the last sample of the newest stream; None where none is known."""
        return self._streams[-1].next_index if self._streams else None

    @property
    def newest(self) -> StreamPosition | None:
        """The newest stream."""
        return self._streams[-1] if self._streams else None

    def go_on(self, chunk: Chunk) -> bool:
        """Take a chunk as stored that begins where the newest stream ends, by its clock: what nearly all do.

        Returns
        -------
        whether it does; else nothing was done
        """
        stream = self.newest
        if stream is None or chunk.start_index != stream.next_index or not chunk.is_of_source(stream.source):
            return False
        if abs(chunk.base_ns - stream.origins_ns[-1]) > CLOCK_TOLERANCE_NS:
            return False
        stream.next_index = chunk.end_index
        return True

    def is_certain_of(self, chunk: Chunk) -> bool:
        """Return whether it is certain what of a chunk is stored."""
        stream = self._stream_of(chunk)
        return stream is not None and stream.has_clock_of(chunk) and chunk.start_index >= stream.known_from

    def reach_back_to(self, chunk: Chunk) -> None:
        """Note that what is not known of a chunk is not stored: everything that could be it was looked at."""
        stream = self._stream_of(chunk)
        if stream is not None and chunk.start_index < stream.known_from:
            stream.holes.insert(0, (chunk.start_index, stream.known_from))
            stream.known_from = chunk.start_index

    def not_stored(self, chunk: Chunk) -> Sequence[Chunk]:
        """Return the parts of a chunk that are not stored."""
        stream = self._stream_of(chunk)
        if stream is None:
            return (chunk,)
        stretches = stream.lacking(chunk.start_index, chunk.end_index)
        if stretches == [(chunk.start_index, chunk.end_index)]:
            return (chunk,)
        return [part_of(chunk, start, end) for start, end in stretches]

    def lost_before(self, chunk: Chunk) -> int:
        """Return how many samples are missing between a stream's end and a chunk that goes on with it."""
        stream = self._stream_of(chunk)
        return 0 if stream is None else max(0, chunk.start_index - stream.next_index)

    def add(self, chunk: Chunk) -> None:
        """Take a chunk as stored."""
        stream = self._stream_of(chunk)
        if stream is not None:
            stream.add(chunk)
            return
        self._streams.append(
            StreamPosition(
                source=chunk.source,
                origins_ns=[chunk.base_ns],
                known_from=chunk.start_index,
                next_index=chunk.end_index,
            )
        )
        del self._streams[:-MOST_STREAMS]

    def _stream_of(self, chunk: Chunk) -> StreamPosition | None:
        """The stream that a chunk is of; None where it begins one."""
        for stream in reversed(self._streams):
            if stream.has_clock_of(chunk):
                return stream
        newest = self.newest
        # A clock that jumped: the samples go on where they were.
        if newest is not None and chunk.is_of_source(newest.source) and chunk.start_index >= newest.next_index:
            return newest
        return None


def part_of(chunk: Chunk, start: int, end: int) -> Chunk:
    """Return a chunk's samples from one running index to before another, under the same clock."""
    rows = slice(start - chunk.start_index, end - chunk.start_index)
    start_ns = chunk.base_ns + Grid(exact_rate(chunk.fs_hz)).offset_ns(start)
    return replace(chunk, start_index=start, start_ns=start_ns, samples=chunk.samples[rows])


def _without(hole: Stretch, start: int, end: int) -> list[Stretch]:
    first, last = hole
    return [piece for piece in ((first, min(last, start)), (max(first, end), last)) if piece[0] < piece[1]]
