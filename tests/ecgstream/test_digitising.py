"""`ecgstream digitise`: records and overlays of pictures, and one line for what cannot be read."""

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from ecg.files import read_file
from tests.ecgstream.commands import status_of
from tests.paper.drawn import drawn_page


def test_a_picture_becomes_a_record_and_an_overlay(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    drawn = drawn_page(layout="6x2", px_per_mm=6.0)
    page, empty = tmp_path / "page 1.png", tmp_path / "empty.png"
    cv2.imwrite(str(page), drawn.image)
    Image.new("L", (600, 400), 250).save(empty)
    described = tmp_path / "described.json"
    assert status_of(["digitise", str(page), str(empty), "--out", str(tmp_path / "out"), "--json", str(described)]) == 1
    good, bad = json.loads(described.read_text())["results"]
    assert "closer" in bad["error"]
    assert bad["error"] in capsys.readouterr().err
    assert (good["layout"], good["mm_per_s"], good["mm_per_mv"], good["fs_hz"]) == ("6x2", 25.0, 10.0, 500.0)
    record = read_file(Path(good["record"]))
    assert record.leads == tuple(lead["lead"] for lead in good["leads"])
    assert record.seconds == pytest.approx(10.0, rel=0.02)
    overlay = cv2.imread(good["overlay"])
    assert overlay is not None
    assert overlay.shape == drawn.image.shape
    truth = next(trace for trace in drawn.traces if trace.lead == "II").samples_mv
    samples = record.samples[:, record.leads.index("II")].astype(np.float64)[: len(truth) - 100]
    seen = samples != -32768
    assert seen.mean() > 0.95
    # Where the trace begins is known to some hundredths of a second.
    alike = [
        np.corrcoef(samples[20:-20][seen[20:-20]], truth[at : at + len(samples) - 40][seen[20:-20]])[0, 1]
        for at in range(41)
    ]
    assert max(alike) > 0.98


def test_a_layout_that_there_is_not_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    page = tmp_path / "page.png"
    Image.new("L", (600, 400), 250).save(page)
    assert status_of(["digitise", str(page), "--layout", "4x4"]) == 2
    assert "there is no layout '4x4': choose one of 3x4" in capsys.readouterr().err
