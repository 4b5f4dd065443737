"""The networks: a convolutional network that names beats and windows, and an autoencoder that knows the normal."""

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from ecg.leads import MODEL_LEADS
from ecg.segments import MODEL_SAMPLES, WINDOW_SAMPLES
from training.data import CLASSES, FRAMES, FRAMES_HZ

STRIDE = MODEL_SAMPLES // FRAMES  # samples in a frame of the beat map
MAP_SECONDS = 6  # the window, and the second before it in which the last beats settle
MAP_FRAMES = MAP_SECONDS * FRAMES_HZ
WINDOW_FRAMES = WINDOW_SAMPLES // STRIDE
_SLOW = (FRAMES + 1) // 2  # frames at half the rate, where rhythm is looked at
_AE_SAMPLES = -(-MODEL_SAMPLES // (4 * STRIDE)) * 4 * STRIDE
ERROR_SAMPLES = 40  # 0.4 s: a beat from P wave to T wave
PRIOR_SAMPLES = 200  # how much the usual error of all patients weighs against a patient's own, in samples
PRIOR_ERROR = 0.1  # and what it is
# Convolutions run as two-dimensional ones of height 1: with channels last they train three times faster on a CPU.


class CnnOutput(NamedTuple):
    """What the CNN says of N segments.

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
        self.conv = nn.Conv2d(
            channels, channels, (1, 3), padding=(0, dilation), dilation=(1, dilation), bias=False
        )
        self.norm = nn.BatchNorm2d(channels)
        self.dropout = nn.Dropout2d(dropout)

    def forward(self, x: Tensor) -> Tensor:
        return x + self.dropout(functional.relu(self.norm(self.conv(x))))


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

    def __init__(self, *, shape_channels: int = 32, rhythm_channels: int = 48, dropout: float = 0.1) -> None:
        super().__init__()
        wide = shape_channels + rhythm_channels
        self.stem = nn.Conv2d(MODEL_LEADS * STRIDE, shape_channels, (1, 5), padding=(0, 2), bias=False)
        self.stem_norm = nn.BatchNorm2d(shape_channels)
        self.shape = nn.Sequential(
            *(_Residual(shape_channels, dilation=dilation, dropout=dropout) for dilation in (1, 2, 4, 1))
        )
        self.first_head = nn.Conv2d(shape_channels, len(CLASSES), 1)
        self.slow = nn.Conv2d(2 * (shape_channels + len(CLASSES)), rhythm_channels, 1, bias=False)
        self.slow_norm = nn.BatchNorm2d(rhythm_channels)
        self.rhythm = nn.Sequential(
            *(_Residual(rhythm_channels, dilation=dilation, dropout=dropout) for dilation in (1, 2, 4, 8, 16, 1))
        )
        self.own = nn.Linear(2 * wide, rhythm_channels)
        self.judge = nn.Conv2d(wide, rhythm_channels, (1, 3), padding=(0, 1), bias=False)
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
        guess = torch.softmax(first, dim=1)
        # One empty frame before the segment makes the count even.
        both = functional.pad(torch.cat([shape, guess], dim=1), (2 * _SLOW - FRAMES, 0))
        slow = self.rhythm(functional.relu(self.slow_norm(self.slow(_patches(both, 2)))))

        newest = slow[..., -MAP_FRAMES // 2 :]
        upsampled = newest.repeat_interleave(2, dim=3) if self.training else _twice(newest)
        here = torch.cat([shape[..., -MAP_FRAMES:], upsampled], dim=1)
        # The patient's own beat: the mean of what stands at the guessed beats, and the mean of all.
        everywhere = torch.cat([shape, _twice(slow)[..., 2 * _SLOW - FRAMES :]], dim=1)
        beat = 1 - guess[:, :1]
        own_beat = (everywhere * beat).sum(dim=(2, 3)) / (beat.sum(dim=(2, 3)) + 1)
        own = self.own(torch.cat([own_beat, everywhere.mean(dim=(2, 3))], dim=1))
        judged = functional.relu(self.judge_norm(self.judge(here)) + own[:, :, None, None])
        logits = self.map_head(judged).squeeze(2)

        window = judged[..., -WINDOW_FRAMES:]
        classes = logits[..., -WINDOW_FRAMES:]
        summary = torch.cat(
            [window.mean(dim=(2, 3)), window.amax(dim=(2, 3)), own, torch.logsumexp(classes, dim=2)], dim=1
        )
        return CnnOutput(self.window_head(self.dropout(summary)).squeeze(1), logits, first.squeeze(2))


def _twice(x: Tensor) -> Tensor:
    """Each frame twice in a row; shapes that ONNX sees as plain reshapes."""
    return torch.stack([x, x], dim=4).flatten(3)


class AutoencoderOutput(NamedTuple):
    """What the autoencoder says of N segments.

    Attributes
    ----------
    error : (N,), error of the worst stretch of the window, over the usual error in the context
    reconstruction : (N, WINDOW_SAMPLES), the judged lead's newest 5 s
    whole : (N, samples), the reconstruction of the whole segment; for training
    """

    error: Tensor
    reconstruction: Tensor
    whole: Tensor


class Autoencoder(nn.Module):
    """Reconstructs the judged lead through a bottleneck; trained on normal windows alone.

    Parameters
    ----------
    channels : width of the inner layers
    code : numbers that the bottleneck passes on for each 0.16 s
    """

    def __init__(self, *, channels: int = 32, code: int = 2) -> None:
        super().__init__()
        half = channels // 2

        def conv(given: int, made: int, width: int) -> nn.Conv2d:
            return nn.Conv2d(given, made, (1, width), padding=(0, width // 2))

        self.encoder = nn.ModuleList([conv(STRIDE, half, 5), conv(2 * half, channels, 5), conv(2 * channels, channels, 5)])
        self.code = conv(channels, code, 3)
        self.decoder = nn.ModuleList(
            [conv(code, channels, 5), conv(channels, 2 * channels, 5), conv(channels, 2 * half, 5), conv(half, STRIDE, 5)]
        )

    def forward(self, segments: Tensor) -> AutoencoderOutput:
        """Reconstruct segments (N, leads, samples)."""
        lead = segments[:, :1].unsqueeze(2)
        x = _patches(functional.pad(lead, (_AE_SAMPLES - MODEL_SAMPLES, 0)), STRIDE)
        x = x.contiguous(memory_format=torch.channels_last)
        x = _patches(functional.relu(self.encoder[0](x)), 2)
        x = _patches(functional.relu(self.encoder[1](x)), 2)
        code = self.code(functional.relu(self.encoder[2](x)))
        x = functional.relu(self.decoder[0](code))
        x = _unpatch(functional.relu(self.decoder[1](x)), 2)
        x = _unpatch(functional.relu(self.decoder[2](x)), 2)
        whole = _unpatch(self.decoder[3](x), STRIDE)[:, 0, 0, -MODEL_SAMPLES:].float()
        return AutoencoderOutput(window_error(segments[:, 0], whole), whole[:, -WINDOW_SAMPLES:], whole)


def window_error(lead: Tensor, whole: Tensor) -> Tensor:
    """The window's worst error over the context's mean error.

    An odd beat is short: the mean over five seconds would drown it. And some patients' beats are hard to reconstruct
    though normal: the error is seen against the patient's own.
    """
    square = (lead - whole).square()
    local = functional.avg_pool1d(square[:, None, -WINDOW_SAMPLES:], ERROR_SAMPLES, ERROR_SAMPLES // 4)[:, 0]
    known = (lead != 0).float()
    usual = ((square * known).sum(dim=1) + PRIOR_SAMPLES * PRIOR_ERROR) / (known.sum(dim=1) + PRIOR_SAMPLES)
    return local.amax(dim=1) / usual


def _unpatch(x: Tensor, size: int) -> Tensor:
    """The reverse of ``_patches``."""
    count, channels, _, length = x.shape
    folded = x.reshape(count, channels // size, size, length).permute(0, 1, 3, 2)
    return folded.reshape(count, channels // size, 1, length * size)
