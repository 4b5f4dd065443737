from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from ecg.records import MISSING, Record
from ecg.wfdb_files import read_wfdb
from tests.training.recordings import FS_HZ, write_record
from training.records import TrainingRecords
from training.signal_faults import describe_faults, faults_of, signal_faults

BEAT_S = np.arange(0.5, 59.5, 0.75)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("101", "106"):
        write_record(tmp_path, name, beat_s=BEAT_S, symbols=["N"] * len(BEAT_S))
    return tmp_path


@pytest.fixture
def record(folder: Path) -> Record:
    return read_wfdb(folder / "101")


def test_a_whole_record_has_no_fault(record: Record) -> None:
    faults = signal_faults(record)
    assert (faults.windows, faults.unusable, faults.stand_in, faults.alone, faults.missing) == (12, 0, 0, 0, 0)
    assert faults.constant == ()
    assert faults.as_json()["missing_samples"] == {}


def test_missing_samples_are_counted_by_lead_and_window(record: Record) -> None:
    record.samples[20 * FS_HZ : 30 * FS_HZ, 1] = MISSING
    faults = signal_faults(record)
    assert faults.as_json()["missing_samples"] == {"V1": 10 * FS_HZ}
    assert faults.leads[1].windows["gap"] == 2
    assert faults.alone == 2
    assert faults.unusable == 0


def test_a_constant_lead_is_named_and_its_neighbour_judged(record: Record) -> None:
    record.samples[:, 0] = 7
    faults = signal_faults(record)
    assert faults.constant == ("MLII",)
    assert faults.stand_in == faults.alone == faults.windows == 12
    assert faults.leads[0].windows["lead_off"] == 12


def test_a_lead_that_was_never_taken_is_constant(record: Record) -> None:
    record.samples[:, 1] = MISSING
    assert signal_faults(record).constant == ("V1",)


def test_windows_without_any_lead_are_unusable(record: Record) -> None:
    record.samples[30 * FS_HZ : 40 * FS_HZ] = 0
    faults = signal_faults(record)
    assert faults.unusable == 2
    assert faults.alone == 0


def test_one_lead_is_judged_alone_and_a_third_lead_is_counted_but_not_judged(record: Record) -> None:
    single = replace(record, leads=("MLII",), samples=record.samples[:, :1], gain=(200.0,), baseline=(0,))
    assert signal_faults(single).alone == 12
    third = np.full((len(record.samples), 1), 3, np.int16)
    triple = replace(
        record,
        leads=("MLII", "V1", "AVR"),
        samples=np.hstack([record.samples, third]),
        gain=(200.0,) * 3,
        baseline=(0,) * 3,
    )
    faults = signal_faults(triple)
    assert faults.constant == ("AVR",)
    assert faults.alone == 0


def test_a_record_shorter_than_a_window_has_none(record: Record) -> None:
    faults = signal_faults(replace(record, samples=record.samples[: 3 * FS_HZ]))
    assert (faults.windows, faults.unusable) == (0, 0)


def test_training_is_told_in_one_line_which_records_are_worst(folder: Path, record: Record) -> None:
    faults = faults_of(TrainingRecords(directory=folder, names=("101", "106")))
    assert describe_faults(faults).startswith("2 records, 24 windows; samples missing: 0; constant leads: none")
    record.samples[20 * FS_HZ : 30 * FS_HZ, 1] = MISSING
    described = describe_faults(faults | {"101": signal_faults(record)})
    assert "samples missing: 3600 (most in 101: 3600)" in described
    assert "with one lead only: 2 (most in 101: 2)" in described
