"""The family of networks on single beats of ECG5000: four classifiers, an autoencoder, and their averages."""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from detector.single_beats import BEAT_SAMPLES
from training.ecg5000.data import CLASSES

PATCH = 7  # samples that the LSTM and the attention network take in at once: 20 steps a beat
PATCHES = BEAT_SAMPLES // PATCH


class BeatCnn(nn.Module):
    """Convolutions at ever lower rates; mean and maximum over time decide.

    Parameters
    ----------
    channels : width of the first layer; the last has twice as many
    """

    def __init__(self, *, channels: int = 12) -> None:
        super().__init__()
        wide = 2 * channels
        self.layers = nn.Sequential(
            nn.Conv1d(1, channels, 9, stride=2, padding=4, bias=False),
            nn.BatchNorm1d(channels),
            nn.ReLU(),
            nn.Conv1d(channels, wide, 5, stride=2, padding=2, bias=False),
            nn.BatchNorm1d(wide),
            nn.ReLU(),
            nn.Conv1d(wide, wide, 3, stride=2, padding=1, bias=False),
            nn.BatchNorm1d(wide),
            nn.ReLU(),
        )
        self.places = nn.AdaptiveAvgPool1d(6)  # where in the beat something is tells as much as what it is
        self.dropout = nn.Dropout(0.2)
        self.head = nn.Linear(wide * 7, len(CLASSES))

    def forward(self, beats: Tensor) -> Tensor:
        """(N, BEAT_SAMPLES) to (N, classes) logits."""
        found = self.layers(beats[:, None])
        summary = torch.cat([self.places(found).flatten(1), found.amax(dim=2)], dim=1)
        logits: Tensor = self.head(self.dropout(summary))
        return logits


class BeatLstm(nn.Module):
    """A recurrent network over the beat in steps of ``PATCH`` samples."""

    def __init__(self, *, width: int = 32) -> None:
        super().__init__()
        self.lstm = nn.LSTM(PATCH, width, batch_first=True, bidirectional=True)
        self.dropout = nn.Dropout(0.2)
        self.head = nn.Linear(4 * width, len(CLASSES))

    def forward(self, beats: Tensor) -> Tensor:
        """(N, BEAT_SAMPLES) to (N, classes) logits."""
        steps, _ = self.lstm(beats.reshape(-1, PATCHES, PATCH))
        logits: Tensor = self.head(self.dropout(torch.cat([steps.mean(dim=1), steps.amax(dim=1)], dim=1)))
        return logits


class BeatDense(nn.Module):
    """Every sample against every other, two hidden layers."""

    def __init__(self, *, width: int = 48) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Linear(BEAT_SAMPLES, width),
            nn.ReLU(),
            nn.Dropout(0.2),
            nn.Linear(width, width),
            nn.ReLU(),
            nn.Dropout(0.2),
            nn.Linear(width, len(CLASSES)),
        )

    def forward(self, beats: Tensor) -> Tensor:
        """(N, BEAT_SAMPLES) to (N, classes) logits."""
        logits: Tensor = self.layers(beats)
        return logits


class BeatAttention(nn.Module):
    """A transformer encoder over pieces of the beat, each with its place."""

    def __init__(self, *, width: int = 32, layers: int = 1) -> None:
        super().__init__()
        self.embed = nn.Linear(PATCH, width)
        self.place = nn.Parameter(torch.randn(PATCHES, width) * 0.1)
        layer = nn.TransformerEncoderLayer(width, 4, 2 * width, dropout=0.1, batch_first=True, norm_first=True)
        self.layers = nn.TransformerEncoder(layer, layers, enable_nested_tensor=False)
        self.head = nn.Linear(2 * width, len(CLASSES))

    def forward(self, beats: Tensor) -> Tensor:
        """(N, BEAT_SAMPLES) to (N, classes) logits."""
        tokens = self.layers(self.embed(beats.reshape(-1, PATCHES, PATCH)) + self.place)
        logits: Tensor = self.head(torch.cat([tokens.mean(dim=1), tokens.amax(dim=1)], dim=1))
        return logits


class BeatAutoencoderOutput(NamedTuple):
    """Outputs of the autoencoder on N beats.

    Attributes
    ----------
    error : (N,), mean square of the difference, sample by sample in units of the normal beats' own
    reconstruction : (N, BEAT_SAMPLES)
    """

    error: Tensor
    reconstruction: Tensor


class BeatAutoencoder(nn.Module):
    """A dense autoencoder with a narrow middle, for normal beats alone.

    Where normal beats vary much, a difference says little: each sample's is divided by what is usual there.
    """

    usual: Tensor

    def __init__(self, *, width: int = 32, middle: int = 8) -> None:
        super().__init__()
        self.encoder = nn.Sequential(nn.Linear(BEAT_SAMPLES, width), nn.ReLU(), nn.Linear(width, middle))
        self.decoder = nn.Sequential(nn.Linear(middle, width), nn.ReLU(), nn.Linear(width, BEAT_SAMPLES))
        self.register_buffer("usual", torch.ones(BEAT_SAMPLES))  # mean square difference of normal beats

    def reconstruct(self, beats: Tensor) -> Tensor:
        """(N, BEAT_SAMPLES), out of the narrow middle."""
        reconstruction: Tensor = self.decoder(self.encoder(beats))
        return reconstruction

    def forward(self, beats: Tensor) -> BeatAutoencoderOutput:
        """Reconstruct (N, BEAT_SAMPLES) and say how far that is off."""
        reconstruction = self.reconstruct(beats)
        return BeatAutoencoderOutput(((beats - reconstruction).square() / self.usual).mean(dim=1), reconstruction)


class MeanClassifier(nn.Module):
    """The mean of several classifiers' logits, as one network."""

    def __init__(self, members: Sequence[nn.Module]) -> None:
        super().__init__()
        self.members = nn.ModuleList(members)

    def forward(self, beats: Tensor) -> Tensor:
        """(N, BEAT_SAMPLES) to (N, classes) logits."""
        return torch.stack([functional.log_softmax(member(beats), dim=1) for member in self.members]).mean(dim=0)


class MeanAutoencoder(nn.Module):
    """The mean of several autoencoders' errors and reconstructions, as one network."""

    def __init__(self, members: Sequence[nn.Module]) -> None:
        super().__init__()
        self.members = nn.ModuleList(members)

    def forward(self, beats: Tensor) -> BeatAutoencoderOutput:
        """Mean error and mean reconstruction of (N, BEAT_SAMPLES)."""
        outputs = [member(beats) for member in self.members]
        return BeatAutoencoderOutput(
            torch.stack([output.error for output in outputs]).mean(dim=0),
            torch.stack([output.reconstruction for output in outputs]).mean(dim=0),
        )


CLASSIFIERS: dict[str, type[nn.Module]] = {
    "cnn": BeatCnn,
    "lstm": BeatLstm,
    "dense": BeatDense,
    "attention": BeatAttention,
}
