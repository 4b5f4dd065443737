from pathlib import Path

import numpy as np
import pytest

from tests.ecgstream.commands import status_of


def test_report_on_the_excerpt(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    html, pdf = tmp_path / "r.html", tmp_path / "r.pdf"
    arguments = ["report", "record", "208-excerpt", "--from", "60", "--to", "80", "--out", str(html), "--pdf", str(pdf)]
    assert status_of(arguments) == 0
    assert capsys.readouterr().out.splitlines() == [f"written: {html}", f"written: {pdf}"]
    assert "0:01:00 to 0:01:20" in html.read_text()
    assert pdf.read_bytes().startswith(b"%PDF")


def test_report_on_a_file_goes_beside_who_asked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    np.save("flat.npy", np.zeros((2500, 1)))
    assert status_of(["report", "record", "flat.npy", "--fs", "250", "--leads", "II"]) == 0
    assert capsys.readouterr().out == "written: ecg-report-flat.html\n"
    assert "unusable" in (tmp_path / "ecg-report-flat.html").read_text()


@pytest.mark.parametrize(
    ("arguments", "status", "complaint"),
    [
        (["--from", "400"], 2, "nothing of a recording of 300 s"),
        (["--from", "20", "--to", "10"], 2, "choose a span inside it"),
        (["--to", "10", "--out", "no/such/folder.html"], 1, "--out no/such/folder.html cannot be written"),
    ],
)
def test_wrong_use_is_one_line(
    arguments: list[str],
    status: int,
    complaint: str,
    *,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    assert status_of(["report", "record", "208-excerpt", *arguments]) == status
    said = capsys.readouterr().err
    assert complaint in said
    assert said.count("\n") == 1
