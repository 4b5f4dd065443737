"""Prints of recordings: what tells a copy under any name, in any file format, as long as its samples are the same."""

import hashlib

import numpy as np

from ecg.records import Record

PRINT_S = 10.0  # of the record's start: a copy that is cut at its end is still known
_DIGITS = 16


def lead_prints(record: Record) -> frozenset[str]:
    """The print of each lead: SHA-256 of its first ``PRINT_S`` seconds of stored samples, 16 hex digits.

    A lead that does not move there has none: two of them would be alike.
    """
    start = record.samples[: round(PRINT_S * record.fs_hz)].astype("<i2")
    moving = np.flatnonzero(np.ptp(start, axis=0)) if len(start) else ()
    return frozenset(
        hashlib.sha256(np.ascontiguousarray(start[:, lead]).tobytes()).hexdigest()[:_DIGITS] for lead in moving
    )
