"""Heads that turn a sequence of states into the CNN's outputs, so that other networks learn and are read as it is."""

import torch
from torch import Tensor, nn

from ecg.segments import MODEL_SAMPLES
from training.data import CLASSES, FRAMES
from training.networks import MAP_FRAMES, STRIDE, WINDOW_FRAMES, CnnOutput


class MapHead(nn.Module):
    """States (N, states, channels) to class logits (N, classes, FRAMES) over the whole segment.

    Parameters
    ----------
    channels : width of a state
    state_samples : how much of the segment a state stands for; the first may begin before the segment
    """

    def __init__(self, channels: int, *, state_samples: int) -> None:
        super().__init__()
        self._frames = state_samples // STRIDE
        self.linear = nn.Linear(channels, self._frames * len(CLASSES))

    def forward(self, states: Tensor) -> Tensor:
        """The logits of each frame; several frames for each state."""
        frames = self.linear(states).reshape(states.shape[0], states.shape[1] * self._frames, len(CLASSES))
        logits: Tensor = frames.transpose(1, 2)[:, :, -FRAMES:]
        return logits


class WindowHead(nn.Module):
    """States and the beat map of a segment to one logit for its window.

    Parameters
    ----------
    channels : width of a state
    state_samples : how much of the segment a state stands for
    dropout : share left out in training
    """

    def __init__(self, channels: int, *, state_samples: int, dropout: float) -> None:
        super().__init__()
        self._states = -(-WINDOW_FRAMES * STRIDE // state_samples)
        self.layers = nn.Sequential(
            nn.Dropout(dropout), nn.Linear(3 * channels + len(CLASSES), channels), nn.ReLU(), nn.Linear(channels, 1)
        )

    def forward(self, states: Tensor, logits: Tensor) -> Tensor:
        """(N,) logits from the newest states beside the mean of all, and the newest frames of the map."""
        window = states[:, -self._states :]
        newest = torch.logsumexp(logits[:, :, -WINDOW_FRAMES:], dim=2)
        summary = torch.cat([window.mean(dim=1), window.amax(dim=1), states.mean(dim=1), newest], dim=1)
        logit: Tensor = self.layers(summary).squeeze(1)
        return logit


def states_in(state_samples: int) -> int:
    """Return how many states of this length cover a segment."""
    return -(-MODEL_SAMPLES // state_samples)


def as_cnn_output(window_logit: Tensor, logits: Tensor, first: Tensor) -> CnnOutput:
    """The outputs in the form of the CNN's: its beat map covers the newest seconds alone."""
    return CnnOutput(window_logit, logits[:, :, -MAP_FRAMES:], first)
