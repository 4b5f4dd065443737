"""Outputs of networks on patients that they have not seen: the ground for calibration and thresholds."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ecg.records import Float32Array
from training.data import RecordWindows
from training.fit import predict_autoencoder, predict_cnn
from training.jobs import Job, new_network
from training.run import load_weights


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
