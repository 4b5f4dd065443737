"""The pair of ECG5000 that ships, as ONNX files with their manifest; and the run's report."""

import hashlib
import logging
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import torch
from torch import nn

from detector.manifest import MANIFEST, ModelFile
from detector.scorer import open_session
from detector.single_beats import AUTOENCODER_OUTPUTS, BEAT_SAMPLES, CNN_OUTPUTS, BeatManifest
from ecg.errors import EcgStreamError
from training.ecg5000 import CLASSES
from training.ecg5000_figures import as_json
from training.ecg5000_train import AUTOENCODER, SHIPPED_CLASSIFIER, Family, Measured
from training.onnx_file import OPSET, TOLERANCE, without_traces

INPUT = "beats"
ONE_PATIENT = "all 5,000 beats are one patient's (BIDMC chf07): no evidence for new patients"


def report(family: Family, measured: Measured, *, seconds: float) -> dict[str, Any]:
    """Everything as one JSON object; ``seconds`` of wall time from start to end."""
    return {
        "data": _data(family, measured),
        "seeds": family.settings.seeds,
        "settings": asdict(family.settings),
        "figures": {name: as_json(figures) for name, figures in measured.figures.items()},
        "shipped": {"seed": family.shipped.seed}
        | {name: as_json(figures) for name, figures in measured.shipped.items()},
        "seconds": round(seconds, 1),
    }


def _data(family: Family, measured: Measured) -> dict[str, Any]:
    return {
        "database": "UCR ECG5000, published split",
        "note": ONE_PATIENT,
        **{
            name: {
                "beats": len(table.beats),
                "missing_left_out": table.missing,
                "constant_left_out": table.constant,
                "classes": dict(zip(CLASSES, np.bincount(table.classes, minlength=len(CLASSES)).tolist(), strict=True)),
                "sha256": table.sha256,
            }
            for name, table in (("training", family.training), ("test", measured.test))
        },
    }


def export_pair(family: Family, measured: Measured, directory: Path) -> dict[str, float]:
    """Write the shipped CNN and autoencoder with their manifest; returns each one's largest difference to torch.

    Raises
    ------
    EcgStreamError : when onnxruntime and torch do not agree within ``TOLERANCE``
    """
    pair = family.shipped
    directory.mkdir(parents=True, exist_ok=True)
    files: dict[str, ModelFile] = {}
    differences: dict[str, float] = {}
    for name, network, outputs in (
        (SHIPPED_CLASSIFIER, pair.classifier.network, CNN_OUTPUTS),
        (AUTOENCODER, pair.autoencoder.network, AUTOENCODER_OUTPUTS),
    ):
        files[name], differences[name] = export_beat_network(network, directory, name, outputs)
    manifest = BeatManifest(
        classes=CLASSES,
        cnn=files[SHIPPED_CLASSIFIER],
        autoencoder=files[AUTOENCODER],
        calibration=pair.calibration,
        thresholds=pair.thresholds,
        data=_data(family, measured),
        settings=asdict(family.settings),
        seed=pair.seed,
        figures={name: as_json(figures) for name, figures in measured.shipped.items()},
    )
    # The manifest last: while the files are being replaced, the old one refuses the new ones.
    (directory / MANIFEST).write_text(manifest.model_dump_json(indent=2) + "\n", encoding="utf-8")
    return differences


def export_beat_network(
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
        network.eval(),
        (torch.zeros(2, BEAT_SAMPLES),),
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
    for output in model.graph.output:  # the shapes as they are, for readers that check them
        shape = output.type.tensor_type.shape
        del shape.dim[:]
        shape.dim.add().dim_param = "batch"
        for size in outputs[output.name]:
            shape.dim.add().dim_value = size
    without_traces(model)
    onnx.checker.check_model(model, full_check=True)
    content = model.SerializeToString()
    digest = hashlib.sha256(content).hexdigest()
    described = ModelFile(
        file=f"{name}.onnx",
        sha256=digest,
        version=f"ecg5000-{name}-{digest[:8]}",
        parameters=sum(parameter.numel() for parameter in network.parameters()),
        input_name=INPUT,
        input_shape=(BEAT_SAMPLES,),
        outputs=outputs,
    )
    (directory / described.file).write_bytes(content)
    difference = beat_difference(network, directory, described)
    if not difference <= TOLERANCE:
        raise EcgStreamError(
            f"{described.file} differs from torch by {difference:.2g}, more than {TOLERANCE:g}: do not ship it"
        )
    return described, difference


def beat_difference(network: nn.Module, directory: Path, model: ModelFile) -> float:
    """The largest difference between an ONNX file's outputs and torch's, relative where they are above 1."""
    random = torch.Generator().manual_seed(0)
    beats = torch.randn(7, BEAT_SAMPLES, generator=random)
    beats[1] = 0
    beats[2] = torch.linspace(-1.7, 1.7, BEAT_SAMPLES)
    with torch.inference_mode():
        expected = network.eval()(beats)
    found = open_session(directory, model, 1).run(list(model.outputs), {model.input_name: beats.numpy()})
    tensors = (expected,) if isinstance(expected, torch.Tensor) else tuple(expected)
    return max(
        float((np.abs(array - tensor.numpy()) / np.maximum(np.abs(tensor.numpy()), 1)).max())
        for array, tensor in zip(found, tensors, strict=True)
    )
