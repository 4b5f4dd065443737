"""Samples of the past in unbroken stretches, as they came or filtered as the detector filters them."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np

from bus.stored_samples import StoredSamples
from ecg.filters import band_pass, notch, resample
from ecg.records import MISSING, exact_rate, from_millivolts, to_millivolts
from ecg.segments import MODEL_FS_HZ
from ecg.windows import Grid
from web.live.frames import HOLE, Frame, encode

FILTERED_GAIN = 1000.0  # units per mV: a microvolt each, 32 mV at most
SETTLE_S = 5.0  # of samples on both sides, so that the filter has settled where it is looked at
_NS = 1_000_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Stretch:
    """Samples without a break.

    Attributes
    ----------
    start_ns : time of the first, ns UTC
    first, end : rows of the samples that they are of
    """

    start_ns: int
    first: int
    end: int


def stretches(found: StoredSamples) -> list[Stretch]:
    """Return the stretches in which at least one lead has samples."""
    there = (found.samples != MISSING).any(axis=1)
    edges = np.flatnonzero(np.diff(there, prepend=False, append=False))
    grid = Grid(exact_rate(found.fs_hz))
    return [
        Stretch(start_ns=found.start_ns + grid.offset_ns(int(first)), first=int(first), end=int(end))
        for first, end in list(pairwise(edges))[::2]
    ]


def frames(found: StoredSamples) -> Iterator[bytes]:
    """A frame for each stretch; indices count from the first sample."""
    for stretch in stretches(found):
        yield encode(
            Frame(
                patient=found.patient,
                flags=HOLE,
                fs_hz=found.fs_hz,
                start_ms=stretch.start_ns / 1e6,
                start_index=float(stretch.first),
                leads=found.leads,
                gain=found.gain,
                baseline=found.baseline,
                samples=found.samples[stretch.first : stretch.end],
            )
        )


def between(found: StoredSamples, from_ns: int, to_ns: int) -> StoredSamples:
    """The part of samples that lies in [from_ns, to_ns)."""
    rate = exact_rate(found.fs_hz)

    def row(t_ns: int) -> int:
        return min(len(found.samples), max(0, round((t_ns - found.start_ns) * rate / _NS)))

    first = row(from_ns)
    return replace(
        found,
        start_ns=found.start_ns + Grid(rate).offset_ns(first),
        samples=found.samples[first : row(to_ns)],
    )


def filtered(found: StoredSamples, *, mains_hz: float | None) -> StoredSamples:
    """Samples as the networks see them, but for their normalisation: at 100 Hz, 0.5 to 40 Hz, without mains hum.

    Each stretch is filtered by itself; what is missing stays missing.

    Parameters
    ----------
    found : as they came
    mains_hz : mains frequency to take out, Hz; None for none
    """
    fs_hz = found.fs_hz
    raw_mv = to_millivolts(found.samples, found.gain, found.baseline)
    ratio = MODEL_FS_HZ / fs_hz
    count = int(np.ceil(len(raw_mv) * ratio))
    out_mv = np.full((count, len(found.leads)), np.nan, np.float32)
    for column in range(len(found.leads)):
        edges = np.flatnonzero(np.diff(~np.isnan(raw_mv[:, column]), prepend=False, append=False))
        for first, end in list(pairwise(edges))[::2]:
            part = raw_mv[first:end, column]
            if len(part) < fs_hz:  # less than a second: the filter does not settle in it
                continue
            if mains_hz is not None and mains_hz < fs_hz / 2:
                part = notch(part, fs_hz, mains_hz=mains_hz)
            part = band_pass(resample(part, fs_hz, to_hz=MODEL_FS_HZ), MODEL_FS_HZ)
            begin = int(np.ceil(first * ratio))
            out_mv[begin : begin + len(part), column] = part[: count - begin]
    leads = len(found.leads)
    return replace(
        found,
        fs_hz=MODEL_FS_HZ,
        gain=(FILTERED_GAIN,) * leads,
        baseline=(0,) * leads,
        samples=from_millivolts(out_mv, FILTERED_GAIN),
    )
