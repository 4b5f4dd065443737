"""Samples for the tests of the live view."""

import numpy as np

from bus.samples import Chunk

START_NS = 1_700_000_000_000_000_000
FS_HZ = 360.0


def signal(count: int, leads: int = 2, *, start: int = 0) -> np.ndarray:
    """A smooth signal that is the same however it is cut."""
    at = np.arange(start, start + count)[:, None]
    units = 1000 + 300 * np.sin(at / 17 + np.arange(leads)) + 50 * np.sin(at / 3)
    return np.asarray(np.rint(units), np.int16)


def chunk(start: int, count: int, *, patient: str = "p1", base_ns: int = START_NS, **changes: object) -> Chunk:
    """Consecutive samples from an index on."""
    fields: dict[str, object] = {
        "patient": patient,
        "device": "holter",
        "start_ns": base_ns + round(start * 1e9 / FS_HZ),
        "start_index": start,
        "fs_hz": FS_HZ,
        "leads": ("V1", "MLII"),
        "gain": (200.0, 100.0),
        "baseline": (1024, 1000),
        "samples": signal(count, start=start),
    }
    return Chunk(**(fields | changes))  # type: ignore[arg-type] # as the fields say


def cut(total: int, lengths: list[int], **changes: object) -> list[Chunk]:
    """A stream of a total length in chunks of the given lengths, again and again."""
    found, at, turn = [], 0, 0
    while at < total:
        count = min(lengths[turn % len(lengths)], total - at)
        found.append(chunk(at, count, **changes))  # type: ignore[arg-type] # as the test says
        at, turn = at + count, turn + 1
    return found
