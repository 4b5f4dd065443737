"""Streams for the tests: signals, and ways to cut them."""

from collections.abc import Iterable, Sequence
from dataclasses import replace

import numpy as np

from bus.samples import Chunk
from detector.due import Due, DueWindow, RapidCheck
from ecg.records import Int16Array, Record, exact_rate
from ecg.wfdb_files import toy_record
from ecg.windows import Grid

START_NS = 1_700_000_000_000_000_000


def signal(seconds: float, fs_hz: float, leads: int, seed: int = 0) -> Int16Array:
    """Noise with a spike every second: any misplaced sample shows."""
    generator = np.random.default_rng(seed)
    samples = generator.integers(-200, 200, (int(seconds * fs_hz), leads)).astype(np.int16)
    samples[:: int(fs_hz)] += 2000
    return samples


def chunk(samples: Int16Array, start: int, end: int, *, fs_hz: float, jump_ns: int = 0, patient: str = "p") -> Chunk:
    """The samples [start, end) of a signal as a chunk."""
    names = ("V1", "MLII", "V5")[: samples.shape[1]]
    return Chunk(
        patient=patient,
        device="test",
        start_ns=START_NS + Grid(exact_rate(fs_hz)).offset_ns(start) + jump_ns,
        start_index=start,
        fs_hz=fs_hz,
        leads=names,
        gain=(200.0,) * len(names),
        baseline=(0,) * len(names),
        samples=samples[start:end],
    )


def cut(samples: Int16Array, lengths: Sequence[int], *, fs_hz: float) -> list[Chunk]:
    """A signal as chunks of the given lengths, taken in turn, up to its end."""
    chunks, start, number = [], 0, 0
    while start < len(samples):
        end = min(len(samples), start + lengths[number % len(lengths)])
        chunks.append(chunk(samples, start, end, fs_hz=fs_hz))
        start, number = end, number + 1
    return chunks


def windows(due: Iterable[Due]) -> list[DueWindow]:
    """The windows of what is due."""
    return [each for each in due if isinstance(each, DueWindow)]


def facts(due: Due) -> tuple[object, ...]:
    """All that a due window or rapid check says, but for the message that made it due and what is filtered of it."""
    if isinstance(due, RapidCheck):
        return ("check", due.second, due.start_ns, due.end_ns, due.stream.start_ns, due.samples.tobytes())
    return (
        due.window,
        due.start_ns,
        due.end_ns,
        due.stream.start_ns,
        due.columns,
        due.segment.tobytes(),
        due.gap_before_s,
        due.missing_samples,
        due.duplicate_samples,
        due.clock_jump_ns,
        due.clock_jumps_abs_ns,
    )


def stopped(cut_s: float, seconds: float) -> Record:
    """The excerpt of record 208, cut to its noise floor for the last part."""
    record = toy_record()
    at = round(cut_s * record.fs_hz)
    samples = record.samples[: round(seconds * record.fs_hz)].copy()
    noise = np.random.default_rng(3).normal(0, 2, samples[at:].shape)
    samples[at:] = np.rint(samples[at - 1] + noise)
    return replace(record, name="p", samples=samples)
