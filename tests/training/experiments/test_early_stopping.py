from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import training.experiments.early_stopping
from training.augment import Augmentation, Batch
from training.data import FRAMES
from training.experiments.early_stopping import StoppedFit, checkpoint, checkpoints_of, fit_until_best, loss_over
from training.fit import Pool
from training.run import load_weights

NOISE = torch.zeros(3, 2, 2000)


class Offset(nn.Module):
    """One weight, which falls step by step."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.tensor([1.0]))


def _loss(network: nn.Module, batch: Batch) -> Tensor:
    assert isinstance(network, Offset)
    return network.weight.sum() + 0 * batch.inputs.sum()


def _pool(count: int = 4) -> Pool:
    return Pool(
        inputs=torch.randn(count, 2, 1500).half(),
        frames=torch.zeros(count, FRAMES, dtype=torch.uint8),
        abnormal=torch.zeros(count),
        weight=torch.ones(count),
        draw=torch.ones(count, dtype=torch.float64),
    )


@pytest.fixture
def validation_losses(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """What the validations will say, one after the other."""
    losses: list[float] = []
    shown: Iterator[float] | None = None

    def next_loss(*_: object) -> float:
        nonlocal shown
        shown = shown or iter(losses)
        return next(shown)

    monkeypatch.setattr(training.experiments.early_stopping, "loss_over", next_loss)
    return losses


def _fit(weights: Path, steps: int = 40) -> training.experiments.early_stopping.Stopped:
    return fit_until_best(
        Offset(),
        _pool(),
        NOISE,
        _loss,
        StoppedFit(steps=steps, batch=2, averaging=0.5, check_every=2, patience=3),
        augmentation=Augmentation(),
        validation=_pool(),
        weights=weights,
    )


def test_the_best_checkpoint_is_kept_and_the_others_are_removed(tmp_path: Path, validation_losses: list[float]) -> None:
    validation_losses += [5.0, 4.0, 4.5, 4.2, 4.1, 9.9]
    stopped = _fit(tmp_path / "net.npz")
    assert [check.validation_loss for check in stopped.curve] == [5.0, 4.0, 4.5, 4.2, 4.1]
    assert stopped.best == stopped.curve[1]
    assert stopped.best.step == 4
    assert [path.name for path in tmp_path.iterdir()] == ["net.npz"]


def test_the_weights_are_those_of_the_best_check(tmp_path: Path) -> None:
    seen: list[float] = []

    def validate(network: nn.Module, *_: object) -> float:
        assert isinstance(network, Offset)
        seen.append(network.weight.item())
        return abs(len(seen) - 3.0)  # the third is the best

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(training.experiments.early_stopping, "loss_over", validate)
        stopped = _fit(tmp_path / "net.npz")
    kept = Offset()
    load_weights(kept, tmp_path / "net.npz")
    assert isinstance(stopped.network, Offset)
    assert seen[2] == kept.weight.item() == stopped.network.weight.item()
    assert len(set(seen)) == len(seen) == 6  # three more, none of them better


def test_without_a_worse_check_it_goes_to_its_last_step(tmp_path: Path) -> None:
    stopped = _fit(tmp_path / "net.npz", steps=7)
    assert [check.step for check in stopped.curve] == [2, 4, 6, 7]
    losses = [check.validation_loss for check in stopped.curve]
    assert losses == sorted(losses, reverse=True)
    assert stopped.best == stopped.curve[-1]
    assert loss_over(stopped.network, _pool(), _loss) == pytest.approx(losses[-1])


def test_checkpoints_that_a_cut_off_fit_left_are_removed(tmp_path: Path) -> None:
    weights = tmp_path / "net.npz"
    checkpoint(weights, 12).write_bytes(b"half of a file")
    (tmp_path / "net2-step00012.npz").write_bytes(b"another fit's")
    _fit(weights, steps=3)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["net.npz", "net2-step00012.npz"]
    assert checkpoints_of(weights) == []


def test_the_loss_is_over_all_windows_however_they_are_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    def mean(_network: nn.Module, batch: Batch) -> Tensor:
        return batch.inputs.mean()

    pool = _pool(7)
    monkeypatch.setattr(training.experiments.early_stopping, "_VALIDATION_BATCH", 3)
    assert loss_over(Offset(), pool, mean) == pytest.approx(float(np.mean(pool.inputs.float().numpy())), abs=1e-6)
