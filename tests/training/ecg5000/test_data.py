import shutil
from pathlib import Path

import numpy as np
import pytest

from ecg.errors import EcgStreamError
from tests.training.ecg5000.tables import table, write, write_tables
from training.ecg5000.data import TEST_FILE, TEST_ROWS, TRAIN_FILE, TRAIN_ROWS, read_test, read_training
from training.records import SplitError


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("ecg5000")
    write_tables(folder)
    return folder


def test_both_tables_are_read(published: Path) -> None:
    training = read_training(published)
    test = read_test(published, training)
    assert training.beats.shape == (TRAIN_ROWS, 140)
    assert test.beats.shape == (TEST_ROWS, 140)
    assert training.beats.dtype == np.float32
    assert (training.missing, training.constant, test.missing, test.constant) == (0, 0, 0, 0)
    np.testing.assert_array_equal(np.unique(training.classes), range(5))
    np.testing.assert_allclose(training.beats.std(axis=1, ddof=1), 1, atol=1e-5)


def test_missing_and_constant_rows_are_counted_and_left_out(tmp_path: Path) -> None:
    rows = table(TRAIN_ROWS, 0)
    rows[3, 7] = np.nan
    rows[4, 1:] = 0.25
    rows[5, 1:] = 0.0
    write(tmp_path / TRAIN_FILE, rows)
    path = tmp_path / TRAIN_FILE
    lines = path.read_text().splitlines()
    lines[8] = "\t".join([*lines[8].split("\t")[:-1], ""])  # an empty cell is a missing value, too
    path.write_text("\n".join(lines))
    training = read_training(tmp_path)
    assert (training.missing, training.constant, len(training.beats)) == (2, 2, TRAIN_ROWS - 4)


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"1\t2\t3\n" * TRAIN_ROWS, r"shape \(500, 3\), not \(rows, 141\)"),
        (b"1\t2\n1\n", "no table of numbers"),
        (b"one\ttwo\n", "no table of numbers"),
        (b"", "shape"),
        ((b"1" + b"\t1\t2" * 70 + b"\n") * 7, "has 7 rows, the published table 500"),
        ((b"6" + b"\t1\t2" * 70 + b"\n") * TRAIN_ROWS, "names the class 6"),
        ((b"1.5" + b"\t1\t2" * 70 + b"\n") * TRAIN_ROWS, "names the class 1.5"),
    ],
)
def test_what_is_no_table_of_ecg5000_is_refused(content: bytes, says: str, tmp_path: Path) -> None:
    (tmp_path / TRAIN_FILE).write_bytes(content)
    with pytest.raises(EcgStreamError, match=says):
        read_training(tmp_path)


def test_a_missing_table_says_how_to_get_it(tmp_path: Path) -> None:
    with pytest.raises(EcgStreamError, match="ecgstream data fetch ecg5000"):
        read_training(tmp_path)


def test_the_test_table_under_the_training_tables_name_is_refused(published: Path, tmp_path: Path) -> None:
    shutil.copyfile(published / TEST_FILE, tmp_path / TRAIN_FILE)
    with pytest.raises(SplitError, match="must never reach fitting"):
        read_training(tmp_path)


def test_a_beat_on_both_sides_is_refused(published: Path, tmp_path: Path) -> None:
    rows = table(TRAIN_ROWS, 0)
    rows[17] = table(TEST_ROWS, 1)[40]
    write(tmp_path / TRAIN_FILE, rows)
    shutil.copyfile(published / TEST_FILE, tmp_path / TEST_FILE)
    with pytest.raises(SplitError, match="1 of 4500 test beats also are training beats"):
        read_test(tmp_path, read_training(tmp_path))
