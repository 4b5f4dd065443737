"""The networks that the shipped ones are compared with: what each is, and one fit of it in a process of its own."""

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from queue import Queue
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import torch
from pydantic import BaseModel, ConfigDict
from sklearn.linear_model import LogisticRegression
from torch import Tensor, nn

from ecg.errors import EcgStreamError
from ecg.records import Float32Array
from training.augment import Batch
from training.data import RecordWindows, load_windows, noise_of
from training.experiments.attention import TransformerNet
from training.experiments.early_stopping import Check, StoppedFit, fit_until_best
from training.experiments.recurrent import LstmNet
from training.experiments.single_beats import BeatDense, beats_loss, predict_beats
from training.fit import Pool, cnn_loss, predict_cnn
from training.jobs import Job, run_job
from training.metrics import auroc, best_f1_threshold

ContenderKind = Literal["lstm", "transformer", "dense"]
# Patients of DS1 that the contenders do not learn from. Chosen for what they hold, before any fit, and never changed:
# leads the other way round (114), nothing odd (122), supraventricular beats (220), and ventricular ones with bigeminy
# and tachycardia (223). As in all of DS1, one window in five is theirs.
VALIDATION = ("114", "122", "220", "223")
_REPORT_EVERY = 10  # steps


@dataclass(frozen=True, slots=True, kw_only=True)
class Contender:
    """One kind of network.

    Attributes
    ----------
    network : makes one with fresh weights
    loss : of a batch of segments
    predict : window logits (n,) of prepared segments (n, leads, samples)
    """

    network: Callable[..., nn.Module]
    loss: Callable[[nn.Module, Batch], Tensor]
    predict: Callable[[nn.Module, npt.NDArray[np.float16]], Float32Array]


def _window_logits(network: nn.Module, inputs: npt.NDArray[np.float16]) -> Float32Array:
    return predict_cnn(network, inputs)[0]


CONTENDERS: dict[ContenderKind, Contender] = {
    "lstm": Contender(network=LstmNet, loss=cnn_loss, predict=_window_logits),
    "transformer": Contender(network=TransformerNet, loss=cnn_loss, predict=_window_logits),
    "dense": Contender(network=BeatDense, loss=beats_loss, predict=predict_beats),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class SeedJob(Job):
    """A fit of which there are several that differ by their seed alone."""

    @property
    def name(self) -> str:
        """Such as "cnn seed 1", for people."""
        return f"{self.kind} seed {self.fit.seed}"

    @property
    def finished(self) -> bool:
        """Return whether there is nothing left to do."""
        return self.weights.is_file()


@dataclass(frozen=True, slots=True, kw_only=True)
class ContenderJob(SeedJob):
    """One fit of a contender; the records that it holds out are its validation patients."""

    kind: ContenderKind  # type: ignore[assignment] # other networks than Job's two, fitted by run_seed alone
    fit: StoppedFit

    @property
    def finished(self) -> bool:
        """Return whether there is nothing left to do; the log is written last."""
        return self.log.is_file()


class FitLog(BaseModel):
    """Notes beside a contender's weights.

    ``probability`` = 1 / (1 + exp(-(slope * logit + bias))), fitted on the validation patients like ``threshold``,
    which is the probability of the highest F1 there.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    kind: ContenderKind
    settings: dict[str, Any]
    parameters: int
    validation_records: tuple[str, ...]
    best: Check
    curve: tuple[Check, ...]
    seconds: float
    validation_auroc: float
    slope: float
    bias: float
    threshold: float


def run_seed(job: SeedJob, progress: "Queue[tuple[str, int]] | None" = None) -> Path:
    """Fit one network of a comparison and write its weights."""
    return run_contender(job, progress) if isinstance(job, ContenderJob) else run_job(job, progress)


def run_contender(job: ContenderJob, progress: "Queue[tuple[str, int]] | None" = None) -> Path:
    """Fit one contender; write its weights, then its log. One thread, so that fits do not wait for each other.

    Raises
    ------
    EcgStreamError : when no validation patient, or no other, is among the records, or those are all normal
    """
    torch.set_num_threads(1)
    windows = load_windows(job.records, job.cache)
    learnt = [record for record in windows if record.name not in job.held_out]
    validated = [record.only(_judged(record)) for record in windows if record.name in job.held_out]
    labels = np.concatenate([record.abnormal for record in validated]) if validated else np.zeros(0, np.bool_)
    if not learnt or labels.all() or not labels.any():
        raise EcgStreamError(
            f"records {', '.join(job.records.names)} with {', '.join(job.held_out)} held out leave nothing to learn "
            "from, or no normal or no abnormal window to validate on: give ds1"
        )
    contender = CONTENDERS[job.kind]
    torch.manual_seed(job.fit.seed)
    job.directory.mkdir(parents=True, exist_ok=True)

    def track(step: int, _loss: float) -> None:
        if progress is not None and (step + 1) % _REPORT_EVERY == 0:
            progress.put((job.name, step + 1))

    stopped = fit_until_best(
        contender.network(**job.network),
        Pool.of(learnt),
        torch.from_numpy(noise_of(job.noise)),
        contender.loss,
        job.fit,
        augmentation=job.augmentation,
        validation=Pool.of(validated),
        weights=job.weights,
        track=track,
    )
    logits = np.concatenate([contender.predict(stopped.network, record.inputs) for record in validated])
    slope, bias = _logistic(logits, labels)
    log = FitLog(
        kind=job.kind,
        settings={"network": job.network, "fit": asdict(job.fit), "augmentation": asdict(job.augmentation)},
        parameters=sum(parameter.numel() for parameter in stopped.network.parameters()),
        validation_records=job.held_out,
        best=stopped.best,
        curve=stopped.curve,
        seconds=stopped.seconds,
        validation_auroc=auroc(labels, logits.astype(np.float64)) or 0.0,
        slope=slope,
        bias=bias,
        threshold=best_f1_threshold(labels, probabilities(logits, slope, bias)) or 0.0,
    )
    job.log.write_text(json.dumps(log.model_dump(mode="json"), indent=1) + "\n", encoding="utf-8")
    return job.weights


def probabilities(logits: npt.NDArray[np.floating], slope: float, bias: float) -> npt.NDArray[np.float64]:
    """Logits as calibrated probabilities."""
    return np.asarray(1 / (1 + np.exp(-np.clip(slope * logits.astype(np.float64) + bias, -60, 60))), np.float64)


def _logistic(logits: Float32Array, labels: npt.NDArray[np.bool_]) -> tuple[float, float]:
    fitted = LogisticRegression(C=1e4, max_iter=1000).fit(logits[:, None], labels)
    return float(fitted.coef_[0, 0]), float(fitted.intercept_[0])


def _judged(record: RecordWindows) -> npt.NDArray[np.bool_]:
    """The detector's own windows that have a label and a signal."""
    return record.on_grid & record.usable & ~record.left_out
