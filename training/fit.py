"""Fitting a network: batches, loss, one-cycle learning rate, and the moving average of the weights that is kept."""

import copy
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn
from torch.nn import functional

from training.augment import Augmentation, Batch, augment
from training.data import CLASSES, UNKNOWN, RecordWindows
from training.databases import database_of
from training.networks import (
    HIDDEN_PATCHES,
    MAP_FRAMES,
    PASSES,
    PATCH,
    PATCHES,
    STRIDE,
    VIEW_SAMPLES,
    Autoencoder,
    CnnOutput,
    hidden_blocks,
)

Track = Callable[[int, float], None]  # called after each step with its number and loss

# A beat marks three frames of some 25, so that "none" is common: it counts less. Rare classes hardly count more: what
# heavy weights find more of them is paid for in false ones.
CLASS_WEIGHT = {"none": 0.4, "N": 1.0, "S": 1.5, "V": 1.25, "F": 1.25}
_DRAW_WEIGHT = {"S": 2.0, "V": 1.5, "F": 2.0}  # how much oftener a window with such a beat is drawn
_FIRST_MAP_SHARE = 0.5  # of the loss of the first guess, against that of the map
_SMOOTH_SHARE = 2.0  # of the smoothed error, in the autoencoder's loss
_MAP_SHARE = 3.0  # of the beat map's loss, against the window's


@dataclass(frozen=True, slots=True, kw_only=True)
class Fit:
    """Settings of a fit.

    Attributes
    ----------
    steps : batches in all
    batch : segments in a batch
    learning_rate : at its highest
    weight_decay : of AdamW
    averaging : how much of the moving average a step keeps
    seed : of weights, draws and augmentation
    """

    steps: int
    batch: int = 128
    learning_rate: float = 3e-3
    weight_decay: float = 0.02
    averaging: float = 0.997
    seed: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Pool:
    """All windows to learn from, as tensors; half floats, for there are many."""

    inputs: Tensor
    frames: Tensor
    abnormal: Tensor
    weight: Tensor
    draw: Tensor

    @classmethod
    def of(cls, windows: Sequence[RecordWindows]) -> "Pool":
        """The windows of several records; each record is drawn as often as any other, rare beats oftener.

        Where nobody annotated rhythms, windows have no weight: their beats teach, their verdicts do not. The others
        weigh the more, so that verdicts count as much against beats as they do without such records.
        """
        frames = np.concatenate([record.frames for record in windows])
        teaching = [database_of(record.name)[0].rhythms != "unknown" for record in windows]
        weigh = len(windows) / max(1, sum(teaching))
        weights = [
            (record.usable & ~record.left_out & teaches) * weigh
            for record, teaches in zip(windows, teaching, strict=True)
        ]
        draw = np.ones(len(frames))
        for letter, weight in _DRAW_WEIGHT.items():
            holds = (frames[:, -MAP_FRAMES:] == CLASSES.index(letter)).any(axis=1)
            draw = np.where(holds, np.maximum(draw, weight), draw)
        draw *= np.concatenate([record.usable / max(1, int(record.usable.sum())) for record in windows])
        return cls(
            inputs=torch.from_numpy(np.concatenate([record.inputs for record in windows])),
            frames=torch.from_numpy(frames),
            abnormal=torch.from_numpy(np.concatenate([record.abnormal for record in windows]).astype(np.float32)),
            weight=torch.from_numpy(np.concatenate(weights).astype(np.float32)),
            draw=torch.from_numpy(draw),
        )

    def take(self, index: Tensor) -> Batch:
        """Some windows as a batch."""
        return Batch(
            inputs=self.inputs[index].float(),
            frames=self.frames[index].long(),
            abnormal=self.abnormal[index],
            weight=self.weight[index],
        )


def normal_only(pool: Pool) -> Pool:
    """The windows in which everything is normal, the context included."""
    odd = ((pool.frames >= CLASSES.index("S")) & (pool.frames != UNKNOWN)).any(dim=1)
    kept = (pool.abnormal == 0) & (pool.weight > 0) & ~odd
    return Pool(
        inputs=pool.inputs[kept],
        frames=pool.frames[kept],
        abnormal=pool.abnormal[kept],
        weight=pool.weight[kept],
        draw=torch.ones(int(kept.sum()), dtype=torch.float64),
    )


