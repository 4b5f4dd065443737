"""Parts of a window that carried its verdict, by what the networks have computed anyway: cheap enough for all."""

from dataclasses import dataclass

import numpy as np

from detector.manifest import BeatMap
from ecg.records import Float32Array
from ecg.segments import WINDOW_SAMPLES
from ecg.windows import WINDOW_S

PART_S = 0.2  # a QRS complex with its flanks; a P or T wave is not much longer
PARTS = round(WINDOW_S / PART_S)
PART_SAMPLES = WINDOW_SAMPLES // PARTS
ABNORMAL = ("S", "V", "F")


@dataclass(frozen=True, slots=True, kw_only=True)
class PartEvidence:
    """Evidence of the networks' outputs by parts of N windows.

    Attributes
    ----------
    beats : (N, PARTS) float32, the highest probability of a supraventricular, ventricular or fusion beat in the part
    shape : (N, PARTS) float32, the mean square of what the autoencoder fails to redraw of the judged lead
    """

    beats: Float32Array
    shape: Float32Array


def part_evidence(
    beat_maps: Float32Array, inputs: Float32Array, reconstructions: Float32Array, settings: BeatMap
) -> PartEvidence:
    """The cheap map: what the networks have computed anyway, by parts of the window.

    Parameters
    ----------
    beat_maps : (N, classes, frames) float32, the CNN's logits
    inputs : (N, leads, MODEL_SAMPLES) float32, what the networks were given, the judged lead first
    reconstructions : (N, WINDOW_SAMPLES) float32, the autoencoder's
    settings : how the beat map is read
    """
    count = len(beat_maps)
    frames = round(WINDOW_S * settings.frames_hz)
    maps = beat_maps[:, :, -frames:]
    # The sum of a softmax over some classes, as a logistic of their odds: half the exponentials, and none overflows.
    top = maps.max(axis=1, keepdims=True)
    odds = np.exp(maps - top)
    abnormal = [settings.classes.index(name) for name in ABNORMAL]
    probability = odds[:, abnormal].sum(axis=1) / odds.sum(axis=1)
    edges = np.arange(PARTS) * frames // PARTS
    difference = inputs[:, 0, -WINDOW_SAMPLES:] - reconstructions
    squares = np.square(difference).reshape(count, PARTS, PART_SAMPLES)
    return PartEvidence(
        beats=np.maximum.reduceat(probability, edges, axis=1).astype(np.float32, copy=False),
        shape=squares.mean(axis=2, dtype=np.float32),
    )
