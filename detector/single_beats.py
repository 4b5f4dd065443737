"""Single beats of fixed length, as ECG5000 has them: the models of ``models/ecg5000``, loaded, checked and run.

They learned from one patient: a figure on them says nothing about a new one.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from detector.manifest import MANIFEST, ModelError, ModelFile, Probability, check_file
from detector.sessions import open_session
from ecg.errors import EcgStreamError
from ecg.records import Float32Array

BEAT_SAMPLES = 140  # one beat, stretched to this length by ECG5000's publisher
NORMAL = 0  # the class's number
CNN_OUTPUTS: dict[str, tuple[int, ...]] = {"logits": (5,)}
AUTOENCODER_OUTPUTS: dict[str, tuple[int, ...]] = {"error": (), "reconstruction": (BEAT_SAMPLES,)}
SMALLEST_ERROR = 1e-9  # before the logarithm
_FLAT = 1e-6  # a beat whose standard deviation is below, in its own unit, is a flat line
_MAX_BATCH = 256

Floats = npt.NDArray[np.float64]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class BeatCalibration(_Part):
    """Probabilities from outputs; s(x) = 1 / (1 + exp(-x)).

    class probabilities = softmax(logits / temperature); z = ln((1 - p) / p) with p the probability of normal;
    cnn = s(cnn_slope * z + cnn_bias); autoencoder = s(autoencoder_slope * ln(error) + autoencoder_bias);
    combined = s(combined_cnn * z + combined_autoencoder * ln(error) + combined_bias).
    """

    temperature: Annotated[float, Field(gt=0)]
    cnn_slope: float
    cnn_bias: float
    autoencoder_slope: float
    autoencoder_bias: float
    combined_cnn: float
    combined_autoencoder: float
    combined_bias: float


class BeatThresholds(_Part):
    """A beat is abnormal from there on: two probabilities, and a reconstruction error."""

    cnn: Probability
    combined: Probability
    autoencoder_error: Annotated[float, Field(gt=0)]


class BeatManifest(_Part):
    """``models/ecg5000/manifest.json``."""

    schema_version: Literal[1] = 1
    beat_samples: Literal[140] = 140
    classes: Annotated[tuple[str, ...], Field(min_length=5, max_length=5)]
    cnn: ModelFile
    autoencoder: ModelFile
    calibration: BeatCalibration
    thresholds: BeatThresholds
    data: dict[str, Any]
    settings: dict[str, Any]
    seed: int
    figures: dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class BeatScores:
    """Outputs of the models on N beats.

    Attributes
    ----------
    classes : (N,) int64, index into the manifest's classes; 0 is normal
    class_probabilities : (N, 5), calibrated
    error : (N,), the autoencoder's reconstruction error in units of a normal training beat's error
    autoencoder_abnormal : (N,) bool, by the error alone
    cnn, autoencoder : (N,), probability of an abnormal beat by one network alone
    abnormal_score : (N,), probability of an abnormal beat by both
    abnormal : (N,) bool, the decision: by both
    """

    classes: npt.NDArray[np.int64]
    class_probabilities: Floats
    error: Floats
    autoencoder_abnormal: npt.NDArray[np.bool_]
    cnn: Floats
    autoencoder: Floats
    abnormal_score: Floats
    abnormal: npt.NDArray[np.bool_]


class SingleBeatScorer:
    """The two models of single beats, loaded and checked.

    Parameters
    ----------
    directory : where the ONNX files and their manifest lie
    threads : threads of one inference

    Raises
    ------
    ModelError : when a file is missing, damaged, or does not fit its manifest
    """

    def __init__(self, directory: Path, *, threads: int = 1) -> None:
        self.manifest = load_beat_manifest(directory)
        self._cnn = open_session(directory, self.manifest.cnn, threads)
        self._autoencoder = open_session(directory, self.manifest.autoencoder, threads)

    @property
    def versions(self) -> dict[str, str]:
        """The models' versions."""
        return {"cnn": self.manifest.cnn.version, "autoencoder": self.manifest.autoencoder.version}

    def score(self, beats: Float32Array) -> BeatScores:
        """Judge beats.

        Parameters
        ----------
        beats : (N, BEAT_SAMPLES) float32, any unit; N may be 0

        Raises
        ------
        EcgStreamError : when the shape is another, a sample is missing, or a beat is a flat line
        """
        inputs = normalised(beats)
        logits, error = np.zeros((len(inputs), 5), np.float32), np.zeros(len(inputs), np.float32)
        for start in range(0, len(inputs), _MAX_BATCH):
            part = slice(start, start + _MAX_BATCH)
            (logits[part],) = self._cnn.run(["logits"], {self.manifest.cnn.input_name: inputs[part]})
            (error[part],) = self._autoencoder.run(["error"], {self.manifest.autoencoder.input_name: inputs[part]})
        return scores_of(logits, error, self.manifest.calibration, self.manifest.thresholds)


