"""ECG5000: the two published tables, read with checks; training and test beats come in by separate doors.

All 5,000 beats are one patient's (BIDMC record chf07), in training and test alike: figures on them compare networks,
and say nothing about a new patient.
"""

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import TypedDict

import numpy as np
import numpy.typing as npt

from detector.single_beats import BEAT_SAMPLES, NORMAL, normalised
from ecg.errors import EcgStreamError
from ecg.records import Float32Array
from training.records import SplitError

Classes = npt.NDArray[np.int64]

CLASSES = ("normal", "R-on-T ventricular", "ventricular", "supraventricular", "unclassified")  # published as 1 to 5
TRAIN_FILE = "ECG5000_TRAIN.tsv"
TEST_FILE = "ECG5000_TEST.tsv"
TRAIN_ROWS = 500
TEST_ROWS = 4500
_FLAT = 1e-6  # a row that varies less holds no beat, in units of a row's standard deviation, 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Beats:
    """Rows of one table that can be used, and how many could not.

    Attributes
    ----------
    beats : (n, BEAT_SAMPLES) float32, each row of mean 0 and standard deviation 1 as published
    classes : (n,) int64, index into ``CLASSES``
    missing : rows left out because a value is missing
    constant : rows left out because they do not vary
    sha256 : of the file
    """

    beats: Float32Array
    classes: Classes
    missing: int
    constant: int
    sha256: str

    @property
    def abnormal(self) -> npt.NDArray[np.bool_]:
        """(n,), whether a beat is of any class but normal."""
        return np.asarray(self.classes != NORMAL, np.bool_)


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingBeats(Beats):
    """Beats of the training table: what fitting and choosing take, and nothing else."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TestBeats(Beats):
    """Beats of the test table: opened for the final figures alone."""

    __test__ = False  # no test of pytest's


class _Usable(TypedDict):
    beats: Float32Array
    classes: Classes
    missing: int
    constant: int
    sha256: str


def read_training(directory: Path) -> TrainingBeats:
    """The 500 beats to fit and choose on. The test table is not opened.

    Raises
    ------
    SplitError : when the file holds the test table's number of rows
    EcgStreamError : when it is missing, or is no table of ECG5000
    """
    table, digest = _read(directory / TRAIN_FILE)
    if len(table) == TEST_ROWS:
        raise SplitError(
            f"{directory / TRAIN_FILE} has {TEST_ROWS} rows, as the test table has: test beats must never reach "
            f"fitting; restore the training table of {TRAIN_ROWS} rows with 'ecgstream data fetch ecg5000'"
        )
    return TrainingBeats(**_usable(directory / TRAIN_FILE, table, TRAIN_ROWS, digest))


def read_test(directory: Path, training: TrainingBeats) -> TestBeats:
    """The 4,500 beats to measure on, when all is fitted.

    Raises
    ------
    SplitError : when a test beat also is a training beat
    EcgStreamError : when the file is missing, or is no table of ECG5000
    """
    table, digest = _read(directory / TEST_FILE)
    test = TestBeats(**_usable(directory / TEST_FILE, table, TEST_ROWS, digest))
    seen = {row.tobytes() for row in training.beats}
    if shared := sum(row.tobytes() in seen for row in test.beats):
        raise SplitError(
            f"{directory}: {shared} of {len(test.beats)} test beats also are training beats: "
            "fetch both tables anew with 'ecgstream data fetch ecg5000'"
        )
    return test


def _read(path: Path) -> tuple[npt.NDArray[np.float64], str]:
    try:
        content = path.read_bytes()
        table = np.array([[_value(cell) for cell in row.split(b"\t")] for row in content.splitlines() if row.strip()])
    except OSError as error:
        raise EcgStreamError(
            f"{path} cannot be read ({error.strerror}): run 'ecgstream data fetch ecg5000', or name the folder (--data)"
        ) from error
    except ValueError as error:
        raise EcgStreamError(f"{path} is no table of numbers ({error}): fetch it anew") from error
    if table.ndim != 2 or table.shape[1] != BEAT_SAMPLES + 1:
        raise EcgStreamError(
            f"{path} has the shape {table.shape}, not (rows, {BEAT_SAMPLES + 1}): a class and {BEAT_SAMPLES} samples, "
            "separated by tabs; fetch it anew"
        )
    return table, hashlib.sha256(content).hexdigest()


def _value(cell: bytes) -> float:
    """A number; NaN where the cell is empty, as it is where a value is missing."""
    return float(cell) if cell.strip() else np.nan


def _usable(path: Path, table: npt.NDArray[np.float64], rows: int, digest: str) -> _Usable:
    """The rows that hold a beat; the others are counted."""
    if len(table) != rows:
        raise EcgStreamError(f"{path} has {len(table)} rows, the published table {rows}: fetch it anew")
    whole = np.isfinite(table).all(axis=1)
    constant = whole & (table[:, 1:].std(axis=1) < _FLAT)
    kept = table[whole & ~constant]
    published = set(range(1, len(CLASSES) + 1))
    if unknown := set(kept[:, 0]) - published:
        raise EcgStreamError(f"{path} names the class {min(unknown):g}: the published ones are {sorted(published)}")
    return _Usable(
        beats=normalised(kept[:, 1:].astype(np.float32)),
        classes=kept[:, 0].astype(np.int64) - 1,
        missing=int((~whole).sum()),
        constant=int(constant.sum()),
        sha256=digest,
    )
