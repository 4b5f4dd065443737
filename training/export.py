"""Trained networks and trees to ONNX files with their manifest, the networks checked against torch."""

import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from torch import nn

from detector.manifest import MANIFEST, Manifest, ModelFile
from ecg.leads import MODEL_LEADS
from ecg.segments import CONTEXT_S, MODEL_FS_HZ, PREPROCESSING_VERSION, WINDOW_SAMPLES
from ecg.windows import HOP_S, WINDOW_S
from training.data import CLASSES
from training.model_card import FiguresRow, learned_databases, write_card
from training.networks import MAP_FRAMES, Autoencoder, BeatNet
from training.onnx_file import segment_probes, write_onnx
from training.run import AUTOENCODER, BEATS, CNN, RUN, load_run, load_weights
from training.tree_onnx import describe_trees, read_trees

INPUT = "segments"
CNN_OUTPUTS = {"window_logit": (), "beat_map": (len(CLASSES), MAP_FRAMES)}
AUTOENCODER_OUTPUTS = {"error": (), "reconstruction": (WINDOW_SAMPLES,)}


@dataclass(frozen=True, slots=True, kw_only=True)
class Exported:
    """Files of an export.

    Attributes
    ----------
    directory : where the files lie
    manifest : what stands in its manifest
    largest_difference : per model, between onnxruntime and torch
    """

    directory: Path
    manifest: Manifest
    largest_difference: dict[str, float]


def export(run_directory: Path, directory: Path, *, rows: Sequence[FiguresRow] = ()) -> Exported:
    """Write a run's networks as ONNX files with manifest and card, and keep their weights and settings beside them.

    Parameters
    ----------
    run_directory : what ``training.train.train`` wrote
    directory : where the models go; earlier ones there are replaced
    rows : figures that the card is to show beside each other: of models that learned from DS1 alone, and of these

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
        files[name], differences[name] = write_onnx(
            network, directory, name, input_name=INPUT, probes=segment_probes(), outputs=outputs
        )
    trees = read_trees(run_directory)
    if run_directory.resolve() != directory.resolve():
        (directory / f"{BEATS}.onnx").write_bytes(trees)
    manifest = Manifest(
        preprocessing_version=PREPROCESSING_VERSION,
        fs_hz=MODEL_FS_HZ,
        context_s=CONTEXT_S,
        window_s=WINDOW_S,
        hop_s=HOP_S,
        leads=MODEL_LEADS,
        cnn=files[CNN],
        autoencoder=files[AUTOENCODER],
        beats=describe_trees(trees),
        beat_map=run.beat_map,
        beat_reading=run.beat_reading,
        calibration=run.calibration,
        thresholds=run.thresholds,
        data={
            "databases": learned_databases(run.records | run.beat_records),
            "records": run.records,
            "beat_records": run.beat_records,
            "settings": run.settings,
        },
        seed=run.seed,
        figures=run.figures,
    )
    # The manifest last: while the files are being replaced, the old one refuses the new ones.
    (directory / MANIFEST).write_text(manifest.model_dump_json(indent=2) + "\n", encoding="utf-8")
    if run_directory.resolve() != directory.resolve():
        for file in (f"{CNN}.npz", f"{AUTOENCODER}.npz", RUN):
            shutil.copyfile(run_directory / file, directory / file)
    write_card(directory, run.records, run.beat_records, rows)
    return Exported(directory=directory, manifest=manifest, largest_difference=differences)
