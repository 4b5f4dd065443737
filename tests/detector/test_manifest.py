import hashlib
import json
from collections.abc import Callable
from pathlib import Path

import pytest

from detector.manifest import MANIFEST, ModelError, load_manifest
from detector.scorer import Scorer


def edited(directory: Path, change: Callable[[dict[str, object]], None]) -> Path:
    path = directory / MANIFEST
    manifest = json.loads(path.read_text())
    change(manifest)
    path.write_text(json.dumps(manifest))
    return directory


def reseal(directory: Path, file: str) -> None:
    """Give the manifest the file's new hash: what is left to notice is the model itself."""
    digest = hashlib.sha256((directory / file).read_bytes()).hexdigest()
    edited(directory, lambda manifest: manifest[file.removesuffix(".onnx")].update(sha256=digest))  # type: ignore[attr-defined] # JSON


def test_shipped_models_fit(model_copy: Path) -> None:
    manifest = load_manifest(model_copy)
    assert Scorer(model_copy).versions == {
        "cnn": manifest.cnn.version,
        "autoencoder": manifest.autoencoder.version,
        "beats": manifest.beats.version,
    }


def test_model_cut_in_half_is_refused_with_its_hash(model_copy: Path) -> None:
    path = model_copy / "cnn.onnx"
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(ModelError, match=r"cnn\.onnx .* SHA-256 .* damaged"):
        Scorer(model_copy)


def test_damaged_model_with_a_right_hash_is_refused(model_copy: Path) -> None:
    path = model_copy / "cnn.onnx"
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    reseal(model_copy, "cnn.onnx")
    with pytest.raises(ModelError, match="no ONNX model that can be run"):
        Scorer(model_copy)


def test_another_model_in_its_place_is_refused(model_copy: Path) -> None:
    (model_copy / "cnn.onnx").write_bytes((model_copy / "autoencoder.onnx").read_bytes())
    reseal(model_copy, "cnn.onnx")
    with pytest.raises(ModelError, match=r"gives .* its manifest says"):
        Scorer(model_copy)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda m: m.update(preprocessing_version="0"), "expect preprocessing"),
        (lambda m: m.update(fs_hz=250.0), "expect preprocessing"),
        (lambda m: m["cnn"].update(input_shape=[2, 500]), "takes input of shape"),
        (lambda m: m.update(schema_version=9), "no manifest of version 3"),
        (lambda m: m.update(surprise=1), "no manifest of version 3"),
        (lambda m: m["cnn"].update(file="gone.onnx"), "cannot be read"),
    ],
)
def test_manifest_that_does_not_fit_is_refused(
    model_copy: Path, change: Callable[[dict[str, object]], None], says: str
) -> None:
    with pytest.raises(ModelError, match=says):
        load_manifest(edited(model_copy, change))


def test_missing_manifest_says_what_makes_one(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="ecgstream export"):
        load_manifest(tmp_path)
