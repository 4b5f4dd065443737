"""Samples that were read back from the topic, put in the order of their time."""

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from bus.samples import CLOCK_TOLERANCE_NS, Chunk
from ecg.records import MISSING, Int16Array, Record, exact_rate
from ecg.windows import Grid


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredSamples:
    """A stretch of a patient's samples, as the device sent them.

    Attributes
    ----------
    patient, device : who, and what recorded
    start_ns : time of the first row by the device's clock, ns UTC
    fs_hz : sampling rate in Hz
    leads : lead names, in the order of the columns of ``samples``
    gain : per lead, ADC units per mV
    baseline : per lead, the ADC value of 0 mV
    samples : (n, leads) int16, ADC units, over the whole stretch that was asked for; ``ecg.records.MISSING`` where
        nothing was received
    streams : from how many streams and settings of a clock they are; 1 when nothing was restarted or set in between
    left_out : samples of the stretch that another device, rate, gain or set of leads sent: they fit no column
    """

    patient: str
    device: str
    start_ns: int
    fs_hz: float
    leads: tuple[str, ...]
    gain: tuple[float, ...]
    baseline: tuple[int, ...]
    samples: Int16Array
    streams: int
    left_out: int

    def as_record(self) -> Record:
        """Return the stretch as a recording of the patient's name, with what of it was left out."""
        remarks = []
        if self.left_out:
            remarks.append(f"{self.left_out} samples of another device, rate, gain or set of leads are left out")
        if self.streams > 1:
            remarks.append(f"it is put together from {self.streams} streams: a device was restarted, or its clock set")
        return Record(
            name=self.patient,
            fs_hz=self.fs_hz,
            leads=self.leads,
            gain=self.gain,
            baseline=self.baseline,
            samples=self.samples,
            remarks=tuple(remarks),
        )


def same_stream(one: Chunk, other: Chunk) -> bool:
    """Return whether two chunks are of one stream under one setting of its clock."""
    return other.is_of_source(one) and abs(one.base_ns - other.base_ns) <= CLOCK_TOLERANCE_NS


def put_together(chunks: Sequence[Chunk], from_ns: int, to_ns: int) -> StoredSamples:
    """The stretch [from_ns, to_ns) out of the chunks that overlap it.

    Samples lie by their running index; a jump of the clock moves what follows it. Where two streams have samples of
    one time, those of the later message count. The columns are those of the last message.

    Parameters
    ----------
    chunks : at least one, in the order of the topic
    from_ns, to_ns : the stretch, ns UTC
    """
    newest = chunks[-1]
    rate = exact_rate(newest.fs_hz)
    grid = Grid(rate)
    # Each clock's sample 0, as the first chunk under it has it: what strays within the tolerance is not moved about.
    bases: list[int] = []
    placed: list[tuple[Chunk, int]] = []
    others: list[Chunk] = []
    for chunk in chunks:
        if not chunk.is_of_source(newest):
            others.append(chunk)
            continue
        known = next((base for base in bases if abs(base - chunk.base_ns) <= CLOCK_TOLERANCE_NS), None)
        if known is None:
            known = chunk.base_ns
            bases.append(known)
        placed.append((chunk, known))
    origin = placed[-1][1]
    first, end = _index(rate, origin, from_ns), _index(rate, origin, to_ns)
    samples = np.full((end - first, len(newest.leads)), MISSING, np.int16)
    for chunk, base in placed:
        shift = round(Fraction(base - origin, 1_000_000_000) * rate)
        row = chunk.start_index + shift - first
        inside = slice(max(0, -row), max(0, len(samples) - row))
        piece = chunk.samples[inside]
        samples[max(0, row) : max(0, row) + len(piece)] = piece
    return StoredSamples(
        patient=newest.patient,
        device=newest.device,
        start_ns=origin + grid.offset_ns(first),
        fs_hz=newest.fs_hz,
        leads=newest.leads,
        gain=newest.gain,
        baseline=newest.baseline,
        samples=samples,
        streams=len(bases) + _count_streams(others),
        left_out=sum(_count_inside(chunk, from_ns, to_ns) for chunk in others),
    )


def _index(rate: Fraction, base_ns: int, t_ns: int) -> int:
    """The index of the first sample at or after a time."""
    index = -(-(t_ns - base_ns) * rate.numerator // (rate.denominator * 1_000_000_000))
    # A sample's time is rounded to the nanosecond, and may have been rounded up to this one.
    return index - 1 if base_ns + Grid(rate).offset_ns(index - 1) >= t_ns else index


def _count_inside(chunk: Chunk, from_ns: int, to_ns: int) -> int:
    rate, base = exact_rate(chunk.fs_hz), chunk.base_ns
    first, end = _index(rate, base, from_ns), _index(rate, base, to_ns)
    return max(0, min(chunk.end_index, end) - max(chunk.start_index, first))


def _count_streams(chunks: Sequence[Chunk]) -> int:
    found: list[Chunk] = []
    for chunk in chunks:
        if not any(same_stream(chunk, other) for other in found):
            found.append(chunk)
    return len(found)
