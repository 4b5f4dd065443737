"""Fitting on the 500 training beats of ECG5000: five folds, early stopping on the held-out beats."""

import copy
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn
from torch.nn import functional

from ecg.records import Float32Array
from training.ecg5000.data import CLASSES, TrainingBeats
from training.ecg5000.networks import BeatAutoencoder, MeanAutoencoder, MeanClassifier
from training.records import SplitError

# Rare classes count more, though not as much as they are rare: two beats of a class would drown all others.
_BALANCE = 0.5
_SHIFT = 2  # samples by which a beat is moved in training
_NOISE = 0.05  # standard deviation of noise added in training, in a beat's own
_GAIN = 0.05  # spread of the factor on a beat in training
_LEAST_USUAL = 0.02  # mean square difference: less is luck of 230 beats, and would make a trifle an anomaly
_ROUND = 5  # epochs between two looks at the held-out beats


@dataclass(frozen=True, slots=True, kw_only=True)
class BeatFit:
    """Settings of one network's fit.

    Attributes
    ----------
    epochs : at most
    patience : epochs without a better held-out loss after which it ends
    batch : beats in a batch
    learning_rate : at its highest
    weight_decay : of AdamW
    folds : of the cross-validation
    """

    epochs: int = 80
    patience: int = 20
    batch: int = 32
    learning_rate: float = 3e-3
    weight_decay: float = 0.02
    folds: int = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Fitted:
    """Networks of one kind and seed, one a fold, and what they say of the beats that they did not see.

    Attributes
    ----------
    network : the mean of the folds' networks
    held_out : (n, classes) logits or (n,) errors of the training beats, each from the network that did not fit on it
    epochs : per fold, at which epoch the kept weights stood
    """

    network: nn.Module
    held_out: Float32Array
    epochs: tuple[int, ...]


def folds_of(classes: npt.NDArray[np.int64], folds: int, seed: int) -> npt.NDArray[np.int64]:
    """(n,), the fold of each beat; every class is spread over the folds as evenly as it can be."""
    random = np.random.default_rng(seed)
    fold = np.empty(len(classes), np.int64)
    for number in np.unique(classes):
        members = random.permutation(np.flatnonzero(classes == number))
        fold[members] = (np.arange(len(members)) + random.integers(folds)) % folds
    return fold


def fit_classifier(
    new: Callable[[], nn.Module], beats: TrainingBeats, settings: BeatFit, *, seed: int, done: Callable[[], None]
) -> Fitted:
    """Fit a classifier on each choice of four folds.

    Raises
    ------
    SplitError : when the beats are not those of the training table
    """
    _training_only(beats)
    signals, classes = torch.from_numpy(beats.beats), torch.from_numpy(beats.classes)
    counts = torch.bincount(classes, minlength=len(CLASSES)).clamp(min=1)
    weight = (counts.max() / counts) ** _BALANCE

    def loss(network: nn.Module, batch: Tensor, index: Tensor) -> Tensor:
        return functional.cross_entropy(network(_augmented(batch)), classes[index], weight=weight, label_smoothing=0.05)

    def validation_loss(network: nn.Module, index: Tensor) -> float:
        return float(functional.cross_entropy(network(signals[index]), classes[index], weight=weight))

    fold = folds_of(beats.classes, settings.folds, seed)
    held_out = np.zeros((len(fold), len(CLASSES)), np.float32)
    members, epochs = [], []
    for number in range(settings.folds):
        torch.manual_seed(1000 * seed + number)
        inside, outside = _indices(fold, number, np.ones(len(fold), np.bool_))
        network, epoch = _fit(new(), signals, (inside, outside), loss, validation_loss, settings=settings)
        with torch.inference_mode():
            held_out[outside.numpy()] = functional.log_softmax(network(signals[outside]), dim=1).numpy()
        members.append(network)
        epochs.append(epoch)
        done()
    return Fitted(network=MeanClassifier(members).eval(), held_out=held_out, epochs=tuple(epochs))


