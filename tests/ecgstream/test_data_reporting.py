"""`ecgstream report data`."""

from pathlib import Path

import numpy as np
import pytest

from tests.ecgstream.commands import status_of
from tests.training.recordings import write_record


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    directory = tmp_path / "ward"
    directory.mkdir()
    write_record(directory, "one", beat_s=np.arange(0.5, 19.5, 0.8), symbols=["N"] * 24, seconds=20)
    return directory


def test_the_page_is_written_where_it_was_asked_for(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert status_of(["report", "data", "--data", str(folder), "--out", "page.html"]) == 0
    assert "written: page.html" in capsys.readouterr().out
    assert "<title>Data report: ward</title>" in Path("page.html").read_text(encoding="utf-8")


def test_a_page_that_cannot_be_written_is_one_clear_line(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert status_of(["report", "data", "--data", str(folder), "--out", "no/such/page.html"]) == 1
    assert "no/such/page.html cannot be written" in capsys.readouterr().err


def test_a_folder_that_is_not_there_is_one_clear_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert status_of(["report", "data", "--data", "nowhere"]) == 1
    assert "there is no folder nowhere" in capsys.readouterr().err
