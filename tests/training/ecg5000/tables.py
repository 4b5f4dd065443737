"""Tables in ECG5000's format, for tests."""

from pathlib import Path

import numpy as np
import numpy.typing as npt

from training.ecg5000.data import TEST_FILE, TEST_ROWS, TRAIN_FILE, TRAIN_ROWS

_SHARE = (0.58, 0.36, 0.02, 0.03, 0.01)


def table(rows: int, seed: int) -> npt.NDArray[np.float64]:
    """(rows, 141): a class, and a beat whose peak lies the later the higher the class is."""
    random = np.random.default_rng(seed)
    classes = np.concatenate([np.full(max(1, int(share * rows)), number + 1) for number, share in enumerate(_SHARE)])
    classes = np.resize(classes, rows)
    place = np.arange(140) - (20 + 20 * classes[:, None])
    beats = np.exp(-np.square(place) / 50) + 0.05 * random.standard_normal((rows, 140))
    return np.column_stack([classes, beats])


def write(path: Path, rows: npt.NDArray[np.float64]) -> None:
    """One row a line, separated by tabs."""
    path.write_text("\n".join("\t".join(f"{value:.6g}" for value in row) for row in rows) + "\n")


def write_tables(folder: Path) -> None:
    """Both tables, of the published sizes."""
    write(folder / TRAIN_FILE, table(TRAIN_ROWS, 0))
    write(folder / TEST_FILE, table(TEST_ROWS, 1))
