"""Databases without annotated beats, each by its own form, through the command."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import wfdb

from ecg.records import Record
from tests.ecgstream.commands import status_of
from tests.support.recordings import annotated, recording


def write(record: Record, folder: Path, name: str, comments: tuple[str, ...] = ()) -> None:
    """Write a record as WFDB, with comments in its header."""
    folder.mkdir(exist_ok=True)
    wfdb.wrsamp(
        name,
        fs=record.fs_hz,
        units=["mV"] * len(record.leads),
        sig_name=list(record.leads),
        d_signal=record.samples.astype(np.int64),
        fmt=["16"] * len(record.leads),
        adc_gain=list(record.gain),
        baseline=list(record.baseline),
        comments=list(comments),
        write_dir=str(folder),
    )


def part(name: str, first_s: float, seconds: float) -> Record:
    record = recording(name)
    first = round(first_s * record.fs_hz)
    return replace(record, samples=record.samples[first : first + round(seconds * record.fs_hz)])


def flat_from(record: Record, seconds: float) -> Record:
    """The same with no heart beat behind a time, but for a little noise."""
    samples = record.samples.copy()
    first = round(seconds * record.fs_hz)
    noise = np.random.default_rng(0).integers(-2, 3, size=samples[first:].shape)
    samples[first:] = (np.array(record.baseline) + noise).astype(np.int16)
    return replace(record, samples=samples)


def evaluated(database: str, folder: Path, capsys: pytest.CaptureFixture[str]) -> dict[str, object]:
    assert status_of(["evaluate", "--database", database, "--data", str(folder), "--json", "-"]) == 0
    found: dict[str, object] = json.loads(capsys.readouterr().out)
    return found


def test_episodes_of_a_database_of_rhythms(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / "vfdb"
    write(recording("207-excerpt"), folder, "418")
    shutil.copyfile(annotated("207-excerpt").with_suffix(".atr"), folder / "418.atr")
    found = evaluated("vfdb", folder, capsys)
    episodes = found["episodes"]
    assert isinstance(episodes, dict)
    assert episodes["vf"]["n"] >= 1
    assert episodes["vf"]["found"] == episodes["vf"]["n"]
    assert set(episodes) == {"vf", "vt", "asystole"}
    assert set(dict(found["false_lethal_per_hour"])) == {  # type: ignore[call-overload] # a dictionary by its form
        "asystole",
        "ventricular_flutter",
        "ventricular_tachycardia",
    }
    assert found["unusable_share"] == 0.0
    assert found["hours"] == pytest.approx(300 / 3600, abs=1e-3)


def test_alarms_of_monitors(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / "challenge2015"
    heart = part("19090-excerpt", 0, 60)
    write(flat_from(heart, 53), folder, "a103l", ("Asystole", "True alarm"))
    write(heart, folder, "a105l", ("Asystole", "False alarm"))
    # What comes after the alarm is not looked at.
    whole = replace(recording("19090-excerpt"), samples=np.tile(recording("19090-excerpt").samples, (2, 1)))
    late = replace(flat_from(whole, 305), samples=flat_from(whole, 305).samples[: round(330 * whole.fs_hz)])
    write(late, folder, "a107l", ("Asystole", "False alarm"))
    found = evaluated("challenge2015", folder, capsys)
    assert found["records"] == 3
    assert dict(found["all"])["score"] == 1.0  # type: ignore[call-overload]


def test_strips_of_one_class(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / "challenge2017"
    write(part("19090-excerpt", 0, 30), folder, "A00001")
    write(flat_from(part("19090-excerpt", 0, 30), 0), folder, "A00002")
    (folder / "REFERENCE.csv").write_text("A00001,N\nA00002,~\n")
    found = evaluated("challenge2017", folder, capsys)
    assert found["records"] == 2
    assert dict(found["confusion"])["N"]["N"] == 1  # type: ignore[call-overload]
    assert found["unusable_share"] == 0.0


def test_every_database_that_is_there_is_in_one_table(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("ECGSTREAM_DATA_DIR", str(tmp_path))
    for database, name, excerpt in (("svdb", "806", "806-excerpt"), ("vfdb", "418", "207-excerpt")):
        write(recording(excerpt), tmp_path / database, name)
        shutil.copyfile(annotated(excerpt).with_suffix(".atr"), tmp_path / database / f"{name}.atr")
    write(flat_from(part("19090-excerpt", 0, 60), 53), tmp_path / "challenge2015", "a103l", ("Asystole", "True alarm"))
    write(part("19090-excerpt", 0, 30), tmp_path / "challenge2017", "A00009")
    (tmp_path / "challenge2017" / "REFERENCE.csv").write_text("A00009,N\n")
    assert status_of(["evaluate", "--database", "all", "--json", "all.json"]) == 0
    printed = capsys.readouterr().out
    assert "mitdb-ds1 is left out" in printed
    assert "'ecgstream data fetch nsrdb' brings it" in printed
    found = json.loads(Path("all.json").read_text(encoding="utf-8"))
    assert set(found["missing"]) == {"mitdb-ds1", "nsrdb"}
    rows = {row["database"]: row for row in found["table"]}
    assert set(rows) == set(found["databases"]) == {"svdb", "vfdb", "challenge2015", "challenge2017"}
    assert set(rows["svdb"]["found"]) == {"S", "V"}
    assert set(rows["vfdb"]["found"]) == {"vf episodes", "vt episodes", "asystole episodes"}
    assert rows["challenge2015"]["found"]["Asystole"]["se"] == 1.0
    assert set(rows["challenge2017"]["found"]) == {"AF strips", "noise strips"}
    # What a reference does not tell is nothing, not 0: rhythm marks tell of lethal alarms alone.
    assert rows["vfdb"]["false_per_hour"]["high"] is not None
    assert rows["vfdb"]["false_per_hour"]["low"] is None
    assert rows["challenge2017"]["false_per_hour"] == {"high": 0.0, "medium": 0.0, "low": 0.0}
    assert all(row["patients"] == 1 and row["unusable_share"] is not None for row in rows.values())


def test_all_databases_take_no_other_choice(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert status_of(["evaluate", "--database", "all", "--data", str(tmp_path)]) == 1
    assert "set ECGSTREAM_DATA_DIR" in capsys.readouterr().err


def test_what_a_form_does_not_take_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert status_of(["evaluate", "--database", "vfdb", "--records", "418", "--data", str(tmp_path)]) == 1
    assert "leave out --records" in capsys.readouterr().err


def test_a_database_that_is_not_there_is_told_with_the_remedy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("ECGSTREAM_DATA_DIR", str(tmp_path))
    assert status_of(["evaluate", "--database", "vfdb"]) == 1
    assert "ecgstream data fetch" in capsys.readouterr().err
    assert status_of(["evaluate", "--database", "afdb"]) == 1
    assert "choose of mitdb, svdb, vfdb" in capsys.readouterr().err
