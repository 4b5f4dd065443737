"""Augmentation of segments, so that the networks hold on other patients, electrodes and devices."""

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from ecg.segments import CLIP, MODEL_SAMPLES, WINDOW_SAMPLES
from training.data import CLASSES, FRAMES, FRAMES_HZ, UNKNOWN

_FIRST_ABNORMAL = CLASSES.index("S")
_WINDOW_FRAMES = WINDOW_SAMPLES * FRAMES // MODEL_SAMPLES


@dataclass(frozen=True, slots=True, kw_only=True)
class Augmentation:
    """Probabilities per segment, and amounts.

    Attributes
    ----------
    drop_second : the second lead is missing
    swap : the leads change places
    rotate, rotation : a share of each lead is added to the other, of this standard deviation: another axis
    flip : the judged lead is upside down, an electrode mix-up
    noise, snr_db : noise of the Noise Stress Test records, at an SNR drawn from this range
    soften : the device lets less of the high frequencies through
    cut : the stream began a moment ago
    stretch, stretch_range : a batch is played faster or slower, by factors from this range
    """

    drop_second: float = 0.35
    swap: float = 0.1
    rotate: float = 0.5
    rotation: float = 0.3
    flip: float = 0.06
    noise: float = 0.5
    snr_db: tuple[float, float] = (2.0, 26.0)
    soften: float = 0.15
    cut: float = 0.1
    stretch: float = 0.5
    stretch_range: tuple[float, float] = (0.85, 1.15)


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """Segments to learn from.

    Attributes
    ----------
    inputs : (B, leads, samples) float32
    frames : (B, FRAMES) int64, index into ``CLASSES`` or ``UNKNOWN``
    abnormal : (B,) float32, 0 or 1
    weight : (B,) float32, of the window's label; 0 where it is not known
    """

    inputs: Tensor
    frames: Tensor
    abnormal: Tensor
    weight: Tensor


def augment(batch: Batch, noise: Tensor, settings: Augmentation, random: torch.Generator) -> Batch:
    """Change a batch as patients, electrodes and devices would.

    Parameters
    ----------
    batch : prepared segments
    noise : (kinds, leads, n), prepared noise of unit variance
    settings : how often and how much
    random : source of chance
    """
    if torch.rand((), generator=random) < settings.stretch:
        low, high = settings.stretch_range
        batch = stretch(batch, float(low + (high - low) * torch.rand((), generator=random)))
    inputs, count = batch.inputs, len(batch.inputs)

    def chosen(share: float) -> Tensor:
        return (torch.rand(count, generator=random) < share)[:, None, None]

    known = (inputs != 0).any(dim=1, keepdim=True)
    second = (inputs[:, 1:] != 0).any(dim=2, keepdim=True)
    inputs = torch.where(chosen(settings.swap) & second, inputs.flip(1), inputs)
    share = settings.rotation * torch.randn(count, 2, 1, generator=random)
    inputs = torch.where(chosen(settings.rotate) & second, inputs + share * inputs.flip(1), inputs)
    first, other = inputs[:, :1], inputs[:, 1:]
    first = torch.where(chosen(settings.flip), -first, first)
    inputs = _unit(torch.cat([first, other], dim=1))
    inputs = torch.where(chosen(settings.noise), inputs + _noise(noise, settings, count, random), inputs)
    # A mean over 30 ms halves the power at 15 Hz, as the monitoring band of old devices does.
    inputs = torch.where(chosen(settings.soften), functional.avg_pool1d(inputs, 3, 1, 1), inputs)
    # Where nothing was known, nothing is: no noise either.
    inputs = inputs * known * (batch.inputs != 0).any(dim=2, keepdim=True)
    inputs = torch.cat([inputs[:, :1], torch.where(chosen(settings.drop_second), 0, inputs[:, 1:])], dim=1)
    until = torch.randint(0, MODEL_SAMPLES - WINDOW_SAMPLES, (count, 1, 1), generator=random)
    before = torch.arange(MODEL_SAMPLES) < until
    inputs = torch.where(chosen(settings.cut) & before, 0, inputs)
    return Batch(inputs=_unit(inputs), frames=batch.frames, abnormal=batch.abnormal, weight=batch.weight)


def stretch(batch: Batch, factor: float) -> Batch:
    """Play a batch slower (factor above 1) or faster; the segments' ends stay where they are."""
    last = MODEL_SAMPLES - 1
    position = last - (last - torch.arange(MODEL_SAMPLES)) / factor
    floor = position.floor().long()
    part = position - floor
    inside = floor >= 0
    low = floor.clamp(0, last)
    high = (floor + 1).clamp(0, last)
    inputs = (batch.inputs[:, :, low] * (1 - part) + batch.inputs[:, :, high] * part) * inside
    to_end_s = (FRAMES - torch.arange(FRAMES) - 0.5) / FRAMES_HZ / factor
    source = FRAMES - 1 - (to_end_s * FRAMES_HZ).floor().long()
    frames = torch.where(source >= 0, batch.frames[:, source.clamp(min=0)], 0)
    # Beats may have left or entered the window: its label is kept only where that changes nothing.
    same = _abnormal_beat(frames) == _abnormal_beat(batch.frames)
    return Batch(inputs=inputs, frames=frames, abnormal=batch.abnormal, weight=batch.weight * same)


def _abnormal_beat(frames: Tensor) -> Tensor:
    window = frames[:, -_WINDOW_FRAMES:]
    return ((window >= _FIRST_ABNORMAL) & (window != UNKNOWN)).any(dim=1)


def _noise(noise: Tensor, settings: Augmentation, count: int, random: torch.Generator) -> Tensor:
    kinds, leads, length = noise.shape
    kind = torch.randint(0, kinds, (count,), generator=random)
    start = torch.randint(0, length - MODEL_SAMPLES, (count,), generator=random)
    place = start[:, None, None] + torch.arange(MODEL_SAMPLES)
    drawn = noise[kind[:, None, None], torch.arange(leads)[:, None], place]
    low, high = settings.snr_db
    snr_db = low + (high - low) * torch.rand(count, 1, 1, generator=random)
    return drawn * 10 ** (-snr_db / 20)


def _unit(inputs: Tensor) -> Tensor:
    """Normalised as ``ecg.segments.prepare`` does: unit deviation over what is known, clipped."""
    known = inputs != 0
    count = known.sum(dim=2, keepdim=True).clamp(min=1)
    centred = (inputs - inputs.sum(dim=2, keepdim=True) / count) * known
    scale = (centred.square().sum(dim=2, keepdim=True) / count).sqrt().clamp(min=0.05)
    return (centred / scale).clamp(-CLIP, CLIP)
