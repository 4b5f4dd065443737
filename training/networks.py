"""The networks: a convolutional network that names beats and windows, and an autoencoder that knows the normal."""

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from ecg.leads import MODEL_LEADS
from ecg.segments import MODEL_FS_HZ, MODEL_SAMPLES, WINDOW_SAMPLES
from training.data import CLASSES, FRAMES, FRAMES_HZ

STRIDE = MODEL_SAMPLES // FRAMES  # samples in a frame of the beat map
MAP_SECONDS = 6  # the window, and the second before it in which the last beats settle
MAP_FRAMES = MAP_SECONDS * FRAMES_HZ
WINDOW_FRAMES = WINDOW_SAMPLES // STRIDE
PATCH = 8  # samples that the autoencoder takes in at once: 80 ms
PATCHES = 128  # that it looks at: the newest 10.24 s, the window and five or more beats before it
VIEW_SAMPLES = PATCH * PATCHES
BLOCK_PATCHES = 9  # hidden at once: 0.72 s, room for a whole beat
PASSES = 2
HIDDEN_PATCHES = 63  # the window, and half a patch before it
REACH_PATCHES = 37  # how far before a patch the layers look: nothing older changes what is filled in
JUDGED_PATCHES = HIDDEN_PATCHES + REACH_PATCHES
ERROR_SPAN_S = 1.6  # the worst stretch of this length says how odd the window is: a beat and the pause behind it
# Convolutions run as two-dimensional ones of height 1: with channels last they train three times faster on a CPU.


class CnnOutput(NamedTuple):
    """Outputs of the CNN on N segments.

    Attributes
    ----------
    window_logit : (N,), above 0 for abnormal
    beat_map : (N, classes, MAP_FRAMES) logits over the newest ``MAP_SECONDS``
    first_map : (N, classes, FRAMES) logits over the whole segment from shape alone; for training
    """

    window_logit: Tensor
    beat_map: Tensor
    first_map: Tensor


class _Residual(nn.Module):
    """y = x + relu(norm(conv(x))), dilated in time."""

    def __init__(self, channels: int, *, dilation: int, dropout: float) -> None:
        super().__init__()
        self.conv = nn.Conv2d(channels, channels, (1, 3), padding=(0, dilation), dilation=(1, dilation), bias=False)
        self.norm = nn.BatchNorm2d(channels)
        self.dropout = nn.Dropout2d(dropout)

    def forward(self, x: Tensor) -> Tensor:
        residual: Tensor = x + self.dropout(functional.relu(self.norm(self.conv(x))))
        return residual


