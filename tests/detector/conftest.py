import shutil
from pathlib import Path

import pytest

from detector.scorer import Scorer
from ecg.records import Record
from ecg.wfdb_files import toy_record
from models import SHIPPED


@pytest.fixture(scope="session")
def scorer() -> Scorer:
    return Scorer(SHIPPED)


@pytest.fixture(scope="session")
def excerpt() -> Record:
    return toy_record()


@pytest.fixture
def model_copy(tmp_path: Path) -> Path:
    """A copy of the shipped models, to be damaged."""
    return Path(shutil.copytree(SHIPPED, tmp_path / "models"))
