"""Recordings as patients: who replays what from where, cut into chunks in exact time. No clock, no network."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from bus.samples import Chunk
from ecg.errors import EcgStreamError
from ecg.records import Int16Array, Record, exact_rate
from ecg.windows import Grid

DEVICE = "ecgstream-replay"
MIN_CHUNK_MS, MAX_CHUNK_MS = 100, 1000  # the contract of a samples message


@dataclass(frozen=True, slots=True, kw_only=True)
class Patient:
    """One patient of a replay.

    Attributes
    ----------
    id : the patient id
    record : what is replayed
    offset : the sample of the record at which the stream begins
    loop : go on from the record's start at its end. Index and time run on without a break, so the splice is a step
        in one stream, as if a lead had been moved; without it the stream ends where the record does
    length : samples after which the stream ends in any case; None for no such limit
    """

    id: str
    record: Record
    offset: int = 0
    loop: bool = False
    length: int | None = None

    def __post_init__(self) -> None:
        if not 0 <= self.offset < len(self.record.samples):
            raise EcgStreamError(
                f"patient {self.id}: offset={self.offset} is outside record {self.record.name} of "
                f"{len(self.record.samples)} samples: start within it"
            )

    @property
    def end(self) -> int | None:
        """The index after the stream's last sample; None for a stream without end."""
        if self.loop:
            return self.length
        rest = len(self.record.samples) - self.offset
        return rest if self.length is None else min(rest, self.length)


def deal(
    records: Sequence[Record], patients: int | None = None, *, loop: bool = False, duration_s: float | None = None
) -> tuple[Patient, ...]:
    """Many patients from few records: in turn, and each round starts further into its record.

    Parameters
    ----------
    records : what is replayed
    patients : how many patients; by default one a record
    loop : whether streams go on from their record's start
    duration_s : seconds of record time after which every stream ends

    Returns
    -------
    the patients; ids are the record names, numbered where a record serves several patients

    Raises
    ------
    EcgStreamError : when there is no record or no patient
    """
    count = len(records) if patients is None else patients
    if not records or count < 1:
        raise EcgStreamError(f"{len(records)} records for {count} patients: give at least one of each")
    dealt = []
    for number in range(count):
        record = records[number % len(records)]
        rounds = -(-(count - number % len(records)) // len(records))  # how many patients this record serves
        turn = number // len(records)
        dealt.append(
            Patient(
                id=record.name if rounds == 1 else f"{record.name}-{turn + 1:0{len(str(rounds))}d}",
                record=record,
                offset=turn * len(record.samples) // rounds,
                loop=loop,
                length=None if duration_s is None else round(Fraction(duration_s) * exact_rate(record.fs_hz)),
            )
        )
    return tuple(dealt)


def cut(patient: Patient, *, chunk_ms: int, start_ns: int) -> Iterator[Chunk]:
    """The patient's stream in chunks, time and place of each computed from its index alone.

    Parameters
    ----------
    patient : whose stream
    chunk_ms : length of a chunk, ms of record time, 100 to 1000; the last one may be shorter
    start_ns : time of the stream's first sample, ns UTC

    Raises
    ------
    EcgStreamError : when the chunk length is outside its limits
    """
    if not MIN_CHUNK_MS <= chunk_ms <= MAX_CHUNK_MS:
        raise EcgStreamError(f"chunk_ms={chunk_ms} is outside {MIN_CHUNK_MS} to {MAX_CHUNK_MS} ms: choose within")
    return _cut(patient, chunk_ms, start_ns)


def _cut(patient: Patient, chunk_ms: int, start_ns: int) -> Iterator[Chunk]:
    record, end = patient.record, patient.end
    rate = exact_rate(record.fs_hz)
    grid, per_chunk = Grid(rate), rate * chunk_ms / 1000
    number = index = 0
    while end is None or index < end:
        number += 1
        stop = per_chunk.numerator * number // per_chunk.denominator
        if end is not None:
            stop = min(stop, end)
        yield Chunk(
            patient=patient.id,
            device=DEVICE,
            start_ns=start_ns + grid.offset_ns(index),
            start_index=index,
            fs_hz=record.fs_hz,
            leads=record.leads,
            gain=record.gain,
            baseline=record.baseline,
            samples=_samples(record.samples, patient.offset + index, stop - index),
        )
        index = stop


def _samples(samples: Int16Array, first: int, count: int) -> Int16Array:
    """``count`` samples from place ``first`` of a record that repeats for ever."""
    place = first % len(samples)
    if place + count <= len(samples):
        return samples[place : place + count]
    return samples.take(np.arange(first, first + count), axis=0, mode="wrap")
