"""Strips to draw in tests."""

from typing import Any

import numpy as np

from ecg.records import Float32Array
from reports.strip import Strip

FS_HZ = 250.0


def wave_mv(seconds: float, leads: int = 2) -> Float32Array:
    """A cosine of 1 mV and 1 Hz in every lead: it holds its extremes."""
    wave = np.cos(2 * np.pi * np.arange(round(seconds * FS_HZ)) / FS_HZ)
    return np.repeat(wave[:, np.newaxis], leads, axis=1).astype(np.float32)


def strip_of(seconds: float = 10.0, *, names: tuple[str, ...] = ("II", "V1"), **fields: Any) -> Strip:
    """A strip of waves, with what else is given."""
    samples_mv = fields.pop("samples_mv", wave_mv(seconds, len(names)))
    return Strip(fs_hz=FS_HZ, leads=names, samples_mv=samples_mv, start_s=fields.pop("start_s", 60.0), **fields)
