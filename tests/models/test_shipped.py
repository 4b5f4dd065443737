"""The shipped files: whole, the ones that were trained, and as good as their card says."""

import json
import re
from pathlib import Path

import pytest

from detector.manifest import load_manifest
from detector.scorer import Scorer
from ecg.annotations import read_annotations
from ecg.data import data_directory
from ecg.labels import DS1, DS2
from ecg.wfdb_files import read_wfdb, toy_record
from models import SHIPPED
from tests.support.verdicts import verdicts_of
from training.databases import database_of
from training.evaluate import evaluate
from training.figures import Evaluation


def test_the_manifest_fits_the_files_and_names_no_test_record() -> None:
    manifest = load_manifest(SHIPPED)
    learned = set(manifest.data["records"]) | set(manifest.data["beat_records"])
    assert set(DS1) <= learned
    assert learned.isdisjoint(DS2)
    assert not any(database_of(name)[0].holds_back(database_of(name)[1]) for name in learned)
    assert manifest.figures["measured_on"] == "training patients, out of fold"


@pytest.mark.parametrize("name", ["cnn", "autoencoder"])
def test_the_shipped_file_is_the_trained_network(name: str) -> None:
    from training.jobs import new_network
    from training.onnx_file import TOLERANCE, largest_difference, segment_probes
    from training.run import load_run, load_weights

    network = new_network(name, load_run(SHIPPED).settings[name])  # type: ignore[arg-type] # one of two names
    load_weights(network, SHIPPED / f"{name}.npz")
    assert largest_difference(network, SHIPPED, getattr(load_manifest(SHIPPED), name), segment_probes()) <= TOLERANCE


def test_the_run_beside_the_models_is_theirs() -> None:
    run = json.loads((SHIPPED / "run.json").read_text(encoding="utf-8"))
    manifest = load_manifest(SHIPPED)
    assert run["calibration"] == manifest.calibration.model_dump()
    assert run["thresholds"] == manifest.thresholds.model_dump()
    assert run["records"] == manifest.data["records"]
    assert run["beat_records"] == manifest.data["beat_records"]
    assert run["beat_reading"] == json.loads(manifest.beat_reading.model_dump_json())


def test_the_excerpt_that_is_always_there_is_mostly_abnormal() -> None:
    # Record 208: ventricular and fusion beats in most windows. It was trained on: no figure, a sign of life.
    verdicts = verdicts_of(toy_record(), Scorer(SHIPPED))
    assert sum(verdict.decision == "abnormal" for verdict in verdicts) > 0.8 * len(verdicts)


@pytest.fixture(scope="module")
def measured() -> Evaluation:
    folder = data_directory() / "mitdb"
    scorer = Scorer(SHIPPED)
    names = ("100", "202", "213", "234")
    return evaluate(
        {name: verdicts_of(read_wfdb(folder / name), scorer) for name in names},
        {name: read_annotations(folder / name) for name in names},
        thresholds=scorer.manifest.thresholds,
    )


# Floors a little under what the card reports for these records of the test set.
@pytest.mark.data
def test_windows_of_unseen_patients(measured: Evaluation) -> None:
    assert measured.windows.fused.auroc is not None
    assert measured.windows.autoencoder.auroc is not None
    assert measured.windows.fused.auroc >= 0.98
    assert measured.windows.autoencoder.auroc >= 0.88
    assert measured.windows.fused.f1 is not None
    assert measured.windows.fused.f1 >= 0.9


@pytest.mark.data
def test_beats_of_unseen_patients(measured: Evaluation) -> None:
    qrs, veb = measured.beats.qrs, measured.beats.veb
    assert qrs.se is not None
    assert qrs.ppv is not None
    assert veb.f1 is not None
    assert min(qrs.se, qrs.ppv) >= 0.998
    assert veb.f1 >= 0.92


def test_the_card_gives_the_versions_that_ship() -> None:
    card = (Path(SHIPPED) / "README.md").read_text(encoding="utf-8")
    manifest = load_manifest(SHIPPED)
    assert set(re.findall(r"`((?:cnn|autoencoder)-[0-9a-f]{8})`", card)) == {
        manifest.cnn.version,
        manifest.autoencoder.version,
    }
    assert "not a medical device" in card.lower()


@pytest.mark.parametrize(
    "path", sorted(Path(SHIPPED).rglob("*.onnx")), ids=lambda path: f"{path.parent.name}/{path.name}"
)
def test_no_model_tells_where_it_was_made(path: Path) -> None:
    assert b".py" not in path.read_bytes()
