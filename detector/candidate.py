"""Chunks that continue none of a patient's streams: held until it is clear where they belong."""

from base64 import b64decode, b64encode
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from bus.interfaces import Received
from bus.samples import CLOCK_TOLERANCE_NS, Chunk, Source, decode, encode
from ecg.records import exact_rate
from ecg.windows import Grid

HELD_S = 4.0  # of signal at most, the newest: what a candidate that waits for long has held before is stale
MAX_HELD = 1024  # chunks: a device may send single samples
NEXT_WITHIN_S = 60.0  # a chunk that lies further ahead of a candidate is another one's
# A candidate to which nothing was added for so long is given up: the longest chunk takes ten seconds to gather.
GIVEN_UP_MS = 25_000
EARLY_S = 1.0  # chunks may be swapped on their way by so much
OTHERS_S = 2.0  # or once the patient's streams have gone on for so much signal, or for two of its chunks


@dataclass(frozen=True, slots=True, kw_only=True)
class HeldChunk:
    """A chunk that waits.

    Attributes
    ----------
    chunk, offset, at_ms : the chunk, where it lay, and when the broker got it
    message : what it came in, None in tests alone
    kept : whether its record holds it, so that it need not be reread
    """

    chunk: Chunk
    offset: int
    at_ms: int
    message: Received | None
    kept: bool = False

    def dump(self) -> list[Any]:
        """All of it, as JSON."""
        place = None if self.message is None else [self.message.topic, self.message.partition]
        return [self.offset, self.at_ms, place, b64encode(encode(self.chunk)).decode()]

    @classmethod
    def load(cls, dumped: Sequence[Any]) -> "HeldChunk":
        """Return what ``dump`` gave."""
        offset, at_ms, place, text = dumped
        value = b64decode(text)
        chunk = decode(value)
        message = None
        if place is not None:
            message = Received(
                topic=place[0],
                partition=place[1],
                offset=offset,
                timestamp_ms=at_ms,
                key=chunk.patient.encode(),
                value=value,
            )
        return cls(chunk=chunk, offset=offset, at_ms=at_ms, message=message, kept=True)


@dataclass(slots=True, kw_only=True)
class Candidate:
    """A run of chunks of one source under one clock.

    Attributes
    ----------
    source, base_ns : what its chunks have in common, and the time of sample 0 by their clock
    start, end : from which index to which it has come
    first_end : the end of its first chunk; what lies behind continued it
    began : offset of its first chunk
    grown_ms : when something was added, by the broker's clock
    signal_ns : how much signal the patient's streams had taken in by then
    longest_ns : its longest chunk
    beside : where a stream of its source stood when it began; None where there was none
    held : its newest chunks, in the order in which they came
    """

    source: Source
    base_ns: int
    start: int
    end: int
    first_end: int
    began: int
    grown_ms: int
    signal_ns: int
    longest_ns: int
    beside: int | None
    held: deque[HeldChunk] = field(default_factory=deque)

    @classmethod
    def begin(cls, held: HeldChunk, *, signal_ns: int, beside: int | None) -> "Candidate":
        """A candidate of one chunk."""
        chunk = held.chunk
        return cls(
            source=chunk.source,
            base_ns=chunk.base_ns,
            start=chunk.start_index,
            end=chunk.end_index,
            first_end=chunk.end_index,
            began=held.offset,
            grown_ms=held.at_ms,
            signal_ns=signal_ns,
            longest_ns=_length_ns(chunk),
            beside=beside,
            held=deque([held]),
        )

    @property
    def continued_s(self) -> float:
        """Return how much signal has continued its first chunk, s."""
        return (self.end - self.first_end) / self.source.fs_hz

    @property
    def came_early(self) -> bool:
        """Return whether it lay a little ahead of where its stream stood: what is missing before it may still come."""
        return self.beside is not None and 0 <= self.start - self.beside <= EARLY_S * self.source.fs_hz

    def continued_by(self, chunk: Chunk) -> bool:
        """Return whether a chunk goes on where this candidate stands, or lies among its chunks."""
        return (
            self.start <= chunk.start_index <= self.end + NEXT_WITHIN_S * self.source.fs_hz
            and chunk.is_of_source(self.source)
            and abs(chunk.base_ns - self.base_ns) <= CLOCK_TOLERANCE_NS
        )

    def take(self, held: HeldChunk, *, signal_ns: int) -> bool:
        """Add a chunk that continues it; whether it brought anything that may be new."""
        chunk = held.chunk
        if any(
            one.chunk.start_index <= chunk.start_index and chunk.end_index <= one.chunk.end_index for one in self.held
        ):
            return False
        self.held.append(held)
        if chunk.end_index > self.end:
            self.end, self.grown_ms, self.signal_ns = chunk.end_index, held.at_ms, signal_ns
            self.longest_ns = max(self.longest_ns, _length_ns(chunk))
        return True

    def trim(self) -> int:
        """Let go of chunks beyond what is held; how many samples they had."""
        gone = 0
        oldest = self.end - HELD_S * self.source.fs_hz
        while len(self.held) > 1 and (len(self.held) > MAX_HELD or self.held[0].chunk.end_index <= oldest):
            gone += len(self.held.popleft().chunk.samples)
        return gone

    def is_over(self, *, at_ms: int, signal_ns: int, streams: int) -> bool:
        """Return whether nothing has continued it while others went on."""
        patience_ns = max(OTHERS_S * 1e9, 2 * self.longest_ns) * streams
        return abs(at_ms - self.grown_ms) >= GIVEN_UP_MS or signal_ns - self.signal_ns >= patience_ns

    @property
    def held_from(self) -> int | None:
        """The first message to reread so that it comes back whole; None when its record holds all."""
        return min((one.offset for one in self.held if not one.kept), default=None)

    def park(self) -> None:
        """Make all of it something that need not be reread."""
        self.held = deque(replace(one, kept=True) for one in self.held)

    def dump(self, signal_ns: int) -> dict[str, Any]:
        """Return what a reader of its chunks needs beside them, as JSON."""
        return {
            "source": self.source.dump(),
            "base_ns": self.base_ns,
            "start": self.start,
            "end": self.end,
            "first_end": self.first_end,
            "began": self.began,
            "grown_ms": self.grown_ms,
            "age_ns": signal_ns - self.signal_ns,
            "longest_ns": self.longest_ns,
            "beside": self.beside,
            "kept": [one.dump() for one in self.held if one.kept],
            "held": [one.offset for one in self.held if not one.kept],
        }

    @classmethod
    def load(cls, dumped: dict[str, Any]) -> tuple["Candidate", Sequence[int]]:
        """A candidate without the chunks that are to be reread, and their offsets.

        Its patient's streams have taken in no signal yet.
        """
        fields = dict(dumped)
        offsets = fields.pop("held")
        kept = deque(HeldChunk.load(each) for each in fields.pop("kept"))
        source, signal_ns = Source.load(fields.pop("source")), -fields.pop("age_ns")
        return cls(source=source, signal_ns=signal_ns, held=kept, **fields), offsets


def _length_ns(chunk: Chunk) -> int:
    return Grid(exact_rate(chunk.fs_hz)).offset_ns(len(chunk.samples))
