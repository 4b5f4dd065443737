"""Contents of whole databases: counts of what may teach, and of what is held back its number alone."""

from pathlib import Path

import numpy as np
import pytest

from ecg.data import data_directory
from tests.training.recordings import FS_HZ, write_record
from training.data_report import data_report
from training.database_facts import facts_of_database, facts_of_databases
from training.databases import DATABASES

BEATS = np.arange(1.0, 19.0)


@pytest.fixture
def everything(tmp_path: Path) -> Path:
    for database, names in {"mitdb": ("101", "100"), "svdb": ("800", "803"), "challenge2015": ("a103l",)}.items():
        (tmp_path / database).mkdir()
        for name in names:
            write_record(tmp_path / database, name, beat_s=BEATS, symbols=["N", "A", "V"] * 6, seconds=20)
    alarm = tmp_path / "challenge2015" / "a103l"
    alarm.with_suffix(".atr").unlink()
    header = alarm.with_suffix(".hea")
    header.write_text(header.read_text(encoding="utf-8") + "# Asystole\n# False alarm\n", encoding="utf-8")
    return tmp_path


def test_what_may_teach_is_counted_and_what_is_held_back_only_numbered(everything: Path) -> None:
    facts = {of.database.name: of for of in facts_of_databases(everything)}
    assert set(facts) == {"mitdb", "svdb", "challenge2015"}, "what is not there has no row"
    assert {name: (of.records, of.held_back) for name, of in facts.items()} == {
        "mitdb": (1, 1),
        "svdb": (1, 1),
        "challenge2015": (1, 0),
    }
    svdb = facts["svdb"]
    assert svdb.beats == {"N": 6, "S": 6, "V": 6, "F": 0, "Q": 0}
    assert svdb.rates_hz == {FS_HZ: 1}
    assert svdb.hours == pytest.approx(20 / 3600)
    assert (svdb.missing, svdb.constant, svdb.unread) == (0, 0, {})
    assert facts["challenge2015"].labels == {"Asystole, false": 1}
    assert facts["challenge2015"].beats == {}


def test_a_record_that_cannot_be_read_is_told(everything: Path) -> None:
    (everything / "svdb" / "800.dat").unlink()
    (of,) = [of for of in facts_of_databases(everything) if of.database.name == "svdb"]
    assert (of.records, set(of.unread)) == (0, {"800"})
    assert str(everything) not in of.unread["800"]


def test_each_database_has_its_row_licence_and_citation_on_the_page(everything: Path) -> None:
    folder = everything / "mitdb"
    page = data_report(folder, noise=folder, ecg5000_directory=folder, everything=everything)
    assert '<h2 id="databases">' in page
    assert "MIT-BIH Supraventricular Arrhythmia Database 1.0.0" in page
    assert "Greenwald SD" in page
    assert "Asystole, false: 1" in page
    assert 'id="databases"' not in data_report(folder, noise=folder, ecg5000_directory=folder)


@pytest.mark.data("svdb", "challenge2017")
def test_svdb_and_the_strips_are_as_their_publishers_count_them() -> None:
    facts = {name: facts_of_database(DATABASES[name], data_directory() / name) for name in ("svdb", "challenge2017")}
    if facts["svdb"].records == len(DATABASES["svdb"].learned):
        assert (facts["svdb"].beats["S"], facts["svdb"].beats["V"]) == (10_882, 9_294)
    if facts["challenge2017"].records == len(DATABASES["challenge2017"].learned):
        assert facts["challenge2017"].labels == {"N": 450, "A": 300, "O": 250, "~": 100}
