"""Samples of the past for tests."""

import numpy as np

from bus.stored_samples import StoredSamples
from ecg.records import MISSING
from tests.web.live.chunks import FS_HZ, START_NS, signal


def sampled(samples: np.ndarray) -> StoredSamples:
    return StoredSamples(
        patient="p1",
        device="holter",
        start_ns=START_NS,
        fs_hz=FS_HZ,
        leads=("V1", "MLII"),
        gain=(200.0, 100.0),
        baseline=(1024, 1000),
        samples=samples,
        streams=1,
        left_out=0,
    )


def with_holes(count: int, *holes: slice) -> np.ndarray:
    samples = signal(count)
    for hole in holes:
        samples[hole] = MISSING
    return samples
