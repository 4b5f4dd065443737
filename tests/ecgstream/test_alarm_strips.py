"""The strip of an alarm from the command line: drawn to scale with its onset marked, and in an export."""

import json
import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from alerting.database.engine import address
from alerting.history.store import AlarmStore, Entry, Place
from alerting.strips.alarm_strip import AlarmStrip
from alerting.strips.store import StripStore
from ecg.records import MISSING
from reports.alarm_strip import ONSET
from tests.alerting.alerts import alert
from tests.alerting.verdicts import START_NS
from tests.ecgstream.commands import status_of

FS_HZ = 250.0


@pytest.fixture(autouse=True)
def database(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Alarms: one with a strip, one whose samples had gone, one that waits."""
    named = f"sqlite:///{tmp_path}/state/alarms.sqlite"
    monkeypatch.setenv("ECGSTREAM_ALERTING_ALARM_DB", named)
    history = AlarmStore(address(named), cluster="c")
    history.open()
    shown = [alert(id=f"p1/{name}/x", label="ventricular run", priority="high") for name in ("kept", "gone", "due")]
    history.record(
        [Entry(place=Place("t", 0), offset=at, published_ns=0, message=each) for at, each in enumerate(shown)]
    )
    strips = StripStore(address(named))
    strips.keep(
        AlarmStrip(
            alarm="p1/kept/x",
            patient="p1",
            leads=("MLII", "V1"),
            fs_hz=FS_HZ,
            start_ns=START_NS - 5_000_000_000,
            gain=(200.0, 100.0),
            baseline=(1024, 0),
            samples=rows(),
        )
    )
    strips.give_up("p1/gone/x", "the samples of that time have left the topic")
    yield
    strips.close()
    history.close()


def rows() -> np.ndarray:
    made = np.zeros((2500, 2), np.int16)
    made[:, 0] = 1024
    made[1250, 0] = 1224
    made[2000:2100] = MISSING
    return made


@pytest.mark.parametrize(("name", "begins"), [("a.svg", b"<svg"), ("a.PNG", b"\x89PNG"), ("a.pdf", b"%PDF-")])
def test_a_strip_is_written_as_its_name_says(tmp_path: Path, name: str, begins: bytes) -> None:
    assert status_of(["alarms", "show", "p1/kept/x", "--strip", str(tmp_path / name)]) == 0
    assert (tmp_path / name).read_bytes().startswith(begins)


def test_the_drawing_is_to_scale_and_marks_the_onset(tmp_path: Path) -> None:
    file = tmp_path / "a.svg"
    assert status_of(["alarms", "show", "p1/kept/x", "--strip", str(file)]) == 0
    drawn = file.read_text()
    width_mm = float(re.search(r'width="([\d.]+)mm"', drawn)[1])  # type: ignore[index] # there is one, or it fails
    assert width_mm == pytest.approx(15 + 250 + 1, abs=0.01)

    lines = re.findall(rf'd="M ([\d.]+) [\d.]+ \s*L ([\d.]+) [\d.]+ \s*"[^>]*stroke: {ONSET};', drawn)
    assert [(float(a) / 72 * 25.4, float(b) / 72 * 25.4) for a, b in lines if a == b] == [
        pytest.approx((15 + 5 * 25,) * 2, abs=0.01)
    ]


def test_what_is_not_there_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name, why in (("gone", "left the topic"), ("due", "has not made it yet")):
        assert status_of(["alarms", "show", f"p1/{name}/x", "--strip", str(tmp_path / "a.svg")]) == 1
        assert why in capsys.readouterr().err
    assert status_of(["alarms", "show", "p1/nobody/x", "--strip", str(tmp_path / "a.svg")]) == 1
    assert status_of(["alarms", "show", "p1/kept/x", "--strip", str(tmp_path / "a.bmp")]) == 2
    assert "written as .svg, .png, .pdf" in capsys.readouterr().err
    assert status_of(["alarms", "show", "p1/kept/x", "--strip", "/dev/null/a.svg"]) == 1
    assert "cannot be written: Not a directory" in capsys.readouterr().err


def test_an_export_has_the_strip(capsys: pytest.CaptureFixture[str]) -> None:
    assert status_of(["alarms", "export"]) == 0
    exported = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    strips = {each["alarm"]["id"]: each["strip"] for each in exported}
    assert strips["p1/gone/x"] is None
    kept = strips["p1/kept/x"]
    assert (kept["leads"], kept["fs_hz"], kept["gain"]) == (["MLII", "V1"], FS_HZ, [200.0, 100.0])
    assert len(kept["samples"]) == 2
    assert kept["samples"][0][1250] == 1224
    assert kept["samples"][1][2050] is None
