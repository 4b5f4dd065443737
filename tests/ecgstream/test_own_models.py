import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from detector.manifest import MisfitError
from ecgstream.app import app
from tests.support.own_models import write_model


def test_check_says_what_it_measured(tmp_path: Path) -> None:
    directory, report = write_model(tmp_path / "own"), tmp_path / "check.json"
    found = CliRunner().invoke(app, ["models", "check", str(directory), "--json", str(report)])
    assert found.exit_code == 0, found.output
    result = json.loads(report.read_text())
    assert result["fits"]
    assert result["ms_per_window"].keys() == {"1", "64"}
    assert f"ecgstream detect --shadow {directory}" in found.output.replace("\n", "")


def test_check_of_a_wrong_model_fails_with_its_misfits(tmp_path: Path) -> None:
    directory = write_model(tmp_path, shape=(1, 1, 500))
    found = CliRunner().invoke(app, ["models", "check", str(directory), "--json", "-"])
    assert isinstance(found.exception, MisfitError)
    result = json.loads(found.output)
    assert not result["fits"]
    assert len(result["misfits"]) == len(found.exception.misfits) == 1


def test_list_names_each_folder_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    own, wrong = write_model(tmp_path / "own"), write_model(tmp_path / "wrong", threshold=2)
    monkeypatch.setenv("ECGSTREAM_DETECTOR_MODELS", str(own))
    found = CliRunner().invoke(app, ["models", "list", str(own), str(wrong), "--json", "-"])
    assert found.exit_code == 0, found.output
    listed = {Path(each["directory"]).name: each for each in json.loads(found.output)["models"]}
    assert listed["own"]["roles"] == ["judges"]
    assert listed["wrong"]["why_not"]
    assert listed["models"]["roles"] == ["shipped"]
    assert len(listed) == 3
