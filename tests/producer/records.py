"""Small records for tests of the replay."""

import numpy as np

from bus.samples import Chunk
from ecg.records import Record


def record(samples: int = 3600, *, name: str = "r", fs_hz: float = 360.0, leads: int = 2) -> Record:
    """A record in which every sample tells its place: lead 0 counts up, lead 1 down."""
    count = np.arange(samples) % 32_000
    columns = [count, -count, count // 2][:leads]
    return Record(
        name=name,
        fs_hz=fs_hz,
        leads=("MLII", "V5", "V1")[:leads],
        samples=np.stack(columns, axis=1).astype(np.int16),
        gain=(200.0,) * leads,
        baseline=(0,) * leads,
    )


def joined(chunks: list[Chunk]) -> np.ndarray[tuple[int, int], np.dtype[np.int16]]:
    """The samples of consecutive chunks."""
    return np.concatenate([chunk.samples for chunk in chunks])
