"""Recordings that come along: whole, credited, from where they are said to be, and few enough."""

from pathlib import Path

import numpy as np
import pytest

from ecg.annotations import read_annotations
from ecg.data import data_directory
from ecg.excerpts import EXCERPTS, FOLDER, WARD, Excerpt
from ecg.labels import DS2
from ecg.records import MISSING
from ecg.wfdb_files import load_record, read_wfdb
from tests.support.recordings import NAMES, RECORDS, annotated, recording

ROOT = Path(__file__).parents[2]
MOST_BYTES = 3_000_000


@pytest.mark.parametrize("name", EXCERPTS)
def test_excerpt_is_five_annotated_minutes_on_any_machine(name: str, tmp_path: Path) -> None:
    record = load_record(name, tmp_path)
    assert (record.name, record.seconds) == (name, 300.0)
    assert not np.any(record.samples == MISSING)
    annotations = read_annotations(annotated(name))
    assert annotations.aux[0].startswith("(") or EXCERPTS[name].database != "mitdb", "the rhythm that it begins in"
    assert 0 <= annotations.sample[0] < annotations.sample[-1] < len(record.samples)


@pytest.mark.parametrize("excerpt", EXCERPTS.values(), ids=EXCERPTS)
def test_excerpt_is_credited_where_it_lies(excerpt: Excerpt) -> None:
    notice = (FOLDER / "NOTICE").read_text(encoding="utf-8")
    last = excerpt.first + len(recording(excerpt.name).samples) - 1
    (line,) = [line for line in notice.splitlines() if line.strip().startswith(excerpt.name)]
    assert f"{excerpt.database} 1.0.0, {excerpt.record}" in line
    assert f"{excerpt.first} to {last}" in line
    assert "ODC-By 1.0" in notice
    assert excerpt.record not in DS2, "nobody is tempted to tune on a test record"


def test_recordings_in_the_repository_stay_small() -> None:
    held = [path for folder in (FOLDER, RECORDS) for path in folder.iterdir()]
    assert sum(path.stat().st_size for path in held) <= MOST_BYTES
    credited = (FOLDER / "NOTICE").read_text() + (RECORDS / "README.md").read_text()
    assert all(name in credited for name in NAMES)


def test_the_ward_is_of_different_kinds() -> None:
    assert len({EXCERPTS[name].shows for name in WARD}) == len(WARD) == 6
    assert len({recording(name).fs_hz for name in WARD}) > 1


@pytest.mark.data("mitdb", "nsrdb", "svdb")
@pytest.mark.parametrize("excerpt", EXCERPTS.values(), ids=EXCERPTS)
def test_excerpt_is_what_was_published(excerpt: Excerpt) -> None:
    whole, here = read_wfdb(data_directory() / excerpt.database / excerpt.record), recording(excerpt.name)
    columns = [whole.leads.index(lead) for lead in here.leads]
    zero = np.array(whole.baseline)[columns] - np.array(here.baseline)
    cut = slice(excerpt.first, excerpt.first + len(here.samples))
    np.testing.assert_array_equal(here.samples, whole.samples[cut, columns] - zero)
    assert here.gain == tuple(whole.gain[column] for column in columns)
