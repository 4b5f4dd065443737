"""The reference of the scores' drift, of the shipped models over hand-made recordings."""

import shutil
from pathlib import Path

import numpy as np
import pytest

from detector.drift import load_reference
from detector.manifest import load_manifest
from ecg.labels import DS1
from models import SHIPPED
from tests.ecgstream.commands import status_of
from tests.training.recordings import write_record
from training.records import TrainingRecords
from training.score_reference import learned_records, write_reference


@pytest.fixture
def models(tmp_path: Path) -> Path:
    return Path(shutil.copytree(SHIPPED, tmp_path / "models"))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    beats = np.arange(1.0, 59.0, 0.8)
    for seed, name in enumerate(("101", "106")):
        write_record(tmp_path, name, beat_s=beats, symbols=["N"] * len(beats), seconds=60, seed=seed)
    return tmp_path


def test_the_scores_of_the_records_are_counted(models: Path, folder: Path) -> None:
    seen: list[tuple[int, int]] = []
    records = TrainingRecords(directory=folder, names=("101", "106"))
    written = write_reference(models, records, progress=lambda done, of: seen.append((done, of)))
    assert load_reference(models, load_manifest(models).versions) == written
    assert written.records == ("101", "106")
    assert 0 < written.windows <= 24
    assert seen == [(0, 2), (1, 2), (2, 2)]
    assert learned_records(models) == DS1


def test_the_command_says_which_record_lacks_and_leaves_the_old_reference(
    models: Path, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = (models / "score_reference.json").read_bytes()
    assert status_of(["score-reference", str(models), "--data", str(folder)]) == 1
    assert "108" in capsys.readouterr().err
    assert (models / "score_reference.json").read_bytes() == before
