"""Faults that happen in life, on purpose and seeded: each turns a sequence of chunks into another.

Where a fault strikes is drawn in seconds of the stream, from the seed, the patient and the fault's name alone: another
chunk length, or another fault beside it, moves nothing. Faults of the line (duplicates, reordering) strike chunks.
"""

import random
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from bus.samples import Chunk
from ecg.records import MISSING, Float32Array, Int16Array, exact_rate
from ecg.windows import Grid

RAIL_MV = 10.0  # beyond any ECG: an open input drifts to the end of the amplifier's range
_HOUR_S = 3600.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Strikes:
    """The times at which a fault strikes a patient.

    Attributes
    ----------
    seed : of the run
    patient, name : whom, and with what
    per_hour : strikes in an hour of the stream, on average
    longest_s : lengths are drawn evenly between a twentieth of it and it, seconds
    """

    seed: int
    patient: str
    name: str
    per_hour: float
    longest_s: float

    def draw(self) -> Iterator[tuple[float, float, float]]:
        """Start and end of each strike, seconds of the stream, in order and apart; and a number in [0, 1), its kind."""
        if self.per_hour <= 0:
            return
        chance = random.Random(f"{self.seed}/{self.patient}/{self.name}")  # noqa: S311 - repeatable, no secret
        at = 0.0
        while True:
            at += chance.expovariate(self.per_hour / _HOUR_S)
            length = chance.uniform(self.longest_s / 20, self.longest_s)
            yield at, at + length, chance.random()
            at += length


def _stretches(chunks: Iterable[Chunk], strikes: Strikes) -> Iterator[tuple[Chunk, list[tuple[int, int, float]]]]:
    """Each chunk with the strikes on it, as rows [first, end) of its samples."""
    drawn = strikes.draw()
    ahead = next(drawn, None)
    running: list[tuple[float, float, float]] = []
    for chunk in chunks:
        rate = chunk.fs_hz
        while ahead is not None and round(ahead[0] * rate) < chunk.end_index:
            running.append(ahead)
            ahead = next(drawn, None)
        running = [one for one in running if round(one[1] * rate) > chunk.start_index]
        yield (
            chunk,
            [
                (
                    max(round(start * rate) - chunk.start_index, 0),
                    min(round(end * rate) - chunk.start_index, len(chunk.samples)),
                    kind,
                )
                for start, end, kind in running
            ],
        )


def gaps(chunks: Iterable[Chunk], strikes: Strikes) -> Iterator[Chunk]:
    """Stretches that are never sent."""
    for chunk, stretches in _stretches(chunks, strikes):
        if not stretches:
            yield chunk
            continue
        kept = 0
        for first, end, _ in stretches:
            if first > kept:
                yield _part(chunk, kept, first)
            kept = end
        if kept < len(chunk.samples):
            yield _part(chunk, kept, len(chunk.samples))


def _part(chunk: Chunk, first: int, end: int) -> Chunk:
    grid = Grid(exact_rate(chunk.fs_hz))
    after_ns = grid.offset_ns(chunk.start_index + first) - grid.offset_ns(chunk.start_index)
    return replace(
        chunk,
        start_index=chunk.start_index + first,
        start_ns=chunk.start_ns + after_ns,
        samples=chunk.samples[first:end],
    )


def missing(chunks: Iterable[Chunk], strikes: Strikes) -> Iterator[Chunk]:
    """Stretches in which every lead says "no sample"."""
    for chunk, stretches in _stretches(chunks, strikes):
        yield _overwritten(chunk, [(first, end, slice(None), MISSING) for first, end, _ in stretches])


def lead_off(chunks: Iterable[Chunk], strikes: Strikes, *, shown_as: Literal["rail", "missing"]) -> Iterator[Chunk]:
    """Stretches in which one lead lies flat at its rail, or says "no sample"."""
    for chunk, stretches in _stretches(chunks, strikes):
        marks = []
        for first, end, kind in stretches:
            lead = int(kind * len(chunk.leads))
            rail = min(round(chunk.baseline[lead] + RAIL_MV * chunk.gain[lead]), 32767)
            marks.append((first, end, slice(lead, lead + 1), rail if shown_as == "rail" else MISSING))
        yield _overwritten(chunk, marks)


def _overwritten(chunk: Chunk, marks: list[tuple[int, int, slice, int]]) -> Chunk:
    if not marks:
        return chunk
    samples: Int16Array = chunk.samples.copy()
    for first, end, leads, value in marks:
        samples[first:end, leads] = value
    return replace(chunk, samples=samples)


def clock_jumps(chunks: Iterable[Chunk], strikes: Strikes) -> Iterator[Chunk]:
    """The device's clock jumps, forth or back, and goes on from there; the first chunk at or after it shows it."""
    drawn = strikes.draw()
    ahead = next(drawn, None)
    off_ns = 0
    for chunk in chunks:
        while ahead is not None and ahead[0] * chunk.fs_hz <= chunk.start_index:
            start, end, kind = ahead
            off_ns += round((end - start) * 1e9) * (1 if kind < 0.5 else -1)
            ahead = next(drawn, None)
        yield replace(chunk, start_ns=max(chunk.start_ns + off_ns, 0)) if off_ns else chunk


def duplicates(chunks: Iterable[Chunk], *, seed: int, patient: str, share: float) -> Iterator[Chunk]:
    """A share of the chunks comes twice."""
    chance = random.Random(f"{seed}/{patient}/duplicates")  # noqa: S311 - repeatable, no secret
    for chunk in chunks:
        yield chunk
        if chance.random() < share:
            yield chunk


def reordered(chunks: Iterable[Chunk], *, seed: int, patient: str, share: float) -> Iterator[Chunk]:
    """A share of the chunks comes after the one that follows it."""
    chance = random.Random(f"{seed}/{patient}/reordered")  # noqa: S311 - repeatable, no secret
    held: Chunk | None = None
    for chunk in chunks:
        if held is not None:
            yield chunk
            yield held
            held = None
        elif chance.random() < share:
            held = chunk
        else:
            yield chunk
    if held is not None:
        yield held


def noisy(chunks: Iterable[Chunk], noise_mv: Float32Array) -> Iterator[Chunk]:
    """Noise is added to every lead; what was never taken stays so, what leaves the range is clipped.

    Parameters
    ----------
    chunks : the stream
    noise_mv : (n, leads) float32, mV, at the stream's rate; it begins anew at its end
    """
    for chunk in chunks:
        places = np.arange(chunk.start_index, chunk.end_index)
        added = noise_mv.take(places, axis=0, mode="wrap") * np.asarray(chunk.gain, np.float32)
        summed = np.clip(np.round(chunk.samples + added), MISSING + 1, 32767).astype(np.int16)
        yield replace(chunk, samples=np.where(chunk.samples == MISSING, np.int16(MISSING), summed))
