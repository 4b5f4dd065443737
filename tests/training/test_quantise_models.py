from pathlib import Path

import numpy as np
import pytest

from detector.manifest import load_manifest
from detector.scorer import Scorer
from detector.sessions import open_session
from ecg.records import Float32Array
from ecg.segments import MODEL_SAMPLES, Preprocessing, prepare_segments
from ecg.wfdb_files import toy_record
from models import SHIPPED
from tests.support.verdicts import verdicts_of
from tests.training.recordings import write_record
from training.data import segments_of
from training.experiments.plain_cnn import write_plain_cnn
from training.quantise_models import Form, calibration_segments, quantise
from training.records import TrainingRecords


@pytest.fixture(scope="module")
def segments() -> Float32Array:
    record = toy_record()
    ends = np.arange(5400, len(record.samples), 5400)
    prepared = prepare_segments(
        segments_of(record, ends),
        fs_hz=record.fs_hz,
        gain=record.gain[:1],
        baseline=[0],
        settings=Preprocessing(),
    )
    return prepared.inputs


@pytest.mark.parametrize("form", list(Form))
def test_int8_models_are_models_that_judge_alike(form: Form, segments: Float32Array, tmp_path: Path) -> None:
    quantise(SHIPPED, tmp_path, segments, form=form)
    manifest, shipped = load_manifest(tmp_path), load_manifest(SHIPPED)  # with their hashes checked
    assert manifest.thresholds == shipped.thresholds
    assert "int8" in manifest.cnn.version
    assert (tmp_path / manifest.cnn.file).stat().st_size < 0.6 * (SHIPPED / shipped.cnn.file).stat().st_size
    record = toy_record()
    pairs = [
        (one.fused, other.fused)
        for one, other in zip(verdicts_of(record, Scorer(SHIPPED)), verdicts_of(record, Scorer(tmp_path)), strict=True)
        if one.fused is not None and other.fused is not None
    ]
    differences = np.array([abs(one - other) for one, other in pairs])
    assert 0 < np.median(differences) < 0.02  # not the same networks, and nearly
    assert differences.max() < 0.25


def test_segments_come_from_every_training_record(tmp_path: Path) -> None:
    for name in ("101", "106"):
        write_record(tmp_path, name, beat_s=np.arange(0.5, 59, 0.8), symbols=["N"] * 74)
    records = TrainingRecords(directory=tmp_path, names=("101", "106"))
    found = calibration_segments(records, per_record=5)
    assert found.shape == (10, 2, MODEL_SAMPLES)
    assert np.array_equal(found, calibration_segments(records, per_record=5))
    assert not np.array_equal(found, calibration_segments(records, per_record=5, seed=1))
    assert found.std(axis=2).min() > 0.5  # normalised, none of them empty


def test_the_plain_cnn_has_four_layers_and_47_thousand_weights(tmp_path: Path) -> None:
    model = write_plain_cnn(tmp_path)
    assert model.parameters == pytest.approx(47_000, rel=0.01)
    session = open_session(tmp_path, model, 1)
    windows = np.random.default_rng(0).standard_normal((3, *model.input_shape)).astype(np.float32)
    (logits,) = session.run(None, {model.input_name: windows})
    assert logits.shape == (3, 1)
    assert len(set(logits[:, 0].tolist())) == 3
