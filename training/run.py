"""Results of a training run: weights without pickles, and one file that says how they came about."""

from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np
import torch
from pydantic import BaseModel, ConfigDict
from torch import nn

from detector.manifest import BeatMap, BeatReading, Calibration, Thresholds
from ecg.errors import EcgStreamError

RUN = "run.json"
CNN, AUTOENCODER, BEATS = "cnn", "autoencoder", "beats"


class Run(BaseModel):
    """``run.json``: what the export needs to know beside the weights.

    ``settings`` are those of the networks, the fits and the augmentation; ``records`` maps each record that the
    networks have learned from to the SHA-256 of its files, ``beat_records`` those that the trees have; ``figures`` are
    measured on training patients held out in turn, never on DS2; ``faults`` counts missing samples and constant leads
    of each record.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    preprocessing_version: str
    settings: dict[str, Any]
    seed: int
    records: dict[str, str]
    beat_records: dict[str, str]
    packages: dict[str, str]
    beat_map: BeatMap
    beat_reading: BeatReading
    calibration: Calibration
    thresholds: Thresholds
    figures: dict[str, Any]
    faults: dict[str, Any]


def save_weights(network: nn.Module, path: Path) -> None:
    """Write a network's weights as plain arrays: nothing in the file can run."""
    partial = path.with_suffix(".partial")
    with partial.open("wb") as stream:
        np.savez_compressed(stream, **{name: tensor.numpy() for name, tensor in network.state_dict().items()})
    partial.replace(path)


def load_weights(network: nn.Module, path: Path) -> None:
    """Read weights into a network of the same form.

    Raises
    ------
    EcgStreamError : when the file is missing or damaged, or was written for another network
    """
    try:
        with path.open("rb") as stream, np.load(stream, allow_pickle=False) as stored:
            state = {name: torch.from_numpy(stored[name]) for name in stored.files}
        network.load_state_dict(state)
    except (OSError, ValueError, KeyError, RuntimeError, EOFError, BadZipFile) as error:
        raise EcgStreamError(f"{path} does not hold the weights of this network ({error}): train anew") from error


def load_run(directory: Path) -> Run:
    """Read what a training run wrote.

    Raises
    ------
    EcgStreamError : when there is no finished run
    """
    path = directory / RUN
    try:
        return Run.model_validate_json(path.read_bytes())
    except (OSError, ValueError) as error:
        raise EcgStreamError(f"{path} is no finished training run ({error}): run `ecgstream train` first") from error
