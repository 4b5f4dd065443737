"""Fits that end when patients they do not learn from gain nothing more; of all checkpoints the best is kept."""

import contextlib
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from training.augment import Augmentation, Batch
from training.fit import Fit, Pool, Track, fit
from training.run import load_weights, save_weights

_VALIDATION_BATCH = 256


@dataclass(frozen=True, slots=True, kw_only=True)
class StoppedFit(Fit):
    """Settings of a fit that stops early; ``steps`` is the most it may take.

    Attributes
    ----------
    check_every : steps from one validation to the next
    patience : validations in a row without a new best after which the fit ends
    """

    check_every: int = 50
    patience: int = 5


class Check(NamedTuple):
    """One validation: steps done, mean loss since the check before, loss on the validation windows."""

    step: int
    loss: float
    validation_loss: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Stopped:
    """A fit that ended.

    Attributes
    ----------
    network : with the weights of its best check
    best : that check
    curve : all checks
    seconds : wall time of the fit
    """

    network: nn.Module
    best: Check
    curve: tuple[Check, ...]
    seconds: float


class _EnoughError(Exception):
    """Nothing more is gained; told through ``fit``, which knows no other way to end before its last step."""


class _Checkpoints:
    """Follows a fit step by step: averages weights, validates them, keeps the best on disk, and ends the fit."""

    def __init__(
        self, network: nn.Module, validate: Callable[[nn.Module], float], weights: Path, settings: StoppedFit
    ) -> None:
        self.curve: list[Check] = []
        self._network = network
        averaging = get_ema_multi_avg_fn(settings.averaging)  # type: ignore[no-untyped-call] # torch annotates it not
        self._average = AveragedModel(network, multi_avg_fn=averaging, use_buffers=True).eval()
        self._validate = validate
        self._weights = weights
        self._settings = settings
        self._losses: list[float] = []

    @property
    def best(self) -> Check:
        return min(self.curve, key=lambda check: check.validation_loss)

    def step(self, step: int, loss: float) -> None:
        self._average.update_parameters(self._network)
        self._losses.append(loss)
        if (step + 1) % self._settings.check_every and step + 1 < self._settings.steps:
            return
        check = Check(step + 1, sum(self._losses) / len(self._losses), self._validate(self._average.module))
        self._losses.clear()
        self.curve.append(check)
        if self.best is check:
            save_weights(self._average.module, checkpoint(self._weights, check.step))
            for file in checkpoints_of(self._weights):
                if file != checkpoint(self._weights, check.step):
                    file.unlink()
        since_best = len(self.curve) - 1 - self.curve.index(self.best)
        if since_best >= self._settings.patience:
            raise _EnoughError


def checkpoint(weights: Path, step: int) -> Path:
    """The file of a fit's checkpoint, beside the file that its weights will have."""
    return weights.with_name(f"{weights.stem}-step{step:05d}.npz")


def checkpoints_of(weights: Path) -> Sequence[Path]:
    """The checkpoints of a fit that lie there."""
    return sorted(weights.parent.glob(f"{weights.stem}-step*.npz"))


def fit_until_best(
    network: nn.Module,
    pool: Pool,
    noise: Tensor,
    loss_of: Callable[[nn.Module, Batch], Tensor],
    settings: StoppedFit,
    *,
    augmentation: Augmentation,
    validation: Pool,
    weights: Path,
    track: Track = lambda _step, _loss: None,
) -> Stopped:
    """Fit a network until its loss on the validation windows falls no more, and write its best weights.

    Parameters
    ----------
    network, pool, noise, loss_of, settings, augmentation, track : as for ``training.fit.fit``
    validation : windows of patients that are not in the pool; their loss is taken without augmentation
    weights : file of the best weights; checkpoints lie beside it while the fit runs, and none when it has ended
    """
    for left_by_a_fit_that_was_cut_off in checkpoints_of(weights):
        left_by_a_fit_that_was_cut_off.unlink()
    checkpoints = _Checkpoints(network, lambda average: loss_over(average, validation, loss_of), weights, settings)

    def follow(step: int, loss: float) -> None:
        track(step, loss)
        checkpoints.step(step, loss)

    started = time.perf_counter()
    with contextlib.suppress(_EnoughError):
        fit(network, pool, noise, loss_of, settings, augmentation=augmentation, track=follow)
    best = checkpoints.best
    checkpoint(weights, best.step).replace(weights)
    load_weights(network, weights)
    return Stopped(
        network=network.eval(),
        best=best,
        curve=tuple(checkpoints.curve),
        seconds=round(time.perf_counter() - started, 1),
    )


def loss_over(network: nn.Module, pool: Pool, loss_of: Callable[[nn.Module, Batch], Tensor]) -> float:
    """The mean loss over all windows of a pool, batch by batch, nothing changed in them."""
    total = 0.0
    with torch.inference_mode():
        for start in range(0, len(pool.inputs), _VALIDATION_BATCH):
            index = torch.arange(start, min(start + _VALIDATION_BATCH, len(pool.inputs)))
            total += float(loss_of(network, pool.take(index))) * len(index)
    return total / len(pool.inputs)