def autoencoder_loss(network: nn.Module, batch: Batch) -> Tensor:
    """Squared error of the hidden patches that are known, also after smoothing; half the time within the window."""
    assert isinstance(network, Autoencoder)  # noqa: S101 - told to the type checker; only this network fills
    lead = batch.inputs[:, 0, -VIEW_SAMPLES:]
    last = PATCHES - HIDDEN_PATCHES
    anywhere = torch.randint(0, last + 1, (len(lead),))
    start = torch.where(torch.rand(len(lead)) < 0.5, last, anywhere)
    hidden = hidden_blocks(start, torch.randint(0, PASSES, (len(lead),)))
    judged = hidden.repeat_interleave(PATCH, dim=1) * (lead != 0)
    difference = (lead - network.fill(lead, hidden).float()) * judged
    smooth = functional.avg_pool1d(difference[:, None], 2 * STRIDE, STRIDE)
    # The smooth part decides at run time, though it holds little of the power.
    return (difference.square().sum() + _SMOOTH_SHARE * STRIDE * smooth.square().sum()) / judged.sum()


def cnn_loss(network: nn.Module, batch: Batch) -> Tensor:
    """Window verdict and beat map, and the first guess of the map."""
    output: CnnOutput = network(batch.inputs)
    window = functional.binary_cross_entropy_with_logits(output.window_logit.float(), batch.abnormal, batch.weight)
    class_weight = torch.tensor([CLASS_WEIGHT[letter] for letter in CLASSES])
    maps = functional.cross_entropy(
        output.beat_map.float(), batch.frames[:, -MAP_FRAMES:], class_weight, ignore_index=UNKNOWN
    )
    first = functional.cross_entropy(output.first_map.float(), batch.frames, class_weight, ignore_index=UNKNOWN)
    loss: Tensor = window + _MAP_SHARE * (maps + _FIRST_MAP_SHARE * first)
    return loss


def fit(
    network: nn.Module,
    pool: Pool,
    noise: Tensor,
    loss_of: Callable[[nn.Module, Batch], Tensor],
    settings: Fit,
    *,
    augmentation: Augmentation,
    track: Track = lambda _step, _loss: None,
) -> nn.Module:
    """Fit a network for a fixed number of steps and return the moving average of its weights.

    No step is chosen by its result: the last average is the answer.
    """
    random = torch.Generator().manual_seed(settings.seed)
    network = network.to(memory_format=torch.channels_last)
    network.train()
    average = copy.deepcopy(network).eval()
    decayed = [parameter for parameter in network.parameters() if parameter.ndim > 1]
    rest = [parameter for parameter in network.parameters() if parameter.ndim <= 1]
    groups: list[dict[str, Any]] = [{"params": decayed}, {"params": rest, "weight_decay": 0.0}]
    optimiser = torch.optim.AdamW(
        groups,
        lr=settings.learning_rate,
        weight_decay=settings.weight_decay,
    )
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimiser, settings.learning_rate, total_steps=settings.steps + 1, pct_start=0.15
    )
    for step in range(settings.steps):
        index = torch.multinomial(pool.draw, settings.batch, replacement=True, generator=random)
        batch = augment(pool.take(index), noise, augmentation, random)
        # In float32: bfloat16 takes five times as long on processors without AVX512-BF16, and rounds by machine.
        loss = loss_of(network, batch)
        optimiser.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call] # torch annotates it on no version
        nn.utils.clip_grad_norm_(network.parameters(), 5.0)
        optimiser.step()
        schedule.step()
        _average(average, network, min(settings.averaging, (step + 1) / (step + 10)))
        track(step, float(loss.detach()))
    return average


def _average(average: nn.Module, network: nn.Module, keep: float) -> None:
    with torch.no_grad():
        for kept, new in zip(average.state_dict().values(), network.state_dict().values(), strict=True):
            if kept.dtype.is_floating_point:
                kept.lerp_(new, 1 - keep)
            else:
                kept.copy_(new)


def predict_cnn(
    network: nn.Module, inputs: npt.NDArray[np.float16], *, batch: int = 256
) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
    """Window logits (n,) and beat maps (n, classes, MAP_FRAMES) of prepared segments."""
    network.eval()
    logits, maps = [], []
    with torch.inference_mode():
        for start in range(0, len(inputs), batch):
            output = network(torch.from_numpy(inputs[start : start + batch]).float())
            logits.append(output.window_logit.numpy())
            maps.append(output.beat_map.numpy())
    return np.concatenate(logits), np.concatenate(maps)


def predict_autoencoder(
    network: nn.Module, inputs: npt.NDArray[np.float16], *, batch: int = 256
) -> npt.NDArray[np.float32]:
    """Errors (n,) of prepared segments."""
    network.eval()
    with torch.inference_mode():
        return np.concatenate(
            [
                network(torch.from_numpy(inputs[start : start + batch]).float()).error.numpy()
                for start in range(0, len(inputs), batch)
            ]
        )
