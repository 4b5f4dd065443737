"""Single fits: one network on all training records but those of one fold. Each runs in a process of its own."""

import hashlib
import json
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from queue import Queue
from typing import Literal

import torch
from torch import nn

from training.augment import Augmentation
from training.data import RecordWindows, load_windows, noise_of
from training.fit import Fit, Pool, autoencoder_loss, cnn_loss, fit, normal_only
from training.networks import Autoencoder, BeatNet
from training.records import TrainingRecords
from training.run import save_weights

Kind = Literal["cnn", "autoencoder"]
_REPORT_EVERY = 10  # steps; also between the points of the loss curve


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """One network to fit.

    Attributes
    ----------
    kind : which network
    held_out : records that it must not see; empty for the one that ships
    fold : number of the fold, None for the one that ships
    records, cache, noise : where the data lies
    data : hash of all its windows
    network : parameters of the network's constructor
    fit, augmentation : how it is fitted
    directory : where its weights go
    """

    kind: Kind
    held_out: tuple[str, ...]
    fold: int | None
    records: TrainingRecords
    cache: Path
    noise: Path
    data: str
    network: dict[str, float]
    fit: Fit
    augmentation: Augmentation
    directory: Path

    @property
    def name(self) -> str:
        """Such as "cnn fold 1 of patients", for people."""
        return f"{self.kind} {'all' if self.fold is None else f'fold {self.fold + 1}'}"

    @property
    def weights(self) -> Path:
        """The file of the fitted weights; its name changes with whatever they depend on, but for the code."""
        depends = {
            "held_out": self.held_out,
            "data": self.data,
            "network": self.network,
            "fit": asdict(self.fit),
            "augmentation": asdict(self.augmentation),
        }
        digest = hashlib.sha256(json.dumps(depends, sort_keys=True).encode()).hexdigest()[:8]
        return self.directory / f"{self.kind}-{'all' if self.fold is None else self.fold}-{digest}.npz"

    @property
    def log(self) -> Path:
        """The file, beside the weights, that says how they came about."""
        return self.weights.with_suffix(".json")


def new_network(kind: Kind, parameters: dict[str, float]) -> nn.Module:
    """A network with fresh weights."""
    return BeatNet(**parameters) if kind == "cnn" else Autoencoder(**parameters)  # type: ignore[arg-type] # checked by use


def run_job(job: Job, progress: "Queue[tuple[str, int]] | None" = None) -> Path:
    """Fit one network and write its weights; one thread, so that several jobs share the machine without waiting.

    Parameters
    ----------
    job : what to fit
    progress : told (job name, steps done) now and then
    """
    torch.set_num_threads(1)
    windows = load_windows(job.records, job.cache)
    began = time.monotonic()
    curve: list[tuple[int, float]] = []
    learnt = [record for record in windows if record.name not in job.held_out]
    network = fit_windows(job, learnt, progress, curve=curve)
    job.directory.mkdir(parents=True, exist_ok=True)
    log = {
        "kind": job.kind,
        "records": [record.name for record in learnt],
        "held_out": job.held_out,
        "network": job.network,
        "fit": asdict(job.fit),
        "augmentation": asdict(job.augmentation),
        "parameters": sum(parameter.numel() for parameter in network.parameters()),
        "seconds": round(time.monotonic() - began, 1),
        "loss": curve,
    }
    job.log.write_text(json.dumps(log, indent=1) + "\n", encoding="utf-8")
    save_weights(network, job.weights)  # last: a fit with weights is done
    return job.weights


def fit_windows(
    job: Job,
    windows: Sequence[RecordWindows],
    progress: "Queue[tuple[str, int]] | None" = None,
    *,
    curve: list[tuple[int, float]] | None = None,
) -> nn.Module:
    """Fit a job's network on given windows; ``curve`` is given (steps done, loss) now and then."""
    torch.manual_seed(job.fit.seed)
    pool = Pool.of(windows)

    def track(step: int, loss: float) -> None:
        if (step + 1) % _REPORT_EVERY:
            return
        if curve is not None:
            curve.append((step + 1, round(loss, 5)))
        if progress is not None:
            progress.put((job.name, step + 1))

    return fit(
        new_network(job.kind, job.network),
        pool if job.kind == "cnn" else normal_only(pool),
        torch.from_numpy(noise_of(job.noise)),
        cnn_loss if job.kind == "cnn" else autoencoder_loss,
        job.fit,
        augmentation=job.augmentation,
        track=track,
    )
