from pathlib import Path

import pytest

from tests.ecgstream.commands import status_of


def test_without_the_tables_it_says_how_to_get_them(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert status_of(["train-ecg5000", str(tmp_path / "models"), "--data", str(tmp_path)]) == 1
    assert "ecgstream data fetch ecg5000" in capsys.readouterr().err
    assert not (tmp_path / "models").exists()


def test_no_seed_is_wrong_usage(tmp_path: Path) -> None:
    assert status_of(["train-ecg5000", str(tmp_path), "--seeds", "0"]) == 2
