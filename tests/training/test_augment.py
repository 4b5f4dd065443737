from dataclasses import replace

import pytest
import torch

from ecg.segments import CLIP, MODEL_SAMPLES, WINDOW_SAMPLES
from training.augment import Augmentation, Batch, augment, stretch
from training.data import CLASSES, FRAMES, UNKNOWN

NOTHING = Augmentation(drop_second=0, swap=0, rotate=0, flip=0, noise=0, soften=0, cut=0, stretch=0)
NOISE = torch.randn(3, 2, 4000, generator=torch.Generator().manual_seed(5))


@pytest.fixture
def batch() -> Batch:
    random = torch.Generator().manual_seed(2)
    inputs = torch.randn(6, 2, MODEL_SAMPLES, generator=random)
    inputs[0, 1] = 0
    inputs[1, :, :800] = 0
    return Batch(
        inputs=inputs / inputs.std(dim=2, keepdim=True).clamp(min=0.1),
        frames=torch.zeros(6, FRAMES, dtype=torch.long),
        abnormal=torch.zeros(6),
        weight=torch.ones(6),
    )


def _with(batch: Batch, settings: Augmentation, seed: int = 0) -> Batch:
    return augment(batch, NOISE, settings, torch.Generator().manual_seed(seed))


def test_no_augmentation_changes_next_to_nothing(batch: Batch) -> None:
    # The input is not exactly of unit deviation over its known part.
    assert torch.allclose(_with(batch, NOTHING).inputs[2:], batch.inputs[2:], atol=0.05)


def test_what_is_unknown_stays_zero(batch: Batch) -> None:
    changed = _with(batch, Augmentation(swap=1, rotate=1, noise=1, drop_second=0, cut=0, stretch=0))
    assert not changed.inputs[0, 1].any()
    assert not changed.inputs[1, :, :800].any()
    assert changed.inputs[2:].all(dim=2).all()


def test_a_dropped_lead_is_silent_and_the_judged_one_stays(batch: Batch) -> None:
    changed = _with(batch, Augmentation(drop_second=1))
    assert not changed.inputs[:, 1].any()
    assert changed.inputs[:, 0].any(dim=1).all()


def test_a_cut_leaves_the_window(batch: Batch) -> None:
    changed = _with(batch, Augmentation(cut=1, drop_second=0, stretch=0))
    assert (changed.inputs[2:, 0, -WINDOW_SAMPLES:] != 0).all()
    assert not changed.inputs[2:, 0, 0].any()


def test_inputs_are_normalised_as_the_preprocessing_does(batch: Batch) -> None:
    changed = _with(batch, Augmentation(noise=1, snr_db=(0.0, 3.0), cut=0, stretch=0, drop_second=0))
    assert torch.allclose(changed.inputs[2:].std(dim=2), torch.ones(4, 2), atol=0.02)
    assert changed.inputs.abs().max() <= CLIP


def test_noise_has_the_power_that_was_asked_for(batch: Batch) -> None:
    quiet = _with(
        batch, Augmentation(noise=1, snr_db=(40.0, 40.0), rotate=0, swap=0, flip=0, soften=0, cut=0, stretch=0)
    )
    loud = _with(batch, Augmentation(noise=1, snr_db=(0.0, 0.0), rotate=0, swap=0, flip=0, soften=0, cut=0, stretch=0))
    signal = batch.inputs[2:, 0].flatten()
    kept = [float(torch.corrcoef(torch.stack([signal, of.inputs[2:, 0].flatten()]))[0, 1]) for of in (quiet, loud)]
    assert kept[0] > 0.99
    assert kept[1] == pytest.approx(0.5**0.5, abs=0.15)  # as much noise as signal


def test_a_softened_signal_has_lost_its_high_frequencies_alone(batch: Batch) -> None:
    softened = replace(NOTHING, soften=1.0)
    sharp, soft = (_with(batch, settings).inputs[2:, 0] for settings in (NOTHING, softened))
    power = [torch.fft.rfft(of).abs().square().sum(dim=0) for of in (sharp, soft)]
    hertz = torch.fft.rfftfreq(MODEL_SAMPLES, 0.01)
    kept = [float(power[1][band].sum() / power[0][band].sum()) for band in ((hertz > 1) & (hertz < 5), hertz > 25)]
    assert kept[0] > 4 * kept[1]


def test_the_same_seed_gives_the_same_batch(batch: Batch) -> None:
    one, same, other = (_with(batch, Augmentation(), seed) for seed in (3, 3, 4))
    assert torch.equal(one.inputs, same.inputs)
    assert not torch.equal(one.inputs, other.inputs)


@pytest.mark.parametrize("factor", [0.85, 1.0, 1.12])
def test_beats_stay_on_their_peaks_when_stretched(factor: float) -> None:
    inputs = torch.full((1, 2, MODEL_SAMPLES), 0.01)
    frames = torch.zeros(1, FRAMES, dtype=torch.long)
    for sample in (620, 905, 1180, 1401):
        inputs[:, :, sample] = 5
        frames[:, sample * FRAMES // MODEL_SAMPLES] = CLASSES.index("N")
    stretched = stretch(Batch(inputs=inputs, frames=frames, abnormal=torch.zeros(1), weight=torch.ones(1)), factor)
    marked = torch.nonzero(stretched.frames[0]).flatten()
    peaks = torch.nonzero(stretched.inputs[0, 0] > 0.5).flatten() * FRAMES // MODEL_SAMPLES
    assert len(marked) > 0
    assert all(int((peaks - frame).abs().min()) <= 1 for frame in marked)
    assert all(int((marked - frame).abs().min()) <= 1 for frame in peaks if frame > 0)


def test_a_label_that_stretching_may_have_changed_is_not_learned_from() -> None:
    frames = torch.zeros(3, FRAMES, dtype=torch.long)
    frames[0, FRAMES - 120] = CLASSES.index("V")  # 4.8 s before the end: out of the window at a factor of 1.1
    frames[1, FRAMES - 60] = CLASSES.index("V")
    frames[2, FRAMES - 120] = UNKNOWN
    batch = Batch(inputs=torch.ones(3, 2, MODEL_SAMPLES), frames=frames, abnormal=torch.ones(3), weight=torch.ones(3))
    assert stretch(batch, 1.1).weight.tolist() == [0, 1, 1]
