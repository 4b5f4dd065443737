"""ECGs in MATLAB files, as the challenges of PhysioNet and its ATM write them: a matrix, mostly named ``val``."""

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ecg.errors import EcgStreamError
from ecg.quantise import record_of
from ecg.records import MAX_LEADS, Record, check_fs
from ecg.resampling import MAX_READ_HZ

MATRIX = "val"
MAX_NUMBERS = 100_000_000  # of all matrices in a file: a day of two leads, 800 MB as floating-point numbers
_VERSION_5 = b"MATLAB 5.0"
_SUBSYSTEM = (b"IM", b"MI")  # the byte order, in its place
_MOST_DEPTH = 2  # a structure in a structure


def is_mat(head: bytes) -> bool:
    """Return whether a file is one of MATLAB 5 to 7, by its first bytes: with its text, or without as of version 4."""
    if head.startswith(_VERSION_5) or (head[126:128] in _SUBSYSTEM and b"\0" not in head[:20]):
        return True
    # Version 4 begins with its kind of numbers, rows, columns, and the length of the matrix's name.
    kind, rows, columns, imaginary, name = np.frombuffer(head[:20].ljust(20, b"\0"), "<i4").tolist()
    named = head[20 : 20 + max(0, min(name, 64))]
    return (
        kind in {0, 10, 20, 30, 40, 50}
        and rows > 0 < columns
        and imaginary in {0, 1}
        and 1 < name <= 64
        and named.endswith(b"\0")
        and named[:-1].replace(b"_", b"").isalnum()
    )


def read_mat(
    path: Path, *, fs_hz: float | None = None, leads: tuple[str, ...] | None = None, unit: str | None = None
) -> Record:
    """An ECG in a MATLAB file: its matrix ``val``, else its only one, leads along the shorter side.

    Parameters
    ----------
    path : the file
    fs_hz : sampling rate in Hz
    leads : names of all leads, in their order
    unit : "mV", "uV", "V" or "adc"; mV by default, if the values can be that

    Raises
    ------
    EcgStreamError : when no rate is given, the file is damaged, or it is not clear which matrix is the ECG
    """
    if fs_hz is None:
        raise EcgStreamError(f"{path.name} does not hold its sampling rate: give it in Hz, or its .hea beside it")
    check_fs(fs_hz, most_hz=MAX_READ_HZ)
    matrices = _matrices(path)
    name, values = _chosen(matrices, path)
    if values.shape[0] < values.shape[1]:
        values = values.T
    if values.shape[1] > MAX_LEADS:
        raise EcgStreamError(
            f"{path.name}: {name} has shape {values.shape}: give (n, leads) or (leads, n) with 1 to {MAX_LEADS} leads"
        )
    names = leads if leads is not None else tuple(f"signal {column}" for column in range(values.shape[1]))
    if len(names) != values.shape[1]:
        raise EcgStreamError(f"{path.name} has {values.shape[1]} leads, {len(names)} lead names: give one name each")
    try:
        return record_of(values, name=path.stem, fs_hz=fs_hz, leads=names, units=[unit] * len(names))
    except EcgStreamError as error:
        if unit is not None:
            raise
        raise EcgStreamError(
            f"{path.name}: {error}; PhysioNet's challenges of 2017, 2020 and 2021 are in uV"
        ) from error


def _matrices(path: Path) -> dict[str, npt.NDArray[Any]]:
    """All matrices of numbers with more than one row or column of samples, those of structures with their path."""
    from scipy.io import loadmat, whosmat  # noqa: PLC0415 - paid only where a MATLAB file is read

    try:
        claimed = sum(int(np.prod(shape, dtype=object)) for _, shape, _ in whosmat(path))
        held = loadmat(path, struct_as_record=True, squeeze_me=False) if claimed <= MAX_NUMBERS else {}
    except OSError:
        raise
    except Exception as error:  # scipy raises many kinds on hostile files
        raise EcgStreamError(
            f"{path.name} is no whole MATLAB file ({(str(error) or type(error).__name__)[:100]}): save it anew"
        ) from error
    if claimed > MAX_NUMBERS:
        raise EcgStreamError(f"{path.name} claims {claimed} numbers, above {MAX_NUMBERS}: save it in parts")
    found: dict[str, npt.NDArray[Any]] = {}
    for name, value in held.items():
        if not name.startswith("__"):
            _gather(name, value, found, _MOST_DEPTH)
    return found


def _gather(name: str, value: Any, found: dict[str, npt.NDArray[Any]], depth: int) -> None:
    if not isinstance(value, np.ndarray):
        return
    if value.dtype.names and value.size == 1 and depth:
        for field in value.dtype.names:
            _gather(f"{name}.{field}", value[field].reshape(-1)[0], found, depth - 1)
    elif value.dtype.kind in "iuf" and value.ndim == 2 and value.size > 1:
        found[name] = value


def _chosen(matrices: dict[str, npt.NDArray[Any]], path: Path) -> tuple[str, npt.NDArray[Any]]:
    """The matrix that is the ECG."""
    if MATRIX in matrices:
        return MATRIX, matrices[MATRIX]
    longest = max((max(value.shape) for value in matrices.values()), default=0)
    likely = [(name, value) for name, value in matrices.items() if max(value.shape) == longest]
    if len(likely) != 1:
        there = ", ".join(f"{name} {value.shape}" for name, value in list(matrices.items())[:8]) or "none"
        raise EcgStreamError(
            f"{path.name}: it is not clear which matrix is the ECG, it has {there}: save the ECG alone, or as {MATRIX}"
        )
    return likely[0]
