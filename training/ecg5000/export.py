"""The pair of ECG5000 that ships, as ONNX files with their manifest; and the run's report."""

from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from detector.manifest import MANIFEST, ModelFile
from detector.single_beats import AUTOENCODER_OUTPUTS, BEAT_SAMPLES, CNN_OUTPUTS, BeatManifest
from training.ecg5000.data import CLASSES
from training.ecg5000.figures import as_json
from training.ecg5000.train import AUTOENCODER, SHIPPED_CLASSIFIER, Family, Measured
from training.onnx_file import write_onnx

INPUT = "beats"
FAMILY = "ecg5000-"  # before a model's name in its version
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
    """Write one network; what the manifest says of it and the largest difference to torch. Raises as ``write_onnx``."""
    return write_onnx(network, directory, name, input_name=INPUT, probes=beat_probes(), outputs=outputs, family=FAMILY)


def beat_probes() -> Tensor:
    """Beats on which torch and an ONNX file are compared: noise, silence, a ramp."""
    beats = torch.randn(7, BEAT_SAMPLES, generator=torch.Generator().manual_seed(0))
    beats[1] = 0
    beats[2] = torch.linspace(-1.7, 1.7, BEAT_SAMPLES)
    return beats
