from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import wfdb

from ecg.data import DATABASES as PUBLISHED
from ecg.data import data_directory
from ecg.errors import EcgStreamError
from ecg.labels import DS1, DS2
from ecg.wfdb_files import read_wfdb
from tests.training.recordings import FS_HZ, write_record
from training.databases import DATABASES, SELECTIONS, challenge2015, challenge2017, database_of, mitdb, records_of, svdb
from training.databases.signal_prints import lead_prints
from training.records import SplitError, TrainingRecords

BEATS = np.arange(1.0, 9.0)
UNSEEN = {"svdb": "803", "nsrdb": "16265", "challenge2015": "a104s", "challenge2017": "A00001", "mitdb": "100"}


@pytest.mark.parametrize("name", DATABASES)
def test_every_database_says_where_it_comes_from(name: str) -> None:
    database = DATABASES[name]
    assert database.name == name
    assert database.title == f"{PUBLISHED[name].title} {PUBLISHED[name].version}"
    assert database.licence
    assert database.citation
    assert all(database.records.fullmatch(record) for record in database.learned)
    assert not any(database.holds_back(record) for record in database.learned)


def test_what_is_held_back_is_as_much_as_was_agreed() -> None:
    learned = {name: len(database.learned) for name, database in DATABASES.items()}
    assert learned == {
        "mitdb": 26,
        "svdb": 65,
        "vfdb": 22,
        "nsrdb": 8,
        "challenge2015": 377,
        "challenge2017": 1100,
    }
    assert all(DATABASES["mitdb"].holds_back(name) for name in DS2)


@pytest.mark.parametrize(("database", "record"), UNSEEN.items())
def test_a_record_that_is_held_back_is_refused_before_a_file_is_read(
    database: str, record: str, tmp_path: Path
) -> None:
    with pytest.raises(SplitError, match=record):
        TrainingRecords(directory=tmp_path, names=(f"{database}/{record}",), folders={database: tmp_path})
    with pytest.raises(SplitError, match=record):
        TrainingRecords(directory=tmp_path, names=(record,))


def test_a_record_that_is_held_back_is_refused_under_another_name(tmp_path: Path) -> None:
    write_record(tmp_path, "803", beat_s=BEATS, symbols=["N"] * len(BEATS), seconds=10)
    (tmp_path / "mine.hea").write_bytes((tmp_path / "803.hea").read_bytes())
    with pytest.raises(SplitError, match="record mine is 803"):
        TrainingRecords(directory=tmp_path, names=("mine",))


@pytest.mark.parametrize("name", ["803.dat", "803-copy", "~803", "a104S", "a00001"])
def test_a_name_that_begins_with_one_that_is_held_back_is_it(name: str, tmp_path: Path) -> None:
    with pytest.raises(SplitError, match="stays unseen"):
        TrainingRecords(directory=tmp_path, names=(name,))


@pytest.mark.parametrize("name", ["own-803", "8030", "patient7", "800-copy"])
def test_other_names_pass(name: str) -> None:
    assert not any(database.holds_back(name) for database in DATABASES.values())


@pytest.mark.parametrize("link", ["mine.hea", "mine.dat"])
def test_a_link_to_a_record_that_is_held_back_is_refused(link: str, tmp_path: Path) -> None:
    (tmp_path / "kept").mkdir()
    for folder, name in ((tmp_path, "mine"), (tmp_path / "kept", "803")):
        write_record(folder, name, beat_s=BEATS, symbols=["N"] * len(BEATS), seconds=10)
    (tmp_path / link).unlink()
    (tmp_path / link).symlink_to(tmp_path / "kept" / f"803{Path(link).suffix}")
    with pytest.raises(SplitError, match="record mine is 803"):
        TrainingRecords(directory=tmp_path, names=("mine",))


@pytest.mark.parametrize("database", [name for name in DATABASES if name != "mitdb"])
def test_of_a_known_database_only_what_may_teach_is_taken(database: str, tmp_path: Path) -> None:
    write_record(tmp_path, "mine", beat_s=BEATS, symbols=["N"] * len(BEATS), seconds=10)
    with pytest.raises(SplitError, match=f"not among the .* of {database}"):
        TrainingRecords(directory=tmp_path, names=(f"{database}/mine",), folders={database: tmp_path})


