import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from detector.manifest import MANIFEST, ModelError
from detector.single_beats import (
    AUTOENCODER_OUTPUTS,
    CNN_OUTPUTS,
    BeatCalibration,
    BeatManifest,
    BeatThresholds,
    SingleBeatScorer,
    normalised,
)
from ecg.errors import EcgStreamError

# onnxscript and torch deprecate things of their own among themselves.
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")

BEATS = np.random.default_rng(0).standard_normal((300, 140)).astype(np.float32)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    from training.ecg5000.data import CLASSES
    from training.ecg5000.export import export_beat_network
    from training.ecg5000.networks import BeatAutoencoder, BeatDense

    directory = tmp_path_factory.mktemp("ecg5000")
    torch.manual_seed(0)
    manifest = BeatManifest(
        classes=CLASSES,
        cnn=export_beat_network(BeatDense(width=4).eval(), directory, "cnn", CNN_OUTPUTS)[0],
        autoencoder=export_beat_network(BeatAutoencoder(width=4), directory, "autoencoder", AUTOENCODER_OUTPUTS)[0],
        calibration=BeatCalibration(
            temperature=2.0,
            cnn_slope=1.0,
            cnn_bias=0.5,
            autoencoder_slope=2.0,
            autoencoder_bias=0.0,
            combined_cnn=1.0,
            combined_autoencoder=1.0,
            combined_bias=-2.0,
        ),
        thresholds=BeatThresholds(cnn=0.5, combined=0.5, autoencoder_error=1.0),
        data={},
        settings={},
        seed=0,
        figures={},
    )
    (directory / MANIFEST).write_text(manifest.model_dump_json())
    return directory


@pytest.fixture
def directory(made: Path, tmp_path: Path) -> Path:
    for file in made.iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    return tmp_path


def edited(directory: Path, change: Callable[[dict[str, Any]], None]) -> Path:
    path = directory / MANIFEST
    manifest = json.loads(path.read_text())
    change(manifest)
    path.write_text(json.dumps(manifest))
    return directory


def test_scores_are_what_the_calibration_says(made: Path) -> None:
    scores = SingleBeatScorer(made).score(BEATS)
    np.testing.assert_allclose(scores.class_probabilities.sum(axis=1), 1)
    np.testing.assert_array_equal(scores.classes, scores.class_probabilities.argmax(axis=1))
    normal = scores.class_probabilities[:, 0]
    z = np.log((1 - normal) / normal)
    np.testing.assert_allclose(scores.cnn, 1 / (1 + np.exp(-(z + 0.5))))
    combined = 1 / (1 + np.exp(-(z + np.log(scores.error) - 2)))
    np.testing.assert_allclose(scores.abnormal_score, combined)
    np.testing.assert_array_equal(scores.abnormal, combined >= 0.5)
    np.testing.assert_array_equal(scores.autoencoder_abnormal, scores.error >= 1)


def test_a_beat_is_judged_the_same_alone_and_in_any_unit(made: Path) -> None:
    scorer = SingleBeatScorer(made)
    together, alone = scorer.score(BEATS), scorer.score(3 + 0.2 * BEATS[257:258])
    np.testing.assert_allclose(alone.abnormal_score, together.abnormal_score[257:258], atol=1e-5)


def test_no_beat_gives_no_score(made: Path) -> None:
    assert len(SingleBeatScorer(made).score(BEATS[:0]).abnormal) == 0


def test_a_normalised_beat_stays_as_it_is() -> None:
    once = normalised(BEATS)
    np.testing.assert_allclose(normalised(once), once, atol=1e-5)


@pytest.mark.parametrize(
    ("beats", "says"),
    [
        (BEATS[:, :139], r"shape \(300, 139\): give one a row, of 140 samples"),
        (BEATS[0], r"shape \(140,\)"),
        (np.where(np.arange(300)[:, None] == 7, np.nan, BEATS), "beat 7 .* has a missing sample"),
        (np.where(np.arange(300)[:, None] == 9, np.inf, BEATS), "beat 9 .* has a missing sample"),
        (np.where(np.arange(300)[:, None] == 8, 0.3, BEATS), "beat 8 .* is a flat line"),
    ],
)
def test_what_is_no_beat_is_refused(made: Path, beats: np.ndarray[Any, np.dtype[np.float32]], says: str) -> None:
    with pytest.raises(EcgStreamError, match=says):
        SingleBeatScorer(made).score(beats)


@pytest.mark.parametrize("file", ["cnn.onnx", "autoencoder.onnx"])
def test_a_damaged_file_is_refused_with_its_hash(directory: Path, file: str) -> None:
    path = directory / file
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(ModelError, match=rf"{file} .*has SHA-256 .* damaged"):
        SingleBeatScorer(directory)


def test_another_model_in_its_place_is_refused(directory: Path) -> None:
    content = (directory / "autoencoder.onnx").read_bytes()
    (directory / "cnn.onnx").write_bytes(content)
    edited(directory, lambda m: m["cnn"].update(sha256=hashlib.sha256(content).hexdigest()))
    with pytest.raises(ModelError, match=r"gives .* its manifest says"):
        SingleBeatScorer(directory)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda m: m.update(schema_version=2), "no manifest of single-beat models"),
        (lambda m: m.update(surprise=1), "no manifest of single-beat models"),
        (lambda m: m.update(classes=["a", "b"]), "no manifest of single-beat models"),
        (lambda m: m["thresholds"].update(cnn=1.5), "no manifest of single-beat models"),
        (
            lambda m: m["cnn"].update(input_shape=[2, 1500]),
            r"takes input of shape \(2, 1500\), this program gives \(140,\)",
        ),
        (lambda m: m["cnn"].update(outputs={"logits": [4]}), "this program knows"),
        (lambda m: m["autoencoder"].update(file="gone.onnx"), "cannot be read"),
    ],
)
def test_a_manifest_that_does_not_fit_is_refused(
    directory: Path, change: Callable[[dict[str, Any]], None], says: str
) -> None:
    with pytest.raises(ModelError, match=says):
        SingleBeatScorer(edited(directory, change))


def test_a_missing_manifest_says_what_makes_one(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="ecgstream train-ecg5000"):
        SingleBeatScorer(tmp_path)