def _patches(x: Tensor, size: int) -> Tensor:
    """(N, C, 1, T) to (N, C * size, 1, T / size): time steps side by side as channels."""
    count, channels, _, length = x.shape
    folded = x.reshape(count, channels, length // size, size).permute(0, 1, 3, 2)
    return folded.reshape(count, channels * size, 1, length // size)


class BeatNet(nn.Module):
    """The CNN: segments to the class of each beat and the verdict on the window.

    Three stages. Shape: 25 frames a second, what each instant looks like, with a first guess of the beats. Rhythm:
    half that rate and ever wider dilations over the guessed beats and their shapes, so that a beat is judged by the
    intervals around it. Judgement: the newest frames again, each beside the patient's own mean beat.

    Parameters
    ----------
    shape_channels, rhythm_channels : widths of the stages
    dropout : share of channels left out in training
    """

    def __init__(self, *, shape_channels: int = 32, rhythm_channels: int = 32, dropout: float = 0.1) -> None:
        super().__init__()
        self.stem = nn.Conv2d(MODEL_LEADS * STRIDE, shape_channels, (1, 5), padding=(0, 2), bias=False)
        self.stem_norm = nn.BatchNorm2d(shape_channels)
        self.shape = nn.Sequential(
            *(_Residual(shape_channels, dilation=dilation, dropout=dropout) for dilation in (1, 2, 4, 1))
        )
        self.first_head = nn.Conv2d(shape_channels, len(CLASSES), 1)
        self.slow_shape = nn.Conv2d(shape_channels, rhythm_channels, (1, 3), padding=(0, 1), stride=(1, 2), bias=False)
        self.slow_guess = nn.Conv2d(
            len(CLASSES) - 1, rhythm_channels, (1, 3), padding=(0, 1), stride=(1, 2), bias=False
        )
        self.slow_norm = nn.BatchNorm2d(rhythm_channels)
        self.rhythm = nn.Sequential(
            *(_Residual(rhythm_channels, dilation=dilation, dropout=dropout) for dilation in (1, 2, 4, 8, 16, 1))
        )
        self.own = nn.Linear(2 * (shape_channels + rhythm_channels), rhythm_channels)
        self.judge_shape = nn.Conv2d(shape_channels, rhythm_channels, (1, 3), padding=(0, 1), bias=False)
        self.judge_slow = nn.Conv2d(rhythm_channels, rhythm_channels, 1, bias=False)
        self.judge_norm = nn.BatchNorm2d(rhythm_channels)
        self.map_head = nn.Conv2d(rhythm_channels, len(CLASSES), 1)
        self.window_head = nn.Sequential(
            nn.Linear(3 * rhythm_channels + len(CLASSES), rhythm_channels), nn.ReLU(), nn.Linear(rhythm_channels, 1)
        )
        self.dropout = nn.Dropout(dropout)

    def forward(self, segments: Tensor) -> CnnOutput:
        """Judge segments (N, leads, samples)."""
        patches = _patches(segments.unsqueeze(2), STRIDE).contiguous(memory_format=torch.channels_last)
        shape = self.shape(functional.relu(self.stem_norm(self.stem(patches))))
        first = self.first_head(shape)
        guess = torch.sigmoid(first[:, 1:] - first[:, :1])
        # Slow frame i looks at frames 2i - 1 and 2i, and at one more to the right.
        slow = self.rhythm(functional.relu(self.slow_norm(self.slow_shape(shape) + self.slow_guess(guess))))

        # The patient's own beat: the mean of what stands at the guessed beats, beside the mean of all.
        beat = guess.sum(dim=1, keepdim=True)
        slow_beat = functional.avg_pool2d(functional.pad(beat, (1, 0)), (1, 2))
        own = self.own(
            torch.cat(
                [_mean_at(shape, beat), _mean_at(slow, slow_beat), shape.mean(dim=(2, 3)), slow.mean(dim=(2, 3))], dim=1
            )
        )
        here = self.judge_shape(shape[..., -MAP_FRAMES:]) + _twice(self.judge_slow(slow[..., -MAP_FRAMES // 2 :]))
        judged = functional.relu(self.judge_norm(here) + own[:, :, None, None])
        logits = self.map_head(judged).squeeze(2)

        window = judged[..., -WINDOW_FRAMES:]
        summary = torch.cat(
            [
                window.mean(dim=(2, 3)),
                window.amax(dim=(2, 3)),
                own,
                torch.logsumexp(logits[..., -WINDOW_FRAMES:], dim=2),
            ],
            dim=1,
        )
        return CnnOutput(self.window_head(self.dropout(summary)).squeeze(1), logits, first.squeeze(2))


def _mean_at(x: Tensor, weight: Tensor) -> Tensor:
    """The mean of (N, C, 1, T) over time by weights (N, 1, 1, T); towards zero where they are few."""
    summed = x.squeeze(2) @ weight.squeeze(2).transpose(1, 2)
    return summed.squeeze(2) / (weight.sum(dim=(2, 3)) + 1)


def _twice(x: Tensor) -> Tensor:
    """Each frame twice in a row."""
    return torch.stack([x, x], dim=4).flatten(3)


class AutoencoderOutput(NamedTuple):
    """Outputs of the autoencoder on N segments.

    Attributes
    ----------
    error : (N,), how far the worst ``ERROR_SPAN_S`` of the window is from its reconstruction
    reconstruction : (N, WINDOW_SAMPLES), the judged lead's newest 5 s
    """

    error: Tensor
    reconstruction: Tensor


class Autoencoder(nn.Module):
    """A masked autoencoder of the judged lead: it fills hidden blocks from what stands around them.

    Trained on normal windows alone, it expects the patient's own beat at the next beat's time. What it fills in for
    a premature, wide or missing beat is far from what is there, while a steady bundle branch block costs nothing.
    The window is hidden in two passes, every other block in each.

    Source: the masking follows He et al. 2022, doi:10.1109/CVPR52688.2022.01553; convolutions instead of attention,
    and the error is the answer.

    Parameters
    ----------
    channels : width of the layers
    """

    passes: Tensor

    def __init__(self, *, channels: int = 32) -> None:
        super().__init__()
        self.stem = nn.Conv2d(PATCH + 1, channels, (1, 3), padding=(0, 1), bias=False)
        self.stem_norm = nn.BatchNorm2d(channels)
        self.layers = nn.Sequential(
            *(_Residual(channels, dilation=dilation, dropout=0.0) for dilation in (1, 2, 4, 8, 16, 4, 1))
        )
        self.head = nn.Conv2d(channels, PATCH, 1)
        newest = torch.full((1,), PATCHES - HIDDEN_PATCHES)
        both = torch.stack([hidden_blocks(newest, torch.tensor([number]))[0] for number in range(PASSES)])
        self.register_buffer("passes", both[:, -JUDGED_PATCHES:], persistent=False)

    def fill(self, lead: Tensor, hidden: Tensor) -> Tensor:
        """Reconstruct ``lead`` (N, samples) without seeing the patches that ``hidden`` (N, patches) marks by 1."""
        patches = _patches(lead[:, None, None], PATCH)
        mark = hidden[:, None, None]
        seen = torch.cat([patches * (1 - mark), mark], dim=1).contiguous(memory_format=torch.channels_last)
        layers = self.layers(functional.relu(self.stem_norm(self.stem(seen))))
        folded = self.head(layers)[:, :, 0].transpose(1, 2)
        filled: Tensor = folded.reshape(lead.shape[0], lead.shape[1])  # len() would fix the batch size in ONNX
        return filled

    def forward(self, segments: Tensor) -> AutoencoderOutput:
        """Reconstruct the windows of segments (N, leads, samples)."""
        lead = segments[:, 0, -JUDGED_PATCHES * PATCH :]
        whole = torch.zeros_like(lead)
        for hidden in self.passes:
            filled = self.fill(lead, hidden.expand(lead.shape[0], JUDGED_PATCHES))
            whole = whole + filled * hidden.repeat_interleave(PATCH)
        reconstruction = whole[:, -WINDOW_SAMPLES:]
        return AutoencoderOutput(window_error(lead[:, -WINDOW_SAMPLES:] - reconstruction), reconstruction)


def hidden_blocks(start: Tensor, number: Tensor) -> Tensor:
    """Return which patches a pass hides, of the ``HIDDEN_PATCHES`` from ``start`` on: every other block.

    Parameters
    ----------
    start : (N,) int, the first patch that may be hidden
    number : (N,) int, of the pass

    Returns
    -------
    (N, PATCHES) float32, 1 where hidden
    """
    place = torch.arange(PATCHES) - start[:, None]
    block = place.div(BLOCK_PATCHES, rounding_mode="floor")
    hidden: Tensor = (place >= 0) & (place < HIDDEN_PATCHES) & (block % PASSES == number[:, None])
    return hidden.float()


def window_error(difference: Tensor) -> Tensor:
    """The mean absolute difference over the worst stretch of a window.

    An odd beat is short: the mean over five seconds would drown it. And a QRS a sample off its place is no anomaly:
    the difference is smoothed first.
    """
    smooth = functional.avg_pool1d(difference[:, None], 2 * STRIDE, STRIDE).abs()
    span = round(ERROR_SPAN_S * MODEL_FS_HZ / STRIDE)
    worst: Tensor = functional.avg_pool1d(smooth, span, span // 4)[:, 0].amax(dim=1)
    return worst
