"""Trained networks to ONNX files with their manifest, checked against torch."""

import hashlib
import logging
import shutil
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx
import torch
from torch import Tensor, nn

from detector.manifest import MANIFEST, Manifest, ModelFile
from detector.scorer import open_session
from ecg.errors import EcgStreamError
from ecg.leads import MODEL_LEADS
from ecg.segments import CONTEXT_S, MODEL_FS_HZ, MODEL_SAMPLES, PREPROCESSING_VERSION, WINDOW_SAMPLES
from training.data import CLASSES
from training.networks import MAP_FRAMES, Autoencoder, BeatNet
from training.run import AUTOENCODER, CNN, RUN, load_run, load_weights

OPSET = 18
INPUT = "segments"
TOLERANCE = 1e-4  # largest difference to torch, in units of the outputs
CNN_OUTPUTS = {"window_logit": (), "beat_map": (len(CLASSES), MAP_FRAMES)}
AUTOENCODER_OUTPUTS = {"error": (), "reconstruction": (WINDOW_SAMPLES,)}


@dataclass(frozen=True, slots=True, kw_only=True)
class Exported:
    """What an export wrote.

    Attributes
    ----------
    directory : where the files lie
    manifest : what stands in its manifest
    largest_difference : per model, between onnxruntime and torch
    """

    directory: Path
    manifest: Manifest
    largest_difference: dict[str, float]


class _Outputs(nn.Module):
    """A network without the outputs that only training needs."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, segments: Tensor) -> tuple[Tensor, Tensor]:
        outputs = self.network(segments)
        return outputs[0], outputs[1]


def export(run_directory: Path, directory: Path) -> Exported:
    """Write a run's networks as ONNX files with manifest, and keep their weights and settings beside them.

    Parameters
    ----------
    run_directory : what ``training.train.train`` wrote
    directory : where the models go; earlier ones there are replaced

    Raises
    ------
    EcgStreamError : when the run is not finished, or onnxruntime and torch do not agree within ``TOLERANCE``
    """
    run = load_run(run_directory)
    networks: dict[str, tuple[nn.Module, dict[str, tuple[int, ...]]]] = {
        CNN: (BeatNet(**run.settings[CNN]), CNN_OUTPUTS),
        AUTOENCODER: (Autoencoder(**run.settings[AUTOENCODER]), AUTOENCODER_OUTPUTS),
    }
    directory.mkdir(parents=True, exist_ok=True)
    files: dict[str, ModelFile] = {}
    differences: dict[str, float] = {}
    for name, (network, outputs) in networks.items():
        load_weights(network, run_directory / f"{name}.npz")
        files[name], differences[name] = export_network(network, directory, name, outputs)
    manifest = Manifest(
        preprocessing_version=PREPROCESSING_VERSION,
        fs_hz=MODEL_FS_HZ,
        context_s=CONTEXT_S,
        leads=MODEL_LEADS,
        cnn=files[CNN],
        autoencoder=files[AUTOENCODER],
        beat_map=run.beat_map,
        personal=run.personal,
        calibration=run.calibration,
        thresholds=run.thresholds,
        data={"database": "MIT-BIH Arrhythmia Database 1.0.0", "records": run.records, "settings": run.settings},
        seed=run.seed,
        figures=run.figures,
    )
    # The manifest last: while the files are being replaced, the old one refuses the new ones.
    (directory / MANIFEST).write_text(manifest.model_dump_json(indent=2) + "\n", encoding="utf-8")
    if run_directory.resolve() != directory.resolve():
        for file in (f"{CNN}.npz", f"{AUTOENCODER}.npz", RUN):
            shutil.copyfile(run_directory / file, directory / file)
    return Exported(directory=directory, manifest=manifest, largest_difference=differences)


def export_network(
    network: nn.Module, directory: Path, name: str, outputs: dict[str, tuple[int, ...]]
) -> tuple[ModelFile, float]:
    """Write one network as one ONNX file; returns what the manifest says of it and the largest difference to torch.

    Raises
    ------
    EcgStreamError : when the difference is above ``TOLERANCE``
    """
    # It tells of every operator of torchvision, which is not here.
    logging.getLogger("torch.onnx").setLevel(logging.ERROR)
    program = torch.onnx.export(
        _Outputs(network).eval(),
        (torch.zeros(2, MODEL_LEADS, MODEL_SAMPLES),),
        input_names=[INPUT],
        output_names=list(outputs),
        opset_version=OPSET,
        dynamic_shapes={INPUT: {0: torch.export.Dim("batch")}},
        dynamo=True,
        verbose=False,
    )
    if program is None:
        raise EcgStreamError(f"torch could not export {name}: train anew")
    model = program.model_proto
    _declare_outputs(model, outputs)
    onnx.checker.check_model(model, full_check=True)
    content = model.SerializeToString()
    digest = hashlib.sha256(content).hexdigest()
    described = ModelFile(
        file=f"{name}.onnx",
        sha256=digest,
        version=f"{name}-{digest[:8]}",
        parameters=sum(parameter.numel() for parameter in network.parameters()),
        input_name=INPUT,
        input_shape=(MODEL_LEADS, MODEL_SAMPLES),
        outputs=outputs,
    )
    (directory / described.file).write_bytes(content)
    difference = largest_difference(network, directory, described)
    if not difference <= TOLERANCE:
        raise EcgStreamError(
            f"{described.file} differs from torch by {difference:.2g}, more than {TOLERANCE:g}: do not ship it"
        )
    return described, difference


def _declare_outputs(model: onnx.ModelProto, outputs: dict[str, tuple[int, ...]]) -> None:
    """Write the outputs' shapes as they are, for readers that check them."""
    for output in model.graph.output:
        shape = output.type.tensor_type.shape
        del shape.dim[:]
        shape.dim.add().dim_param = "batch"
        for size in outputs[output.name]:
            shape.dim.add().dim_value = size


def largest_difference(network: nn.Module, directory: Path, model: ModelFile) -> float:
    """Between an ONNX file's outputs and torch's, over noise, beats, silence and a stream's start."""
    random = torch.Generator().manual_seed(0)
    segments = torch.randn(5, MODEL_LEADS, MODEL_SAMPLES, generator=random)
    segments[1] = 0
    segments[2, :, :700] = 0
    segments[3, 1] = 0
    segments[4] = 4 * (torch.arange(MODEL_SAMPLES) % 80 < 6)  # beats at 75/min
    with torch.inference_mode():
        expected = network.eval()(segments)
    session = open_session(directory, model, 1)
    found = session.run(list(model.outputs), {model.input_name: segments.numpy()})
    exported = expected[: len(found)]
    return max(float(np.abs(array - tensor.numpy()).max()) for array, tensor in zip(found, exported, strict=True))
