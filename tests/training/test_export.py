import re
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from torch import nn

import training.onnx_file
from detector.manifest import ModelFile
from ecg.errors import EcgStreamError
from training.export import AUTOENCODER_OUTPUTS, CNN_OUTPUTS, INPUT
from training.networks import Autoencoder, BeatNet
from training.onnx_file import TOLERANCE, largest_difference, segment_probes, write_onnx
from training.run import load_weights, save_weights

# onnxscript and torch deprecate things of their own among themselves.
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")


def _written(
    network: nn.Module, directory: Path, name: str, outputs: dict[str, tuple[int, ...]]
) -> tuple[ModelFile, float]:
    return write_onnx(network, directory, name, input_name=INPUT, probes=segment_probes(), outputs=outputs)


@pytest.fixture(scope="module")
def tiny() -> BeatNet:
    torch.manual_seed(0)
    network = BeatNet(shape_channels=8, rhythm_channels=8)
    network.train()
    network(torch.randn(16, 2, 1500))  # the norms have seen something
    return network.eval()


@pytest.fixture(scope="module")
def exported(tiny: BeatNet, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, ModelFile, float]:
    directory = tmp_path_factory.mktemp("models")
    return (directory, *_written(tiny, directory, "cnn", CNN_OUTPUTS))


def test_a_tiny_cnn_is_the_same_in_onnx(exported: tuple[Path, ModelFile, float], tiny: BeatNet) -> None:
    directory, described, difference = exported
    assert 0 < difference <= TOLERANCE
    assert largest_difference(tiny, directory, described, segment_probes()) == difference


def test_the_file_stands_alone_with_any_batch(exported: tuple[Path, ModelFile, float]) -> None:
    directory, described, _ = exported
    assert [path.name for path in directory.iterdir()] == ["cnn.onnx"]
    model = onnx.load(directory / described.file, load_external_data=False)
    assert all(not tensor.external_data for tensor in model.graph.initializer)
    assert model.graph.input[0].type.tensor_type.shape.dim[0].dim_param
    assert model.opset_import[0].version >= 17


def test_other_weights_are_noticed(exported: tuple[Path, ModelFile, float], tiny: BeatNet) -> None:
    directory, described, _ = exported
    other = BeatNet(shape_channels=8, rhythm_channels=8)
    other.load_state_dict(tiny.state_dict())
    with torch.no_grad():
        next(reversed(list(other.map_head.parameters())))[2] += 0.001  # a bias
    assert largest_difference(other, directory, described, segment_probes()) > TOLERANCE


def test_a_file_that_differs_is_not_shipped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(training.onnx_file, "largest_difference", lambda *_: float("nan"))
    with pytest.raises(EcgStreamError, match=re.escape("do not ship it")):
        _written(Autoencoder(channels=4), tmp_path, "autoencoder", AUTOENCODER_OUTPUTS)


def test_weights_come_back_as_they_were(tiny: BeatNet, tmp_path: Path) -> None:
    save_weights(tiny, tmp_path / "cnn.npz")
    other = BeatNet(shape_channels=8, rhythm_channels=8)
    load_weights(other, tmp_path / "cnn.npz")
    for name, tensor in tiny.state_dict().items():
        np.testing.assert_array_equal(tensor, other.state_dict()[name], err_msg=name)


@pytest.mark.parametrize("damage", ["missing", "cut", "other network"])
def test_weights_that_do_not_fit_are_named(damage: str, tiny: BeatNet, tmp_path: Path) -> None:
    path = tmp_path / "cnn.npz"
    if damage != "missing":
        save_weights(tiny, path)
    if damage == "cut":
        path.write_bytes(path.read_bytes()[:1000])
    network = BeatNet() if damage == "other network" else BeatNet(shape_channels=8, rhythm_channels=8)
    with pytest.raises(EcgStreamError, match="does not hold the weights of this network"):
        load_weights(network, path)
