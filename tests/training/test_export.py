import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from torch import nn

import training.onnx_file
from detector.manifest import ModelFile
from detector.sessions import open_session
from detector.single_beats import CNN_OUTPUTS as BEAT_CNN_OUTPUTS
from ecg.errors import EcgStreamError
from tests.training.quick_export import quick_export
from training.ecg5000.export import beat_probes
from training.ecg5000.networks import BeatAutoencoder, BeatCnn
from training.experiments.attention import TransformerNet
from training.experiments.recurrent import LstmNet
from training.experiments.single_beats import BEAT_CLASSES, FEATURES, BeatDense
from training.export import AUTOENCODER_OUTPUTS, CNN_OUTPUTS, INPUT
from training.networks import Autoencoder, BeatNet
from training.onnx_file import TOLERANCE, largest_difference, segment_probes, write_onnx
from training.run import load_weights, save_weights

# onnxscript and torch deprecate things of their own among themselves.
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")


# The CNN has tests of its own.
OTHERS: dict[str, tuple[Callable[[], nn.Module], Callable[[], torch.Tensor], dict[str, tuple[int, ...]]]] = {
    "autoencoder": (lambda: Autoencoder(channels=8), segment_probes, AUTOENCODER_OUTPUTS),
    "lstm": (lambda: LstmNet(hidden=8), segment_probes, CNN_OUTPUTS),
    "transformer": (lambda: TransformerNet(channels=8, blocks=2, heads=2), segment_probes, CNN_OUTPUTS),
    "dense": (lambda: BeatDense(hidden=8), lambda: torch.randn(5, FEATURES), {"beat_logits": (len(BEAT_CLASSES),)}),
    "cnn of ECG5000": (lambda: BeatCnn(channels=4), beat_probes, BEAT_CNN_OUTPUTS),
    "autoencoder of ECG5000": (lambda: BeatAutoencoder(width=4), beat_probes, {"error": (), "reconstruction": (140,)}),
}


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


@pytest.mark.parametrize("name", OTHERS)
def test_every_other_network_is_the_same_in_onnx(name: str, tmp_path: Path) -> None:
    torch.manual_seed(0)
    make, make_probes, outputs = OTHERS[name]
    network, probes = make().eval(), make_probes()
    described, difference = write_onnx(network, tmp_path, name, input_name=INPUT, probes=probes, outputs=outputs)
    assert difference <= TOLERANCE
    assert [path.name for path in tmp_path.iterdir()] == [f"{name}.onnx"]
    assert described.input_shape == probes.shape[1:]
    # As many or as few at once as there are.
    session = open_session(tmp_path, described, 1)
    for count in (1, len(probes)):
        found = session.run(list(outputs), {INPUT: probes[:count].numpy()})
        assert [array.shape for array in found] == [(count, *shape) for shape in outputs.values()]


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
    with quick_export(), pytest.raises(EcgStreamError, match=re.escape("do not ship it")):
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
