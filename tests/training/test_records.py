import shutil
from pathlib import Path

import numpy as np
import pytest

from ecg.errors import EcgStreamError
from ecg.labels import DS1, DS2
from tests.training.recordings import write_record
from training.records import SplitError, TrainingRecords

BEATS = np.arange(1.0, 9.0)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("101", "100", "202"):
        write_record(tmp_path, name, beat_s=BEATS, symbols=["N"] * len(BEATS), seconds=10)
    return tmp_path


def test_the_split_has_no_record_on_both_sides() -> None:
    assert set(DS1).isdisjoint(DS2)
    assert (len(DS1), len(DS2)) == (22, 22)


@pytest.mark.parametrize("name", DS2)
def test_every_test_record_is_refused_before_a_file_is_read(name: str, tmp_path: Path) -> None:
    with pytest.raises(SplitError, match=f"record {name} is {name} of the test set DS2"):
        TrainingRecords(directory=tmp_path, names=(name,))


def test_one_test_record_among_training_records_is_refused(folder: Path) -> None:
    with pytest.raises(SplitError, match="100"):
        TrainingRecords(directory=folder, names=("101", "100"))


def test_the_twin_is_named(folder: Path) -> None:
    with pytest.raises(SplitError, match="the same person as 201"):
        TrainingRecords(directory=folder, names=("202",))


def test_a_test_record_under_another_name_is_refused(folder: Path) -> None:
    # The header still names the record and its signal file.
    shutil.copyfile(folder / "100.hea", folder / "mine.hea")
    with pytest.raises(SplitError, match="record mine is 100"):
        TrainingRecords(directory=folder, names=("mine",))


def test_a_training_record_passes(folder: Path) -> None:
    assert TrainingRecords(directory=folder, names=("101",)).names == ("101",)


def test_no_record_is_an_error(folder: Path) -> None:
    with pytest.raises(EcgStreamError, match="no record to train on"):
        TrainingRecords(directory=folder, names=())


@pytest.mark.parametrize("file", ["101.hea", "other.dat", "101.atr"])
def test_the_hash_of_a_record_is_over_every_file_of_it(file: str, folder: Path) -> None:
    # The header may name a signal file of another name.
    (folder / "101.dat").rename(folder / "other.dat")
    header = folder / "101.hea"
    header.write_text(header.read_text(encoding="utf-8").replace("101.dat", "other.dat"), encoding="utf-8")
    records = TrainingRecords(directory=folder, names=("101",))
    before = records.content_hash("101")
    (folder / file).write_bytes((folder / file).read_bytes() + b"\n")
    assert records.content_hash("101") != before
