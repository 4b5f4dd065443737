"""Stretches of recordings for export, and the words about what was written."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from ecg.errors import EcgStreamError
from ecg.npy_files import WindowSet
from ecg.records import MISSING, Recording, exact_rate

_PIECE = 1_000_000  # samples of each lead that are looked through at once


def stretch_of(found: Recording | WindowSet, *, start_s: float, seconds: float | None) -> Recording:
    """Return a stretch of a recording, all of it where none is asked for.

    Parameters
    ----------
    found : what a file holds
    start_s, seconds : where the stretch begins, and its length; None for all that follows

    Raises
    ------
    EcgStreamError : when the file holds windows that are recordings of their own, or nothing of it is in the stretch
    """
    if isinstance(found, WindowSet):
        raise EcgStreamError(
            f"{found.record.name} holds {found.count} windows, here a recording in one piece is needed: give one of "
            "shape (n, leads)"
        )
    rate = exact_rate(found.fs_hz)
    first = round(start_s * rate)
    end = found.length if seconds is None else min(found.length, first + round(seconds * rate))
    if first >= end:
        wanted = f"from {start_s:g} s on" if seconds is None else f"in the {seconds:g} s from {start_s:g} s on"
        raise EcgStreamError(
            f"record {found.name} has {found.seconds:g} s, and no sample {wanted}: give an earlier --start, or more "
            "--seconds"
        )
    return found if (first, end) == (0, found.length) else found.stretch(first, end)


def described(recording: Recording) -> dict[str, Any]:
    """Return what is written, as the JSON of the commands has it beside the files: before it may be written over."""
    missing = sum(int(np.count_nonzero(piece == MISSING)) for piece in recording.pieces(_PIECE))
    return {
        "leads": list(recording.leads),
        "fs_hz": recording.fs_hz,
        "seconds": round(recording.seconds, 3),
        "samples": recording.length * len(recording.leads),
        "missing": missing,
        "remarks": list(recording.remarks),
    }


def lines_of(found: Mapping[str, Any]) -> list[str]:
    """Return what was written, for people."""
    lost = f", {found['missing']} of {found['samples']} samples marked missing" if found["missing"] else ""
    return [
        (
            f"{', '.join(found['files'])}: {found['seconds']:g} s of {', '.join(found['leads'])} "
            f"at {found['fs_hz']:g} Hz{lost}"
        ),
        *(f"  {remark}" for remark in found["remarks"]),
    ]