def fit_autoencoder(beats: TrainingBeats, settings: BeatFit, *, seed: int, done: Callable[[], None]) -> Fitted:
    """Fit the autoencoder on the normal beats of each choice of four folds; abnormal beats are judged, never learned.

    Raises
    ------
    SplitError : when the beats are not those of the training table
    """
    _training_only(beats)
    signals = torch.from_numpy(beats.beats)

    def loss(network: nn.Module, batch: Tensor, _: Tensor) -> Tensor:
        assert isinstance(network, BeatAutoencoder)  # noqa: S101 - told to the type checker
        # Not moved nor scaled: the narrow middle would be spent on that.
        noisy = batch + _NOISE * torch.randn_like(batch)
        return functional.mse_loss(network.reconstruct(noisy), batch)

    def validation_loss(network: nn.Module, index: Tensor) -> float:
        assert isinstance(network, BeatAutoencoder)  # noqa: S101 - told to the type checker
        return float(functional.mse_loss(network.reconstruct(signals[index]), signals[index]))

    fold = folds_of(beats.classes, settings.folds, seed)
    held_out = np.zeros(len(fold), np.float32)
    members, epochs = [], []
    for number in range(settings.folds):
        torch.manual_seed(1000 * seed + number)
        inside, outside = _indices(fold, number, ~beats.abnormal)
        network, epoch = _fit(BeatAutoencoder(), signals, (inside, outside), loss, validation_loss, settings=settings)
        assert isinstance(network, BeatAutoencoder)  # noqa: S101 - told to the type checker
        with torch.inference_mode():
            normal = signals[inside]
            network.usual.copy_((network.reconstruct(normal) - normal).square().mean(dim=0) + _LEAST_USUAL)
            held_out[fold == number] = network(signals[torch.from_numpy(fold == number)]).error.numpy()
        members.append(network)
        epochs.append(epoch)
        done()
    return Fitted(network=MeanAutoencoder(members).eval(), held_out=held_out, epochs=tuple(epochs))


def _training_only(beats: TrainingBeats) -> None:
    if not isinstance(beats, TrainingBeats):
        raise SplitError(f"{type(beats).__name__} cannot be fitted on: give what read_training() returns")


def _indices(fold: npt.NDArray[np.int64], number: int, usable: npt.NDArray[np.bool_]) -> tuple[Tensor, Tensor]:
    """Beats to learn from, and held-out ones."""
    return torch.from_numpy(np.flatnonzero(usable & (fold != number))), torch.from_numpy(
        np.flatnonzero(usable & (fold == number))
    )


def _fit(
    network: nn.Module,
    signals: Tensor,
    split: tuple[Tensor, Tensor],
    loss: Callable[[nn.Module, Tensor, Tensor], Tensor],
    validation_loss: Callable[[nn.Module, Tensor], float],
    *,
    settings: BeatFit,
) -> tuple[nn.Module, int]:
    """One network at its best held-out loss, and at which epoch that was."""
    inside, outside = split
    optimiser = torch.optim.AdamW(network.parameters(), settings.learning_rate, weight_decay=settings.weight_decay)
    steps = max(1, len(inside) // settings.batch)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimiser, settings.learning_rate, total_steps=settings.epochs * steps + 1, pct_start=0.15
    )
    best, best_loss, best_epoch = copy.deepcopy(network), float("inf"), 0
    for epoch in range(1, settings.epochs + 1):
        network.train()
        order = inside[torch.randperm(len(inside))]
        for part in order[: steps * settings.batch].chunk(steps):
            value = loss(network, signals[part], part)
            optimiser.zero_grad(set_to_none=True)
            value.backward()  # type: ignore[no-untyped-call] # torch annotates it on no version
            optimiser.step()
            schedule.step()
        if epoch % _ROUND and epoch != settings.epochs:
            continue
        network.eval()
        with torch.inference_mode():
            now = validation_loss(network, outside)
        if now < best_loss:
            best.load_state_dict(network.state_dict())
            best_loss, best_epoch = now, epoch
        elif epoch - best_epoch >= settings.patience:
            break
    return best.eval(), best_epoch


def _augmented(beats: Tensor) -> Tensor:
    """Beats moved, scaled and made noisy a little."""
    count, length = beats.shape
    moved = (torch.arange(length) + torch.randint(-_SHIFT, _SHIFT + 1, (count, 1))).clamp(0, length - 1)
    gain = 1 + _GAIN * torch.randn(count, 1)
    return gain * beats.gather(1, moved) + _NOISE * torch.randn(count, length)
