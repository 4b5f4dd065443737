"""A patient's samples as browsers want them: all leads or one, as they came or thinned out; each encoded once."""

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Literal, NamedTuple

import numpy as np
import numpy.typing as npt
from numpy.lib.stride_tricks import sliding_window_view

from bus.samples import Chunk
from ecg.filters import low_pass
from ecg.leads import choose_leads
from ecg.records import MISSING, Int16Array
from web.live.frames import ANEW, HOLE, Frame, encode
from web.live.patient import Arrived

MAX_THINNING = 8  # 45 Hz of 360: below it no QRS complex is left
_REACH = 3  # half the filter, in thinned samples: its delay is 25 ms at 360 Hz thinned to 120

Leads = Literal["first", "all"]


class Variant(NamedTuple):
    """Wanted form of a trace.

    Attributes
    ----------
    leads : all, or only the one that is most like lead II
    fs_hz : thinned out to as little as this, Hz; None for the device's own rate
    """

    leads: Leads = "all"
    fs_hz: float | None = None


class Encoded(NamedTuple):
    """A frame's bytes, and how many samples of each lead they hold."""

    frame: bytes
    samples: int


@dataclass(slots=True)
class Thinning:
    """A low-pass and every n-th sample, over chunks as they come.

    The result at sample k*n depends on the samples around it alone, however they were cut. At a hole it begins anew
    behind it; where a sample is missing, what the filter would have made of it is missing too.

    Attributes
    ----------
    factor : n
    """

    factor: int
    _tail: Int16Array | None = None
    _tail_index: int = 0

    def take(self, samples: Int16Array, start_index: int) -> tuple[Int16Array, int]:
        """The next thinned samples, and the index of the first among thinned ones.

        Parameters
        ----------
        samples : (n, leads)
        start_index : of the first in the stream
        """
        tail, first = self._tail, self._tail_index
        if tail is None or first + len(tail) != start_index or tail.shape[1] != samples.shape[1]:
            joined, first = samples, start_index
        else:
            joined = np.concatenate([tail, samples])
        reach = _REACH * self.factor
        # Of each thinned sample, the filter needs `reach` samples on both sides.
        thinned = -(-(first + reach) // self.factor)
        begin = thinned * self.factor - reach - first
        spans = (
            sliding_window_view(joined[begin:], 2 * reach + 1, axis=0)[:: self.factor]
            if (len(joined) - begin > 2 * reach)
            else np.zeros((0, samples.shape[1], 2 * reach + 1), np.int16)
        )
        filtered = np.rint(spans @ _low_pass(self.factor)).astype(np.int16)
        filtered[(spans == MISSING).any(axis=-1)] = MISSING
        keep = begin + len(spans) * self.factor
        self._tail, self._tail_index = joined[keep:], first + keep
        return filtered, thinned


@lru_cache(maxsize=MAX_THINNING)
def _low_pass(factor: int) -> npt.NDArray[np.float32]:
    reach = _REACH * factor
    return low_pass(reach, 0.9 / factor, np.hamming(2 * reach + 1))


class Trace:
    """One patient's trace in one variant."""

    def __init__(self, variant: Variant) -> None:
        self._variant = variant
        self._thinning: Thinning | None = None
        self._flags = 0  # of what gave no frame yet

    def frame(self, arrived: Arrived) -> Encoded | None:
        """The next frame; None when the filter has not seen enough for one."""
        chunk, flags, sent_ms = arrived
        samples, leads, gain, baseline = _columns(chunk, self._variant.leads)
        index, fs_hz, start_ms = chunk.start_index, chunk.fs_hz, chunk.start_ns / 1e6
        factor = factor_of(self._variant, fs_hz)
        if factor > 1:
            if self._thinning is None or self._thinning.factor != factor or flags & ANEW:
                self._thinning = Thinning(factor)
                flags |= HOLE
            samples, thinned = self._thinning.take(samples, index)
            self._flags |= flags
            if not len(samples):
                return None
            flags = self._flags
            start_ms += (thinned * factor - index) * 1e3 / fs_hz
            index, fs_hz = thinned, fs_hz / factor
        self._flags = 0
        frame = Frame(
            patient=chunk.patient,
            flags=flags,
            fs_hz=fs_hz,
            start_ms=start_ms,
            start_index=float(index),
            sent_ms=float(sent_ms),
            leads=leads,
            gain=gain,
            baseline=baseline,
            samples=samples,
        )
        return Encoded(encode(frame), len(samples))


def factor_of(variant: Variant, fs_hz: float) -> int:
    """By how much a trace is thinned out: never below the rate that was asked for."""
    return 1 if variant.fs_hz is None else min(MAX_THINNING, max(1, int(fs_hz // variant.fs_hz)))


def caught_up(recent: Iterable[Arrived] | None, variant: Variant) -> tuple[Trace, list[Encoded]]:
    """The last seconds of a patient for who has just begun to look, and the trace that goes on from there.

    One frame for each unbroken stretch; its samples count as past, without a time at which they were sent.
    """
    trace = Trace(variant)
    frames = (trace.frame(stretch) for stretch in _joined(recent or ()))
    return trace, [frame for frame in frames if frame is not None]


def _joined(recent: Iterable[Arrived]) -> Iterable[Arrived]:
    parts: deque[Arrived] = deque()
    for arrived in recent:
        if parts and arrived.flags:
            yield _one(parts)
            parts.clear()
        parts.append(arrived)
    if parts:
        yield _one(parts)


def _one(parts: deque[Arrived]) -> Arrived:
    first = parts[0]
    samples = np.concatenate([part.chunk.samples for part in parts])
    return Arrived(replace(first.chunk, samples=samples), first.flags, sent_ms=0)


def _columns(chunk: Chunk, wanted: Leads) -> tuple[Int16Array, tuple[str, ...], tuple[float, ...], tuple[int, ...]]:
    if wanted == "all" or len(chunk.leads) == 1:
        return chunk.samples, chunk.leads, chunk.gain, chunk.baseline
    column = choose_leads(chunk.leads)[0]
    return (
        chunk.samples[:, column : column + 1],
        (chunk.leads[column],),
        (chunk.gain[column],),
        (chunk.baseline[column],),
    )
