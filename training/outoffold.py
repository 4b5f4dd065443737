"""Outputs of networks on patients that they have not seen: the ground for calibration and thresholds."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from ecg.errors import EcgStreamError
from ecg.records import Float32Array
from training.data import RecordWindows
from training.fit import predict_autoencoder, predict_cnn
from training.jobs import Job, new_network
from training.run import AUTOENCODER, CNN, Run, load_weights


@dataclass(frozen=True, slots=True, kw_only=True)
class OutOfFold:
    """The detector's windows of one record, judged by networks that were fitted without it.

    Attributes
    ----------
    windows : the record's windows on the detector's grid
    logits : (n,) float32, of the CNN
    maps : (n, classes, frames) float32, its beat maps
    errors : (n,) float32, of the autoencoder
    """

    windows: RecordWindows
    logits: Float32Array
    maps: Float32Array
    errors: Float32Array

    @property
    def known(self) -> npt.NDArray[np.bool_]:
        """Return which windows have a label and a signal."""
        return self.windows.usable & ~self.windows.left_out


def check_unseen(names: Sequence[str], run_directory: Path, run: Run) -> None:
    """Refuse records that a run's networks have learned from.

    Raises
    ------
    EcgStreamError : when there is one
    """
    known = [name for name in names if name in run.records]
    if known:
        raise EcgStreamError(
            f"the networks in {run_directory} have learned from {', '.join(known)}: what they say of these tells "
            "nothing about other patients; give records that are not among the run's"
        )


def unseen(windows: Sequence[RecordWindows], run_directory: Path, run: Run) -> tuple[OutOfFold, ...]:
    """Judge records by the networks of a finished run, which was fitted without any of them: see ``check_unseen``.

    Parameters
    ----------
    windows : of the records
    run_directory, run : where the weights of its networks lie

    Raises
    ------
    EcgStreamError : when the weights are missing
    """
    cnn, autoencoder = new_network("cnn", run.settings[CNN]), new_network("autoencoder", run.settings[AUTOENCODER])
    load_weights(cnn, run_directory / f"{CNN}.npz")
    load_weights(autoencoder, run_directory / f"{AUTOENCODER}.npz")
    judged = []
    for record in windows:
        on_grid = record.only(record.on_grid)
        logits, maps = predict_cnn(cnn, on_grid.inputs)
        errors = predict_autoencoder(autoencoder, on_grid.inputs)
        judged.append(OutOfFold(windows=on_grid, logits=logits, maps=maps, errors=errors))
    return tuple(judged)


def out_of_fold(windows: Sequence[RecordWindows], jobs: Iterable[Job]) -> tuple[OutOfFold, ...]:
    """Judge every record by the fold's networks that held it out.

    Parameters
    ----------
    windows : of all training records
    jobs : the finished fits of all folds, of both networks
    """
    on_grid = {record.name: record.only(record.on_grid) for record in windows}
    logits: dict[str, Float32Array] = {}
    maps: dict[str, Float32Array] = {}
    errors: dict[str, Float32Array] = {}
    for job in jobs:
        network = new_network(job.kind, job.network)
        load_weights(network, job.weights)
        for name in job.held_out:
            inputs = on_grid[name].inputs
            if job.kind == "cnn":
                logits[name], maps[name] = predict_cnn(network, inputs)
            else:
                errors[name] = predict_autoencoder(network, inputs)
    return tuple(
        OutOfFold(windows=record, logits=logits[name], maps=maps[name], errors=errors[name])
        for name, record in on_grid.items()
    )
