"""The command that scores files."""

import json
from pathlib import Path

import numpy as np
import pytest

from ecg.wfdb_files import toy_record
from tests.ecgstream.commands import status_of


def test_a_real_ecg_from_a_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    np.save(tmp_path / "excerpt.npy", toy_record().samples[: 360 * 60] / 200)
    words = ["score", "excerpt.npy", "--fs", "360", "--leads", "MLII", "--unit", "mV", "--json", "-"]
    assert status_of(words) == 0
    (scored,) = json.loads(capsys.readouterr().out)["results"]
    assert (scored["file"], scored["fs_hz"], scored["leads"], scored["seconds"]) == (
        "excerpt.npy",
        360.0,
        ["MLII"],
        60.0,
    )
    assert [(window["start_s"], window["end_s"]) for window in scored["windows"]] == [
        (5.0 * number, 5.0 * number + 5) for number in range(12)
    ]
    for window in scored["windows"]:
        assert window["decision"] in {"normal", "abnormal", "unusable"}
        for score in ("cnn", "autoencoder", "fused"):
            assert 0 <= window[score] <= 1
    times = [beat["t_s"] for beat in scored["beats"]]
    assert times == sorted(times)
    assert 90 <= len(times) <= 130  # about 110 beats a minute
    assert {beat["class"] for beat in scored["beats"]} >= {"N", "V"}
    assert scored["aggregate"]["decision"] == "abnormal"


def test_the_same_for_people(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    np.save(tmp_path / "excerpt.npy", toy_record().samples[: 360 * 30] / 200)
    assert status_of(["score", "excerpt.npy", "--fs", "360", "--json", "out.json"]) == 0
    told = capsys.readouterr().out
    assert told.startswith("excerpt.npy: abnormal (confidence ")
    assert "ventricular beat" in told
    assert len(json.loads((tmp_path / "out.json").read_text())["results"]) == 1
