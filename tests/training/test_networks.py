import pytest
import torch
from torch.nn import functional

from ecg.segments import MODEL_SAMPLES, WINDOW_SAMPLES
from training.data import CLASSES, FRAMES
from training.networks import (
    HIDDEN_PATCHES,
    JUDGED_PATCHES,
    MAP_FRAMES,
    PASSES,
    PATCH,
    PATCHES,
    VIEW_SAMPLES,
    Autoencoder,
    BeatNet,
    hidden_blocks,
    window_error,
)


@pytest.fixture
def segments() -> torch.Tensor:
    return torch.randn(3, 2, MODEL_SAMPLES, generator=torch.Generator().manual_seed(1))


def _same(one: torch.Tensor, other: torch.Tensor) -> bool:
    return torch.allclose(one, other, atol=1e-5)


def test_the_cnn_gives_a_logit_and_two_maps(segments: torch.Tensor) -> None:
    output = BeatNet().eval()(segments)
    assert output.window_logit.shape == (3,)
    assert output.beat_map.shape == (3, len(CLASSES), MAP_FRAMES)
    assert output.first_map.shape == (3, len(CLASSES), FRAMES)


def test_the_cnn_is_small_and_a_window_does_not_depend_on_the_batch(segments: torch.Tensor) -> None:
    network = BeatNet().eval()
    assert sum(parameter.numel() for parameter in network.parameters()) < 200_000
    with torch.inference_mode():
        together, alone = network(segments), network(segments[1:2])
    assert _same(together.beat_map[1:2], alone.beat_map)
    assert _same(together.window_logit[1:2], alone.window_logit)


@pytest.mark.parametrize("frame", [0, 75, MAP_FRAMES - 1])
def test_a_frame_of_the_first_map_answers_to_its_own_samples(frame: int, segments: torch.Tensor) -> None:
    network = BeatNet().eval()
    first = network(segments.requires_grad_()).first_map[:, :, FRAMES - MAP_FRAMES + frame].sum()
    (gradient,) = torch.autograd.grad(first, segments)
    strength = gradient.abs().sum(dim=(0, 1))
    place = torch.arange(MODEL_SAMPLES, dtype=torch.float32)
    centre = float((strength * place).sum() / strength.sum())
    middle = (FRAMES - MAP_FRAMES + frame + 0.5) * MODEL_SAMPLES / FRAMES
    # At the end there is nothing to the right, so that the centre of what it sees lies to the left.
    assert abs(centre - middle) < (6 if frame < MAP_FRAMES - 1 else 20)


def test_the_maps_end_is_the_segments_end(segments: torch.Tensor) -> None:
    network = BeatNet().eval()
    changed = segments.clone()
    changed[:, :, -4:] += 5
    with torch.inference_mode():
        difference = (network(changed).beat_map - network(segments).beat_map).abs().amax(dim=(0, 1))
    assert int(difference.argmax()) >= MAP_FRAMES - 4


def test_the_verdict_uses_the_context(segments: torch.Tensor) -> None:
    network = BeatNet().eval()
    without = segments.clone()
    without[:, :, : MODEL_SAMPLES - WINDOW_SAMPLES] = 0
    with torch.inference_mode():
        assert not _same(network(segments).window_logit, network(without).window_logit)


def test_the_passes_hide_every_sample_of_the_window_once() -> None:
    passes = Autoencoder().passes
    assert passes.shape == (PASSES, JUDGED_PATCHES)
    hidden = passes.sum(dim=0)
    assert set(hidden.tolist()) == {0.0, 1.0}
    assert int(hidden.sum()) == HIDDEN_PATCHES
    assert hidden.repeat_interleave(PATCH)[-WINDOW_SAMPLES:].all()


def test_the_autoencoder_looks_no_further_back_than_its_layers_reach(segments: torch.Tensor) -> None:
    network = Autoencoder().eval()
    lead = segments[:, 0, -VIEW_SAMPLES:]
    unseen = PATCHES - JUDGED_PATCHES
    with torch.inference_mode():
        short = network(segments).reconstruction
        whole = torch.zeros_like(lead)
        for hidden in functional.pad(network.passes, (unseen, 0)):
            marked = hidden.expand(len(lead), PATCHES)
            whole = whole + network.fill(lead, marked) * hidden.repeat_interleave(PATCH)
    assert _same(short, whole[:, -WINDOW_SAMPLES:])


def test_what_is_hidden_is_not_seen(segments: torch.Tensor) -> None:
    network = Autoencoder().eval()
    lead = segments[:, 0, -VIEW_SAMPLES:]
    hidden = hidden_blocks(torch.tensor([40, 50, 65]), torch.tensor([0, 1, 0]))
    shown = hidden.repeat_interleave(PATCH, dim=1) == 0
    with torch.inference_mode():
        filled = network.fill(lead, hidden)
        assert _same(filled, network.fill(torch.where(shown, lead, 9.0), hidden))
        assert not _same(filled, network.fill(lead * 2, hidden))


def test_the_reconstruction_is_the_window_and_the_error_is_its_own(segments: torch.Tensor) -> None:
    network = Autoencoder().eval()
    with torch.inference_mode():
        output = network(segments)
    assert output.error.shape == (3,)
    assert output.reconstruction.shape == (3, WINDOW_SAMPLES)
    assert _same(output.error, window_error(segments[:, 0, -WINDOW_SAMPLES:] - output.reconstruction))


def test_one_odd_beat_decides_the_error_wherever_it_stands() -> None:
    difference = torch.zeros(3, WINDOW_SAMPLES)
    difference[0, 100:120] = 1.0
    difference[1, 380:400] = 1.0
    error = window_error(difference)
    assert error[0] == pytest.approx(float(error[1]), rel=0.05)
    assert error[0] > 2 * difference[0].abs().mean()
    assert error[2] == 0
