"""A check of models before they judge anybody: their fit, their scores in any batch, their speed."""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import numpy as np
import numpy.typing as npt

from detector.manifest import Manifest, MisfitError, ModelError
from detector.networks import NetworkOutputs, Networks
from detector.scorer import log_of, open_networks
from ecg.leads import MODEL_LEADS, choose_leads
from ecg.records import MISSING, Float32Array
from ecg.segments import MODEL_FS_HZ, MODEL_SAMPLES, Preprocessing, prepare_segments, segment_samples
from ecg.wfdb_files import toy_record
from ecg.windows import WINDOW_S

MOST_DIFFERENCE = 1e-6  # of a probability, in another batch or with another order of summation
BATCHES = (1, 64)
ROUNDS = 15  # the median of so many is timed
ODD_BATCH = 7
SEED = 0

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelCheck:
    """Outcome of a check.

    Attributes
    ----------
    directory : of the models
    versions : of the models; empty where they cannot be read
    misfits : what does not fit, each with its value, limit and remedy; none where the models can be used
    windows : how many they were run on, of a recording and made ones
    ms_per_window : by size of the batch, on one thread of this machine
    differences : largest difference of a probability, by what was changed: ``batch``, ``order``, ``optimisation`` of
        the graph, ``threads``
    """

    directory: Path
    versions: dict[str, str]
    misfits: tuple[str, ...]
    windows: int = 0
    ms_per_window: dict[int, float]
    differences: dict[str, float]


def check_models(directory: Path) -> ModelCheck:
    """Load models, run them on windows of a recording and made ones, and measure.

    The differences are those that this machine can show. Another processor sums in another order, as onnxruntime does
    without its optimisations; a proof for it is this check run there.

    Parameters
    ----------
    directory : of the models
    """
    try:
        manifest, networks = open_networks(directory, 1)
        others = {
            "optimisation": open_networks(directory, 1, optimised=False)[1],
            "threads": open_networks(directory, 2)[1],
        }
        segments = trial_segments()
        found = networks.run(segments)
        together = probabilities(found, manifest)
        differences = {
            "batch": _largest(together, _in_parts(networks, segments, manifest, 1)),
            "order": _largest(together, _in_parts(networks, segments[::-1], manifest, ODD_BATCH)[::-1]),
        } | {name: _largest(together, probabilities(other.run(segments), manifest)) for name, other in others.items()}
    except ModelError as error:
        misfits = error.misfits if isinstance(error, MisfitError) else (str(error),)
        return ModelCheck(directory=directory, versions={}, misfits=misfits, ms_per_window={}, differences={})
    return ModelCheck(
        directory=directory,
        versions=manifest.versions,
        misfits=(*_unscored(found), *_too_different(differences)),
        windows=len(segments),
        ms_per_window={batch: _ms(networks, segments, batch) for batch in BATCHES},
        differences=differences,
    )


def _unscored(found: NetworkOutputs) -> Iterator[str]:
    if failed := int(np.isnan(found.logits).sum()):
        yield (
            f"an output is not a number for {failed} of {len(found.logits)} windows, it must be one for all: divide by "
            "no spread that may be 0, and export the model anew"
        )


def trial_segments() -> Float32Array:
    """Segments to try models on, (64, MODEL_LEADS, MODEL_SAMPLES) float32: of the excerpt that ships, and made ones.

    The made ones are flat, a step, spikes at the limit, a sine, and noise.
    """
    record = toy_record()
    columns, length = choose_leads(record.leads), segment_samples(record.fs_hz)
    padded = np.concatenate([np.full((length, len(record.leads)), MISSING, np.int16), record.samples[:]])
    ends = range(length, len(padded) + 1, round(WINDOW_S * record.fs_hz))
    prepared = prepare_segments(
        np.stack([padded[end - length : end, columns] for end in ends]),
        fs_hz=record.fs_hz,
        gain=[record.gain[column] for column in columns],
        baseline=[record.baseline[column] for column in columns],
        settings=Preprocessing(),
    )
    recorded = prepared.inputs[prepared.usable]
    t_s = np.arange(MODEL_SAMPLES) / MODEL_FS_HZ
    step, spikes = np.where(t_s < t_s[-1] / 2, -1.0, 1.0), np.where(np.arange(MODEL_SAMPLES) % 80 == 0, 8.0, 0.0)
    made = np.stack([np.zeros_like(t_s), step, spikes, np.sin(2 * np.pi * 1.2 * t_s)])
    made = np.repeat(made[:, np.newaxis], MODEL_LEADS, axis=1)
    count = BATCHES[-1] - len(made) - min(len(recorded), BATCHES[-1] // 2)
    noise = np.clip(np.random.default_rng(SEED).normal(size=(count, MODEL_LEADS, MODEL_SAMPLES)), -8, 8)
    return np.concatenate([recorded[: BATCHES[-1] // 2], made, noise]).astype(np.float32)


def probabilities(found: NetworkOutputs, manifest: Manifest) -> Floats:
    """Everything that models say of N windows as probabilities, (N, values); of an error, its logarithm.

    Logits are not compared: far from 0 they may differ by more than what is left of it in a probability.
    """
    by = manifest.calibration
    columns = [_logistic(by.cnn_slope * found.logits.astype(np.float64) + by.cnn_bias)[:, np.newaxis]]
    if found.beat_maps is not None:
        maps = found.beat_maps.astype(np.float64)
        powers = np.exp(maps - maps.max(axis=1, keepdims=True))
        columns.append((powers / powers.sum(axis=1, keepdims=True)).reshape(len(maps), -1))
    if found.errors is not None:
        columns.append(_logistic(by.autoencoder_slope * log_of(found.errors) + by.autoencoder_bias)[:, np.newaxis])
    return np.concatenate(columns, axis=1)


def _in_parts(networks: Networks, segments: Float32Array, manifest: Manifest, batch: int) -> Floats:
    parts = [segments[first : first + batch] for first in range(0, len(segments), batch)]
    return np.concatenate([probabilities(networks.run(part), manifest) for part in parts])


def _largest(one: Floats, other: Floats) -> float:
    return float(np.nan_to_num(np.abs(one - other)).max())  # where there is no number there is no difference


def _too_different(differences: dict[str, float]) -> Iterator[str]:
    mixes = "take out what mixes the windows of a batch: batch normalisation in training mode, a softmax over axis 0"
    rounds = "keep values near 1 (normalise between layers), and export in float32"
    remedies = {"batch": mixes, "order": mixes, "optimisation": rounds, "threads": rounds}
    for name, difference in differences.items():
        if not difference <= MOST_DIFFERENCE:
            yield (
                f"with another {name}, a probability differs by {difference:.2g}, it may by {MOST_DIFFERENCE:g}: "
                f"{remedies[name]}"
            )


def _ms(networks: Networks, segments: Float32Array, batch: int) -> float:
    def once() -> None:
        networks.run(segments[:batch])

    return round(1000 * _median_s(once) / batch, 4)


def _median_s(work: Callable[[], None]) -> float:
    work()
    times_s = []
    for _ in range(ROUNDS):
        began_s = time.perf_counter()
        work()
        times_s.append(time.perf_counter() - began_s)
    return median(times_s)


def _logistic(odds: Floats) -> Floats:
    return np.asarray(1 / (1 + np.exp(-odds)))
