"""ECGs as numpy arrays: a recording of shape (n,) or (n, leads), or windows of shape (windows, n, leads)."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from math import ceil, prod
from pathlib import Path
from typing import BinaryIO

import numpy as np
import numpy.typing as npt

from ecg.errors import EcgStreamError
from ecg.quantise import record_of
from ecg.records import MAX_LEADS, MISSING, Record, check_fs, exact_rate
from ecg.resampling import MAX_READ_HZ
from ecg.segments import CONTEXT_S
from ecg.windows import HOP_S, WINDOW_S, Grid

MAX_WINDOWS = 5000  # of five seconds: seven hours
_HEADERS = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}


@dataclass(frozen=True, slots=True, kw_only=True)
class WindowSet:
    """Windows that have nothing to do with each other: each is to be judged as a recording of its own.

    Attributes
    ----------
    record : all of them on one time axis, in order, each behind so long a hole that it sees nothing of the one before
    count : how many there are
    length : samples in each
    """

    record: Record
    count: int
    length: int

    @property
    def step_windows(self) -> int:
        """From one window's start to the next one's on the axis, in steps of 5 s."""
        return _step_windows(self.length, self.record.fs_hz)

    def each(self) -> Iterator[tuple[int, Record]]:
        """Each window's first sample on the axis, and the window as a recording."""
        grid = Grid(exact_rate(self.record.fs_hz))
        for number in range(self.count):
            start = grid.start(number * self.step_windows)
            yield start, replace(self.record, samples=self.record.samples[start : start + self.length])


def read_npy(
    path: Path, *, fs_hz: float | None = None, leads: tuple[str, ...] | None = None, unit: str | None = None
) -> Record | WindowSet:
    """An ECG as a numpy array; never unpickled.

    Parameters
    ----------
    path : the file
    fs_hz : sampling rate in Hz
    leads : names of the columns
    unit : "mV", "uV", "V" or "adc"; mV by default

    Raises
    ------
    EcgStreamError : when no rate is given, the file is damaged, or the array is no ECG
    """
    if fs_hz is None:
        raise EcgStreamError(f"{path.name} does not hold its sampling rate: give it in Hz")
    check_fs(fs_hz, most_hz=MAX_READ_HZ)
    values = read_array(path)
    if values.ndim == 1:
        values = values[:, np.newaxis]
    if values.ndim not in {2, 3} or not 1 <= values.shape[-1] <= MAX_LEADS or 0 in values.shape:
        raise EcgStreamError(
            f"{path.name} has shape {values.shape}: give (n,), (n, leads) or (windows, n, leads) with 1 to {MAX_LEADS} "
            "leads, one row an instant (transpose it?)"
        )
    names = leads if leads is not None else tuple(f"signal {column}" for column in range(values.shape[-1]))
    if len(names) != values.shape[-1]:
        raise EcgStreamError(f"{path.name} has {values.shape[-1]} columns, {len(names)} lead names: give one name each")
    if values.ndim == 3:
        _check_windows(path, values.shape, fs_hz)
    record = record_of(
        values.reshape(-1, len(names)),
        name=path.stem,
        fs_hz=fs_hz,
        leads=names,
        units=[unit] * len(names),
        missing=MISSING if values.dtype == np.int16 else None,
    )
    if values.ndim == 2:
        return record
    return _laid_out(record, count=values.shape[0], length=values.shape[1])


def read_array(path: Path) -> npt.NDArray[np.generic]:
    """The numbers of a ``.npy`` file, read from the disk where they are looked at; never unpickled.

    Raises
    ------
    EcgStreamError : when the file is damaged, holds more than one array or something else than numbers
    """
    with path.open("rb") as file:
        try:
            shape, by_columns, dtype = _header(file)
        except (ValueError, OSError, EOFError, TypeError, SyntaxError, RecursionError) as error:
            why = str(error).splitlines()[0][:200] if str(error) else type(error).__name__
            raise EcgStreamError(
                f"{path.name} is no plain numpy array ({why}): save numbers with numpy.save"
            ) from error
        if dtype.hasobject:
            raise EcgStreamError(
                f"{path.name} is no plain numpy array (it holds objects): save numbers with numpy.save"
            )
        if dtype.kind not in "iuf":
            raise EcgStreamError(f"{path.name} holds {dtype}, not numbers: save integers or floats")
        held, claimed = path.stat().st_size - file.tell(), prod(shape) * dtype.itemsize
        if min(shape, default=0) < 0 or held != claimed:
            raise EcgStreamError(
                f"{path.name} is no plain numpy array (its shape {str(shape)[:80]} takes {claimed} bytes, it holds "
                f"{held}): save it anew with numpy.save"
            )
        if claimed == 0:
            return np.zeros(shape, dtype)
        return np.memmap(file, dtype, "r", file.tell(), shape, "F" if by_columns else "C")


def _header(file: BinaryIO) -> tuple[tuple[int, ...], bool, np.dtype[np.generic]]:
    version = np.lib.format.read_magic(file)
    if version not in _HEADERS:
        raise ValueError(f"version {version} of the format is for named fields")
    shape, by_columns, dtype = _HEADERS[version](file)
    return shape, by_columns, dtype


def _check_windows(path: Path, shape: tuple[int, ...], fs_hz: float) -> None:
    count, length, _ = shape
    if length < WINDOW_S * fs_hz:
        raise EcgStreamError(
            f"{path.name} has shape {shape}: windows of {length} samples, which is {length / fs_hz:.3g} s at "
            f"{fs_hz:g} Hz and below {WINDOW_S} s: give longer windows, better {CONTEXT_S} s"
        )
    if count > MAX_WINDOWS:
        raise EcgStreamError(f"{path.name} holds {count} windows, above {MAX_WINDOWS}: send it in parts")


def _step_windows(length: int, fs_hz: float) -> int:
    """So many steps of 5 s that a window's context ends behind the window before."""
    return ceil(length / fs_hz / HOP_S) + (CONTEXT_S - WINDOW_S) // HOP_S


def _laid_out(record: Record, *, count: int, length: int) -> WindowSet:
    grid = Grid(exact_rate(record.fs_hz))
    step = _step_windows(length, record.fs_hz)
    samples = np.full((grid.start((count - 1) * step) + length, len(record.leads)), MISSING, np.int16)
    for number in range(count):
        start = grid.start(number * step)
        samples[start : start + length] = record.samples[number * length : (number + 1) * length]
    return WindowSet(record=replace(record, samples=samples), count=count, length=length)