def normalised(beats: Float32Array) -> Float32Array:
    """Each beat with mean 0 and standard deviation 1, as ECG5000 is published.

    Raises
    ------
    EcgStreamError : when the shape is not (N, BEAT_SAMPLES), a sample is missing, or a beat is a flat line
    """
    if beats.ndim != 2 or beats.shape[1] != BEAT_SAMPLES:
        raise EcgStreamError(f"the beats have the shape {beats.shape}: give one a row, of {BEAT_SAMPLES} samples each")
    values = beats.astype(np.float64)
    missing = np.flatnonzero(~np.isfinite(values).all(axis=1))
    if len(missing):
        raise EcgStreamError(f"beat {missing[0]} (of {len(beats)}, from 0) has a missing sample: leave it out")
    centred = values - values.mean(axis=1, keepdims=True)
    spread = centred.std(axis=1, ddof=1, keepdims=True)
    flat = np.flatnonzero(spread < _FLAT)
    if len(flat):
        raise EcgStreamError(f"beat {flat[0]} (of {len(beats)}, from 0) is a flat line: there is no beat to judge")
    return np.asarray(centred / spread, np.float32)


def scores_of(
    logits: Float32Array, error: Float32Array, calibration: BeatCalibration, thresholds: BeatThresholds
) -> BeatScores:
    """Outputs of both networks to probabilities and decisions."""
    probabilities = softmax(logits.astype(np.float64) / calibration.temperature)
    z = abnormal_log_odds(probabilities)
    log_error = np.log(np.maximum(error.astype(np.float64), SMALLEST_ERROR))
    cnn = logistic(calibration.cnn_slope * z + calibration.cnn_bias)
    combined = logistic(
        calibration.combined_cnn * z + calibration.combined_autoencoder * log_error + calibration.combined_bias
    )
    return BeatScores(
        classes=probabilities.argmax(axis=1),
        class_probabilities=probabilities,
        error=error.astype(np.float64),
        autoencoder_abnormal=error >= thresholds.autoencoder_error,
        cnn=cnn,
        autoencoder=logistic(calibration.autoencoder_slope * log_error + calibration.autoencoder_bias),
        abnormal_score=combined,
        abnormal=combined >= thresholds.combined,
    )


def softmax(logits: Floats) -> Floats:
    """(N, classes) logits to probabilities."""
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    return np.asarray(powers / powers.sum(axis=1, keepdims=True))


def abnormal_log_odds(probabilities: Floats) -> Floats:
    """(N,), ln of abnormal against normal; bounded, for nothing is certain."""
    normal = np.clip(probabilities[:, NORMAL], 1e-7, 1 - 1e-7)
    return np.asarray(np.log((1 - normal) / normal))


def logistic(z: Floats) -> Floats:
    """1 / (1 + exp(-z))."""
    return np.asarray(1 / (1 + np.exp(-np.clip(z, -60, 60))))


def load_beat_manifest(directory: Path) -> BeatManifest:
    """Read the manifest and check the files against it.

    Raises
    ------
    ModelError : when a file is missing or damaged, or of another shape than this program gives and reads
    """
    path = directory / MANIFEST
    try:
        manifest = BeatManifest.model_validate_json(path.read_bytes())
    except OSError as error:
        raise ModelError(f"{path} cannot be read ({error.strerror}): run `ecgstream train-ecg5000 DIR`") from error
    except ValidationError as error:
        raise ModelError(f"{path} is no manifest of single-beat models, version 1: {error}") from error
    for model, outputs in ((manifest.cnn, CNN_OUTPUTS), (manifest.autoencoder, AUTOENCODER_OUTPUTS)):
        if model.outputs != outputs:
            raise ModelError(
                f"{path}: {model.file} gives {model.outputs}, this program knows {outputs}: export the models anew"
            )
        check_file(directory / model.file, model, (BEAT_SAMPLES,))
    return manifest
