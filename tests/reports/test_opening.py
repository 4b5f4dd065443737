"""Pictures of paper ECGs are recordings like others; the strips that reports print come back from paper."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from alerting.rules import load_rules
from detector.scorer import Scorer
from ecg.errors import EcgStreamError
from ecg.records import Record
from models import SHIPPED
from reports.opening import open_any
from reports.recording import read_recording
from reports.scoring import score_file, scored
from tests.paper.drawn import FS_HZ, drawn_page


def test_a_picture_gives_the_beats_that_its_samples_have(tmp_path: Path) -> None:
    drawn = drawn_page(layout="3x4+1", px_per_mm=6.0)
    path = tmp_path / "page.png"
    cv2.imwrite(str(path), drawn.image)
    found = score_file(path, Scorer(SHIPPED), load_rules(None))
    strip = next(trace for trace in drawn.traces if trace.row == 3)
    samples = np.rint(strip.samples_mv * 1000).astype(np.int16)[:, None]
    record = Record(name="strip", fs_hz=FS_HZ, leads=("II",), gain=(1000.0,), baseline=(0,), samples=samples)
    expected = scored(record, Scorer(SHIPPED), load_rules(None), file="strip").result
    assert len(found["beats"]) == len(expected["beats"])
    assert [beat["t_s"] for beat in found["beats"]] == pytest.approx(
        [beat["t_s"] for beat in expected["beats"]], abs=0.05
    )
    assert found["aggregate"]["decision"] == expected["aggregate"]["decision"]
    assert any("10 s on paper show the rhythm of that moment" in remark for remark in found["remarks"])


def test_a_report_is_made_of_a_picture(tmp_path: Path) -> None:
    path = tmp_path / "page.png"
    cv2.imwrite(str(path), drawn_page(layout="1x1", seconds=10.0, px_per_mm=6.0).image)
    recording = read_recording(str(path), tmp_path)
    assert recording.reference is None
    assert recording.record.seconds == pytest.approx(10.0, rel=0.02)


def test_what_shows_no_ecg_says_what_would_help(tmp_path: Path) -> None:
    path = tmp_path / "page.png"
    cv2.imwrite(str(path), np.full((600, 800, 3), 240, np.uint8))
    with pytest.raises(EcgStreamError, match="take it closer, flatter and in more light"):
        open_any(path)