def test_a_copy_is_known_by_its_samples(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_record(tmp_path, "mine", beat_s=BEATS, symbols=["N"] * len(BEATS), seconds=30)
    records = TrainingRecords(directory=tmp_path, names=("mine",))
    prints = lead_prints(records.read("mine"))
    assert len(prints) == len(read_wfdb(tmp_path / "mine").leads)
    held_back = replace(DATABASES["mitdb"], held_back=frozenset([min(prints)]))
    monkeypatch.setitem(DATABASES, "mitdb", held_back)
    with pytest.raises(SplitError, match="record mine holds the samples of a record of mitdb"):
        records.read("mine")


def test_leads_that_do_not_move_have_no_print(tmp_path: Path) -> None:
    write_record(tmp_path, "mine", beat_s=BEATS, symbols=["N"] * len(BEATS), seconds=30)
    record = read_wfdb(tmp_path / "mine")
    assert lead_prints(replace(record, samples=np.zeros_like(record.samples))) == frozenset()
    assert lead_prints(replace(record, samples=record.samples[:0])) == frozenset()
    cut = replace(record, samples=record.samples[: round(20 * record.fs_hz)])
    assert lead_prints(cut) == lead_prints(record), "cut at its end it is still known"


@pytest.mark.data
def test_every_lead_of_the_test_set_is_known_by_its_samples_and_none_that_may_teach() -> None:
    folder = data_directory() / "mitdb"
    assert {each for name in DS2 for each in lead_prints(read_wfdb(folder / name))} == mitdb.DATABASE.held_back
    for name in mitdb.DATABASE.learned:
        assert not lead_prints(read_wfdb(folder / name)) & mitdb.DATABASE.held_back


def test_records_of_several_databases_lie_in_their_folders(tmp_path: Path) -> None:
    for folder, name in (("mitdb", "101"), ("svdb", "800")):
        (tmp_path / folder).mkdir()
        write_record(tmp_path / folder, name, beat_s=BEATS, symbols=["N"] * len(BEATS), seconds=10)
    records = TrainingRecords(
        directory=tmp_path / "mitdb", names=("101", "svdb/800"), folders={"svdb": tmp_path / "svdb"}
    )
    assert [records.read(name).name for name in records.names] == ["101", "800"]
    assert len(records.annotations("svdb/800").sample) == len(BEATS)
    with pytest.raises(EcgStreamError, match="the folder of svdb is not given"):
        TrainingRecords(directory=tmp_path / "mitdb", names=("svdb/800",))


def test_a_selection_names_its_records() -> None:
    assert records_of("mitdb-ds1") == DS1
    names = records_of("mitdb-ds1, svdb,svdb")
    assert len(names) == len(DS1) + 65
    assert names[-1] == "svdb/894"
    assert all(not database_of(name)[0].holds_back(database_of(name)[1]) for name in records_of(",".join(SELECTIONS)))


@pytest.mark.parametrize("selection", ["", "ds2", "mitdb", "svdb;nsrdb"])
def test_a_selection_that_is_not_known_is_an_error(selection: str) -> None:
    with pytest.raises(EcgStreamError, match="mitdb-ds1, svdb, nsrdb"):
        records_of(selection)


def test_a_database_that_is_not_known_is_an_error() -> None:
    with pytest.raises(EcgStreamError, match="'mine' is not known"):
        database_of("mine/1")


@pytest.mark.parametrize("late", [-17, 0, 22])
def test_annotations_move_to_the_peaks(tmp_path: Path, late: int) -> None:
    beats = np.arange(1.0, 59.0)
    write_record(tmp_path, "800", beat_s=beats, symbols=["N"] * len(beats), seconds=60)
    peaks = np.round(beats * FS_HZ).astype(np.int64)
    wfdb.wrann("800", "atr", peaks + late, symbol=["N"] * len(beats), fs=FS_HZ, write_dir=str(tmp_path))
    placed = svdb.annotations_at_peaks(tmp_path / "800")
    assert np.abs(placed.sample - peaks).max() <= 3
    assert placed.symbol == ("N",) * len(beats)


def test_the_lists_of_the_challenges_are_read(tmp_path: Path) -> None:
    (tmp_path / "a103l.hea").write_text("a103l 1 250 75000\n#Asystole\n#False alarm\n")
    (tmp_path / "v100s.hea").write_text("v100s 1 250 75000\n# Ventricular_Tachycardia\n# True alarm\n")
    alarms = challenge2015.read_alarms(tmp_path)
    assert [(alarm.record, alarm.kind, alarm.true) for alarm in alarms] == [
        ("a103l", "Asystole", False),
        ("v100s", "Ventricular_Tachycardia", True),
    ]
    (tmp_path / "REFERENCE.csv").write_text("A00009,N\n")
    (tmp_path / "REFERENCE-v3.csv").write_text("A00009,A\nA00015,~\n")
    assert challenge2017.read_classes(tmp_path) == {"A00009": "A", "A00015": "~"}
    (tmp_path / "REFERENCE-v3.csv").write_text("A00009,X\n")
    with pytest.raises(EcgStreamError, match="no list of classes"):
        challenge2017.read_classes(tmp_path)
    (tmp_path / "a104l.hea").write_text("a104l 1 250 75000\n# Asystole\n")
    with pytest.raises(EcgStreamError, match=r"a104l.hea does not tell of an alarm"):
        challenge2015.read_alarms(tmp_path)
