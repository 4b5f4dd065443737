"""A dense network that judges one beat at a time, to compare with those that see the rhythm around it."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn
from torch.nn import functional

from ecg.beats import find_beats
from ecg.leads import MODEL_LEADS
from ecg.records import Float32Array
from ecg.segments import MODEL_FS_HZ, MODEL_SAMPLES, WINDOW_SAMPLES
from training.augment import Batch
from training.data import CLASSES, UNKNOWN
from training.fit import CLASS_WEIGHT
from training.networks import STRIDE

BEAT_CLASSES = CLASSES[1:]
BEFORE_S, AFTER_S = 0.25, 0.45  # P wave and QRS complex before and around the R peak, most of the T wave behind it
BEFORE, AFTER = round(BEFORE_S * MODEL_FS_HZ), round(AFTER_S * MODEL_FS_HZ)
INTERVALS = 2  # RR before and after
MAX_INTERVAL = 3.0  # of the mean RR interval: a longer pause is as odd
FEATURES = MODEL_LEADS * (BEFORE + AFTER) + INTERVALS
MATCH_FRAMES = 3  # a found beat has the class of an annotated one up to 0.12 s away
NO_BEAT_LOGIT = -12.0  # a window without a beat found: nothing in it was judged abnormal
_NEAREST_FIRST = tuple(sorted(range(-MATCH_FRAMES, MATCH_FRAMES + 1), key=abs))


@dataclass(frozen=True, slots=True, kw_only=True)
class Beats:
    """The beats found in the windows of N segments.

    Attributes
    ----------
    segment : (beats,) int64, in which segment a beat lies
    position : (beats,) int64, its R peak as a sample of the segment
    features : (beats, FEATURES) float32: both leads around the R peak, then RR before and after it over the
        segment's mean RR, less one; 0 where there is no beat before or after it
    """

    segment: npt.NDArray[np.int64]
    position: npt.NDArray[np.int64]
    features: Float32Array


def beats_in(segments: Float32Array) -> Beats:
    """Find the beats of each segment's newest 5 s on its judged lead, as the detector does, and cut them out.

    Parameters
    ----------
    segments : (N, leads, samples) float32, prepared
    """
    numbers, positions, intervals = [], [], []
    for number, lead in enumerate(segments[:, 0]):
        start = int((lead != 0).argmax())
        found = find_beats(lead[start:], MODEL_FS_HZ) + start
        rr = np.diff(found)
        relative = np.clip(rr / rr.mean(), 0, MAX_INTERVAL) - 1 if len(rr) else np.zeros(0)
        around = np.stack([np.append(0.0, relative), np.append(relative, 0.0)], axis=1)[: len(found)]
        newest = found >= MODEL_SAMPLES - WINDOW_SAMPLES
        numbers.append(np.full(int(newest.sum()), number))
        positions.append(found[newest])
        intervals.append(around[newest])
    segment = np.concatenate([*numbers, np.zeros(0, np.int64)])
    position = np.concatenate([*positions, np.zeros(0, np.int64)])
    # The last beat may not be over yet: what is to come is zero.
    padded = np.pad(segments, ((0, 0), (0, 0), (0, AFTER)))
    place = position[:, None] + np.arange(-BEFORE, AFTER)
    cut = padded[segment[:, None, None], np.arange(MODEL_LEADS)[:, None], place[:, None]]
    rows = np.concatenate([*intervals, np.zeros((0, INTERVALS))])
    features = np.concatenate([cut.reshape(len(position), MODEL_LEADS * (BEFORE + AFTER)), rows], axis=1)
    return Beats(segment=segment, position=position, features=features.astype(np.float32))


def classes_of(beats: Beats, frames: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """The class of each found beat, an index into ``BEAT_CLASSES``, or ``UNKNOWN`` where none is annotated.

    Parameters
    ----------
    beats : from ``beats_in``
    frames : (N, FRAMES), index into ``CLASSES`` or ``UNKNOWN``
    """
    last = frames.shape[1] - 1
    classes = np.zeros(len(beats.position), np.int64)
    for offset in _NEAREST_FIRST:
        there = frames[beats.segment, np.clip(beats.position // STRIDE + offset, 0, last)]
        classes = np.where(classes == 0, there, classes)
    return np.where((classes == 0) | (classes == UNKNOWN), UNKNOWN, classes - 1)


class BeatDense(nn.Module):
    """Three dense layers on one beat: (N, FEATURES) to (N, classes) logits.

    Parameters
    ----------
    hidden : width of the first layer; the second has half of it
    dropout : share left out in training
    """

    def __init__(self, *, hidden: int = 128, dropout: float = 0.2) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Linear(FEATURES, hidden),
            nn.ReLU(),
            nn.Dropout(dropout),
            nn.Linear(hidden, hidden // 2),
            nn.ReLU(),
            nn.Dropout(dropout),
            nn.Linear(hidden // 2, len(BEAT_CLASSES)),
        )

    def forward(self, beats: Tensor) -> Tensor:
        """Judge beats."""
        logits: Tensor = self.layers(beats)
        return logits


def beats_loss(network: nn.Module, batch: Batch) -> Tensor:
    """Cross-entropy of the beats found in a batch of segments; rare classes count more, as in the CNN's map."""
    beats = beats_in(batch.inputs.numpy())
    classes = torch.from_numpy(classes_of(beats, batch.frames.numpy()))
    logits = network(torch.from_numpy(beats.features)).float()
    weight = torch.tensor([CLASS_WEIGHT[letter] for letter in BEAT_CLASSES])
    counted = weight[classes.clamp(max=len(BEAT_CLASSES) - 1)] * (classes != UNKNOWN)
    each = functional.cross_entropy(logits, classes, ignore_index=UNKNOWN, reduction="none")
    # A batch without a known beat costs nothing, instead of a division by zero.
    return (each * counted).sum() / counted.sum().clamp(min=1.0)


def predict_beats(network: nn.Module, inputs: npt.NDArray[np.float16], *, batch: int = 256) -> Float32Array:
    """Window logits (n,) of prepared segments: of the beat in the window that is most surely not normal."""
    network.eval()
    logits = []
    with torch.inference_mode():
        for start in range(0, len(inputs), batch):
            beats = beats_in(inputs[start : start + batch].astype(np.float32))
            of_beat = network(torch.from_numpy(beats.features))
            abnormal = (torch.logsumexp(of_beat[:, 1:], dim=1) - of_beat[:, 0]).numpy()
            windows = np.full(len(inputs[start : start + batch]), NO_BEAT_LOGIT, np.float32)
            np.maximum.at(windows, beats.segment, abnormal)
            logits.append(windows)
    return np.concatenate(logits)
