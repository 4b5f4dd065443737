"""Export on the command line, read again by the readers that 'score' uses."""

import json
from pathlib import Path

import numpy as np
import pytest

from ecg.files import read_file
from ecg.wfdb_files import load_record
from tests.ecgstream.commands import status_of

EXCERPT = str(Path("ecg/excerpts/119-excerpt.hea").resolve())


@pytest.mark.parametrize(("form", "suffix"), [("wfdb", ".hea"), ("edf", ".edf")])
def test_a_stretch_of_a_recording_is_converted(tmp_path: Path, form: str, suffix: str) -> None:
    said = tmp_path / "said.json"
    call = ["convert", EXCERPT, "--format", form, "--out", str(tmp_path / "out"), "--start", "10", "--seconds", "20"]
    assert status_of([*call, "--json", str(said)]) == 0
    again, record = read_file(tmp_path / f"out{suffix}"), load_record("119-excerpt", Path())
    np.testing.assert_array_equal(again.samples, record.samples[3_600:10_800])
    found = json.loads(said.read_text())
    assert found["files"][0] == str(tmp_path / f"out{suffix}")
    assert (found["leads"], found["fs_hz"], found["seconds"]) == (["MLII", "V1"], 360.0, 20.0)
    assert (found["samples"], found["missing"]) == (14_400, 0)


def test_a_stretch_behind_the_end_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    call = ["convert", EXCERPT, "--format", "edf", "--out", str(tmp_path / "out")]
    assert status_of([*call, "--start", "400"]) == 1
    assert "has 300 s, and no sample from 400 s on: give an earlier --start" in capsys.readouterr().err
    assert status_of([*call, "--start", "290"]) == 0
