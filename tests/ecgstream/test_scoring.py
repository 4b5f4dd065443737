"""The command that scores files."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from ecg.wfdb_files import toy_record
from tests.ecgstream.commands import clean_environment, status_of


def test_a_real_ecg_from_a_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    np.save(tmp_path / "excerpt.npy", toy_record().samples[: 360 * 60] / 200)
    arguments = ["score", "excerpt.npy", "--fs", "360", "--leads", "MLII", "--unit", "mV", "--json", "-"]
    assert status_of(arguments) == 0
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
    shown = capsys.readouterr().out
    assert shown.startswith("excerpt.npy: abnormal (confidence ")
    assert "ventricular beat" in shown
    assert len(json.loads((tmp_path / "out.json").read_text())["results"]) == 1


def test_one_bad_file_does_not_sink_the_others(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    np.save(tmp_path / "good.npy", toy_record().samples[: 360 * 10] / 200)
    np.save(tmp_path / "short.npy", np.zeros(108))
    (tmp_path / "notes.txt").write_text("1,2,N\n1,2,N\n")
    arguments = ["score", "short.npy", "notes.txt", "good.npy", "none.csv", "--fs", "360", "--json", "out.json"]
    assert status_of(arguments) == 1
    shown = capsys.readouterr()
    short, notes, good, none = json.loads((tmp_path / "out.json").read_text())["results"]
    assert short == {
        "file": "short.npy",
        "error": "short.npy: 0.3 s is shorter than one window of 5 s: give a longer recording, or correct the sampling "
        "rate if 360 Hz is not its own",
    }
    assert "notes.txt" in notes["error"]
    assert "there is no file none.csv" in none["error"]
    assert good["aggregate"]["decision"] == "abnormal"
    assert good["windows"][0]["lead"] == "signal 0"
    assert "good.npy: abnormal (confidence " in shown.out
    assert shown.err.splitlines() == [f"ecgstream: {each['error']}" for each in (short, notes, none)]


def test_a_file_that_cannot_be_judged_prints_no_verdict(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    beats = "\n".join(",".join(["0.5"] * 188) for _ in range(40))
    (tmp_path / "beats.csv").write_text(beats + "\n")
    assert status_of(["score", "beats.csv", "--fs", "125"]) == 1
    shown = capsys.readouterr()
    assert shown.out == ""
    assert "188 columns are no leads" in shown.err
    assert "give the recording that they were cut from" in shown.err
    assert len(shown.err.splitlines()) == 1


def test_a_finding_is_told_with_rate_and_lead(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    np.save(tmp_path / "excerpt.npy", toy_record().samples[: 360 * 60] / 200)
    assert status_of(["score", "excerpt.npy", "--fs", "360", "--leads", "MLII", "--json", "-"]) == 0
    (result,) = json.loads(capsys.readouterr().out)["results"]
    fast = next(finding for finding in result["findings"] if finding["kind"] == "tachycardia")
    assert fast["lead"] == "MLII"
    assert 100 < fast["rate_bpm"] < 150
    assert result["aggregate"]["reason"].startswith(f"tachycardia at {fast['rate_bpm']:.0f}/min from 0:05")
    assert status_of(["score", "excerpt.npy", "--fs", "360", "--leads", "MLII"]) == 0
    shown = capsys.readouterr().out
    assert f"tachycardia at {fast['rate_bpm']:.0f}/min, medium priority, on MLII" in shown
    assert "windows judged on MLII (12)" in shown


def test_a_record_may_be_named_without_its_suffix(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "r.hea").write_text("r 1 360 3600\nr.dat 16 200 16 0 0 0 0 II\n")
    toy_record().samples[:3600, :1].astype("<i2").tofile(tmp_path / "r.dat")
    assert status_of(["score", "r", "--leads", " ,II,"]) == 0
    assert capsys.readouterr().out.startswith("r: abnormal")


@pytest.mark.parametrize(
    ("name", "content", "arguments"),
    [
        ("\x1b[31mred.csv", b"a,b\n", r"\x1b[31mred.csv has no row of numbers"),
        ("two\nlines.csv", b"", r"two lines.csv is empty"),
        ("not\udcffutf8.csv", b"", r"not\udcffutf8.csv is empty"),
        ("huge.csv", b"1e300\n" * 3600, "huge.csv: lead signal 0: the values lie around 1e+300, above 1e+06"),
        ("folder.csv", None, "folder.csv is a folder: name the files in it"),
    ],
)
def test_what_strangers_send_is_one_line_that_can_be_read(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str, content: bytes | None, arguments: str
) -> None:
    if content is None:
        (tmp_path / name).mkdir()
    else:
        (tmp_path / name).write_bytes(content)
    assert status_of(["score", name, "--fs", "360", "--json", "out.json"]) == 1
    shown = capsys.readouterr().err
    assert shown.startswith(f"ecgstream: {arguments}")
    assert shown.removesuffix("\n").isprintable()
    (result,) = json.loads((tmp_path / "out.json").read_text())["results"]
    assert result["error"] in shown


def test_a_name_that_is_no_utf8_is_scored_too(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    np.save(tmp_path / "ex.npy", toy_record().samples[: 360 * 10] / 200)
    (tmp_path / "ex.npy").rename(tmp_path / "a\udcff\n.npy")
    assert status_of(["score", "a\udcff\n.npy", "--fs", "360"]) == 0
    assert capsys.readouterr().out.startswith(r"a\udcff\n.npy: ")


def test_a_long_file_shows_on_a_terminal_how_far_it_is(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("detector.offline.BATCH", 20)
    np.save(tmp_path / "long.npy", toy_record().samples[: 360 * 60] / 200)
    np.save(tmp_path / "short.npy", toy_record().samples[: 360 * 10] / 200)
    arguments = ["score", "long.npy", "short.npy", "--fs", "360", "--json", "-"]
    assert status_of(arguments) == 0
    quiet = capsys.readouterr()
    assert quiet.err == ""
    monkeypatch.setenv("FORCE_COLOR", "1")  # a terminal, for what draws
    monkeypatch.setenv("TERM", "xterm-256color")
    assert status_of(arguments) == 0
    shown = capsys.readouterr()
    assert "scoring long.npy" in shown.err
    assert "short.npy" not in shown.err
    assert shown.out == quiet.out


@pytest.mark.parametrize("name", ["a.csv", "a.npy", "a.hea"])
def test_scoring_a_file_loads_nothing_that_it_does_not_need(tmp_path: Path, name: str) -> None:
    samples = toy_record().samples[: 360 * 10]
    samples.astype("<i2").tofile(tmp_path / "a.dat")
    (tmp_path / "a.hea").write_text("a 1 360 3600\na.dat 16 200(0)/mV 16 0 0 0 0 MLII\n")
    np.save(tmp_path / "a.npy", samples / 200)
    np.savetxt(tmp_path / "a.csv", samples / 200)
    heavy = "{'scipy', 'pandas', 'matplotlib', 'wfdb', 'edfio', 'sqlalchemy', 'structlog', 'starlette', 'aiokafka'}"
    arguments = ["score", name] if name == "a.hea" else ["score", name, "--fs", "360"]
    code = (
        "import sys\n"
        "from ecgstream.__main__ import main\n"
        f"try:\n    main({arguments})\n"
        "except SystemExit as ended:\n    assert not ended.code\n"
        f"sys.exit(', '.join({heavy} & sys.modules.keys()) or 0)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, env=clean_environment(), capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(f"{name}: ")
