"""WFDB records written in format 16, which marks a sample that is missing as -32768. Source: header(5), signal(5)."""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np

from ecg.records import Int16Array, Recording

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def write_wfdb(
    header: Path, recording: Recording, pieces: Iterable[Int16Array], *, start_ns: int | None, notes: Iterable[str]
) -> tuple[Path, ...]:
    """Write a record: its header, and its signal file beside it.

    Parameters
    ----------
    header : path of the header; its stem is the record's name, of letters, digits, - and _
    recording : what the header says
    pieces : of its samples, (n, leads) int16 each, ADC units
    start_ns : time of the first sample, ns UTC, kept to the microsecond; None where it is not known
    notes : lines that the header ends with

    Returns
    -------
    the files, the header first

    Raises
    ------
    OSError : when a file cannot be written
    """
    data = header.with_suffix(".dat")
    sums, first, length = np.zeros(len(recording.leads), np.int64), np.zeros(len(recording.leads), np.int64), 0
    with data.open("wb") as file:
        for piece in pieces:
            if not length and len(piece):
                first = piece[0].astype(np.int64)
            sums += piece.sum(axis=0, dtype=np.int64)
            length += len(piece)
            file.write(np.ascontiguousarray(piece, "<i2").tobytes())
    lines = [f"{header.stem} {len(recording.leads)} {_number(recording.fs_hz)} {length}{_time(start_ns)}"]
    for lead, gain, baseline, total, begin in zip(
        recording.leads, recording.gain, recording.baseline, sums.astype(np.int16), first, strict=True
    ):
        lines.append(f"{data.name} 16 {_number(gain)}({baseline})/mV 16 0 {begin} {total} 0 {lead}")
    lines += [f"# {' '.join(note.split())}" for note in notes]
    header.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return header, data


def _number(value: float) -> str:
    return repr(int(value)) if value == int(value) else repr(float(value))


def _time(start_ns: int | None) -> str:
    if start_ns is None:
        return ""
    start = _EPOCH + timedelta(microseconds=start_ns // 1000)
    return f" {start:%H:%M:%S.%f %d/%m/}{start.year:04}"
