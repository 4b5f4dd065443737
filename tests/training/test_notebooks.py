"""The notebooks run from the first cell to the last; what is committed of their outputs is small and of no machine."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bus.messages import Verdict
from detector.manifest import load_manifest
from detector.scorer import Scorer
from ecg.annotations import read_annotations
from ecg.wfdb_files import read_wfdb
from models import SHIPPED
from tests.support.verdicts import verdicts_of
from tests.training.recordings import write_record
from training.evaluate import evaluate
from training.records import SplitError

ROOT = Path(__file__).parents[2]
NOTEBOOKS = sorted((ROOT / "training" / "notebooks").glob("*.ipynb"))
NAMES = ("1_exploration", "2_preprocessing", "3_experiments", "4_results")
BEAT_S = np.arange(0.5, 59.5, 0.75)
MOST_BYTES = 1_000_000


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Two hand-made records and noise where the notebooks look for them, and an evaluation of the two."""
    data = tmp_path_factory.mktemp("data")
    for folder, names in (("mitdb", ("101", "106")), ("nstdb", ("bw", "em", "ma"))):
        (data / folder).mkdir()
        for seed, name in enumerate(names):
            symbols = ["V" if at_s > 30 and number % 4 == seed % 2 else "N" for number, at_s in enumerate(BEAT_S)]
            write_record(data / folder, name, beat_s=BEAT_S, symbols=symbols, seed=seed)
    scorer = Scorer(SHIPPED)
    verdicts: dict[str, list[Verdict]] = {
        name: verdicts_of(read_wfdb(data / "mitdb" / name), scorer) for name in ("101", "106")
    }
    annotations = {name: read_annotations(data / "mitdb" / name) for name in verdicts}
    evaluation = evaluate(verdicts, annotations, thresholds=load_manifest(SHIPPED).thresholds)
    (data / "evaluation.json").write_text(json.dumps(evaluation.model_dump(mode="json")), encoding="utf-8")
    return {
        "ECGSTREAM_DATA_DIR": str(data),
        "NOTEBOOK_RECORDS": "101,106",
        "NOTEBOOK_STEPS": "1",
        "NOTEBOOK_EVALUATION": str(data / "evaluation.json"),
    }


def read(path: Path) -> dict[str, Any]:
    notebook: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return notebook


def test_every_notebook_runs_on_a_small_slice(environment: dict[str, str], tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, str(ROOT / "scripts" / "run_notebooks.py"), "--out", str(tmp_path)],
        # So small fits only wait for each other on more threads.
        env={**os.environ, **environment, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    for name in NAMES:
        notebook = read(tmp_path / f"{name}.ipynb")
        outputs = [output for cell in notebook["cells"] for output in cell.get("outputs", [])]
        assert not [output for output in outputs if output["output_type"] == "error" or output.get("name") == "stderr"]
        assert any("image/png" in output.get("data", {}) for output in outputs)
        assert environment["ECGSTREAM_DATA_DIR"] not in json.dumps(notebook)


@pytest.mark.parametrize("name", NAMES[:3])
def test_a_notebook_cannot_be_given_a_test_record(
    name: str, environment: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    data = Path(environment["ECGSTREAM_DATA_DIR"]) / "mitdb"
    (data / "100.hea").write_bytes((data / "101.hea").read_bytes())
    monkeypatch.setenv("ECGSTREAM_DATA_DIR", environment["ECGSTREAM_DATA_DIR"])
    monkeypatch.setenv("NOTEBOOK_RECORDS", "101,100")
    notebook = read(ROOT / "training" / "notebooks" / f"{name}.ipynb")
    first = next(cell for cell in notebook["cells"] if cell["cell_type"] == "code")
    with pytest.raises(SplitError, match="test set DS2"):
        exec("".join(first["source"]), {})  # noqa: S102 - the project's own cell, as a kernel runs it


def test_there_are_these_notebooks_in_this_order() -> None:
    assert tuple(path.stem for path in NOTEBOOKS) == NAMES


@pytest.mark.parametrize("path", NOTEBOOKS, ids=[path.stem for path in NOTEBOOKS])
def test_what_is_committed_is_small_whole_and_of_no_machine(path: Path) -> None:
    assert path.stat().st_size < MOST_BYTES
    notebook = read(path)
    assert notebook["cells"][0]["cell_type"] == "markdown"
    outputs = [output for cell in notebook["cells"] for output in cell.get("outputs", [])]
    assert not [output for output in outputs if output["output_type"] == "error" or output.get("name") == "stderr"]
    shown = json.dumps([output.get("text") or output.get("data", {}).get("text/plain") for output in outputs])
    assert not re.search(r"/home/|/root/|/tmp/|/Users/|[A-Z]:\\\\", shown)
    assert all(not cell["metadata"] for cell in notebook["cells"])
    assert set(notebook["metadata"]) == {"kernelspec", "language_info"}
    # All cells of one run, or none.
    counts = [cell["execution_count"] for cell in notebook["cells"] if cell["cell_type"] == "code"]
    assert counts in ([None] * len(counts), list(range(1, len(counts) + 1)))
