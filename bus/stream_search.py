"""Finding a time of a patient's recording in a partition that knows only the times at which messages were sent.

A patient's streams follow each other in the partition, and within one the time grows. So a stream is searched by
halving; when it does not hold the time, the one before it is, from the newest on: a replay that began anew, or a
device whose clock was set back, counts as what it said last. What is sent once more under the same clock is the same
stream, as it is for the detector. Two devices that send for one patient at the same time are not told apart.
"""

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from typing import Generic, NamedTuple, Protocol, TypeVar

from bus.samples import Chunk
from bus.stored_samples import same_stream
from ecg.errors import EcgStreamError

STEP = 256  # messages: the first look back; each further one reaches four times as far
NEAR = 1024  # messages that are read rather than halved once more
LATE_NS = 1_000_000_000  # a chunk that comes later than that behind its successor is late for the detector, too
MAX_STREAMS = 100  # of one patient, tried one after the other


class NoSamplesError(EcgStreamError):
    """The topic has no sample of the patient and the time."""


class SamplesGoneError(NoSamplesError):
    """The topic keeps nothing as old as that any more."""


class SearchLimitError(EcgStreamError):
    """Finding the samples would read too much."""


def check_span(from_ns: int, to_ns: int, *, longest_s: float) -> None:
    """See that a stretch of time can be read back in one call.

    Raises
    ------
    SearchLimitError : when it is empty or too long
    """
    span_s = (to_ns - from_ns) / 1e9
    if not 0 < span_s <= longest_s:
        raise SearchLimitError(f"a stretch of {span_s:g} s is outside 0 to {longest_s:g} s: ask for it in parts")


class Timed(Protocol):
    """A message of a stream: it begins at a time of the recording."""

    @property
    def start_ns(self) -> int:
        """Its beginning, ns UTC."""


T = TypeVar("T", bound=Timed)


class Found(NamedTuple, Generic[T]):
    """One of the patient's messages."""

    offset: int
    piece: T


class PatientLog(Protocol[T]):
    """A partition, of which only one patient's messages are seen."""

    beginning: int
    end: int

    def scan(self, start: int, stop: int) -> AsyncIterator[Found[T]]:
        """The patient's messages from offset ``start`` up to ``stop``, excluded."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pieces(Generic[T]):
    """The order of a topic's messages in time.

    Attributes
    ----------
    same_stream : whether two are of one stream under one setting of its clock
    end_ns : where one ends, ns UTC
    """

    same_stream: Callable[[T, T], bool]
    end_ns: Callable[[T], int]


CHUNKS = Pieces(same_stream=same_stream, end_ns=lambda chunk: chunk.end_ns)


async def find(log: PatientLog[Chunk], from_ns: int, to_ns: int) -> list[Chunk]:
    """The chunks of samples that have something of a stretch of time, as ``search`` finds them."""
    return await search(log, from_ns, to_ns, CHUNKS)


async def search(log: PatientLog[T], from_ns: int, to_ns: int, pieces: Pieces[T]) -> list[T]:
    """Find the messages that have something of [from_ns, to_ns), in the order of the log.

    They are of the newest stream that has any of it, and, where that stream begins within, of those before it.

    Parameters
    ----------
    log : where the patient's messages are
    from_ns, to_ns : the stretch by the device's clock, ns UTC
    pieces : how the messages lie in time

    Raises
    ------
    NoSamplesError : when there is none; ``SamplesGoneError`` when there may have been
    SearchLimitError : when the patient has had too many streams since
    """
    stop = log.end
    gathered: list[T] = []
    for _ in range(MAX_STREAMS):
        newest = await _last(log, stop)
        if newest is None:
            break
        found, before = await _search(log, newest, stop, (from_ns, to_ns), pieces)
        if gathered and not found:
            break
        gathered = found + gathered
        if before is None:
            break
        stop = before.offset + 1
    else:
        if not gathered:
            raise SearchLimitError(
                f"more than {MAX_STREAMS} streams of the patient have begun since: ask for a time that is nearer"
            )
    if not gathered:
        raise _none(log, await _first(log, log.beginning, stop), from_ns)
    return gathered


async def _search(
    log: PatientLog[T], newest: Found[T], stop: int, stretch: tuple[int, int], pieces: Pieces[T]
) -> tuple[list[T], Found[T] | None]:
    """Return what one stream has of a stretch, and the last message before it where more may be found.

    Parameters
    ----------
    log, pieces : see ``search``
    newest : the stream's last message
    stop : the offset before which it lies
    stretch : from when to when, ns UTC
    """
    stream = newest.piece
    from_ns, to_ns = stretch

    def elsewhere(piece: T) -> bool:
        # What was sent once more under the same clock comes earlier than what was sent before it.
        return not pieces.same_stream(piece, stream) or piece.start_ns > stream.start_ns + LATE_NS

    def before(piece: T) -> bool:
        return not pieces.same_stream(piece, stream) or pieces.end_ns(piece) <= from_ns - LATE_NS

    last = await _boundary(log, newest, before)
    hits = []
    async for found in log.scan(log.beginning if last is None else last.offset + 1, stop):
        if found.piece.start_ns < to_ns and pieces.end_ns(found.piece) > from_ns:
            hits.append(found.piece)
        elif found.piece.start_ns >= to_ns + LATE_NS and pieces.same_stream(found.piece, stream):
            break
    if not hits:
        return [], await _boundary(log, newest, elsewhere)
    whole = min(piece.start_ns for piece in hits) <= from_ns
    return hits, None if whole or last is None or pieces.same_stream(last.piece, stream) else last


def _none(log: PatientLog[T], oldest: Found[T] | None, from_ns: int) -> NoSamplesError:
    if log.beginning > 0 and (oldest is None or oldest.piece.start_ns > from_ns):
        return SamplesGoneError("the samples of that time have left the topic: its retention is over for them")
    return NoSamplesError("the topic has no samples of that patient and time")


async def _first(log: PatientLog[T], start: int, stop: int) -> Found[T] | None:
    """The patient's first message in a stretch of the log."""
    async for found in log.scan(start, stop):
        return found
    return None


async def _last(log: PatientLog[T], stop: int) -> Found[T] | None:
    """The patient's last message before an offset."""
    step = STEP
    while stop > log.beginning:
        start = max(log.beginning, stop - step)
        last = None
        async for found in log.scan(start, stop):
            last = found
        if last is not None:
            return last
        stop, step = start, 4 * step
    return None


async def _boundary(log: PatientLog[T], after: Found[T], before: Callable[[T], bool]) -> Found[T] | None:
    """The patient's last message that is ``before``, where all up to it are and all from ``after`` back are not.

    None when there is no such message.
    """
    if before(after.piece):
        return after
    # ``clear`` and what follows is not before; ``lower`` is.
    lower, clear, step = None, after.offset, STEP
    while clear > log.beginning:
        start = max(log.beginning, clear - step)
        found = await _first(log, start, clear)
        if found is not None and before(found.piece):
            lower = found
            break
        clear, step = start, 4 * step
    if lower is None:
        return None
    while clear - lower.offset > NEAR:
        middle = (lower.offset + 1 + clear) // 2
        found = await _first(log, middle, clear)
        if found is not None and before(found.piece):
            lower = found
        else:
            clear = middle
    async for found in log.scan(lower.offset + 1, clear):
        if not before(found.piece):
            break
        lower = found
    return lower
