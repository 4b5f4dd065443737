"""The manifest of the shipped models: what they are, what they expect, and how their outputs are read."""

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from detector.beat_features import NAMES
from ecg.errors import EcgStreamError
from ecg.leads import MODEL_LEADS
from ecg.segments import CONTEXT_S, MODEL_FS_HZ, MODEL_SAMPLES, PREPROCESSING_VERSION
from ecg.windows import HOP_S, WINDOW_S

MANIFEST = "manifest.json"
# That are read of each file.
OUTPUTS = {
    "cnn": ("window_logit", "beat_map"),
    "autoencoder": ("error", "reconstruction"),
    "beats": ("probabilities",),
}
Probability = Annotated[float, Field(ge=0, le=1)]


class ModelError(EcgStreamError):
    """The models cannot be used as they lie there."""


class MisfitError(ModelError):
    """A model does not fit, in one way or several.

    Parameters
    ----------
    path : of the file that does not fit
    misfits : of each, the value, the limit and the remedy
    """

    def __init__(self, path: Path, misfits: Sequence[str]) -> None:
        super().__init__(f"{path}: {'; '.join(misfits)}")
        self.misfits = tuple(misfits)


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class ModelFile(_Part):
    """One ONNX file. ``input_shape`` is without the batch axis; ``outputs`` maps names to shapes likewise."""

    file: str
    sha256: str
    version: str
    parameters: int
    input_name: str
    input_shape: tuple[int, ...]
    outputs: dict[str, tuple[int, ...]]


class BeatMap(_Part):
    """Reading of the CNN's beat map: (classes, frames) logits over the segment's newest ``seconds``.

    Frame ``j`` stands for the time span [j, j + 1) / frames_hz after the map's start.
    ``reject_below``: a QRS candidate whose beat probability stays below is dropped; ``add_above``: a peak of the
    map without a candidate becomes a beat from there on.
    """

    classes: tuple[str, ...]
    frames_hz: float
    seconds: float
    reject_below: Probability
    add_above: Probability


class BeatReading(_Part):
    """Reading of the trees' probabilities of a beat's class: the class of the highest ln(probability) + bias.

    ``biases`` are of the classes N, S, V, F.
    """

    biases: tuple[float, float, float, float] = (0.0, 0.0, 0.0, 0.0)


class Calibration(_Part):
    """Scores from outputs, all through the logistic function s(x) = 1 / (1 + exp(-x)).

    cnn = s(cnn_slope * logit + cnn_bias); autoencoder = s(autoencoder_slope * e + autoencoder_bias), where e is
    ln(error) less ``usual_share`` of how far the patient's usual ln(error) lies from ``usual_log_error``; fused = s(sum
    of each ``fused_`` weight times its evidence + fused_bias). Evidence: the arguments of s above, the highest log odds
    of a ventricular and of a supraventricular beat, and one minus the regularity of the rhythm.
    """

    cnn_slope: float
    cnn_bias: float
    usual_log_error: float
    usual_share: float
    autoencoder_slope: float
    autoencoder_bias: float
    fused_cnn: float
    fused_autoencoder: float
    fused_ventricular: float
    fused_supraventricular: float
    fused_irregularity: float
    fused_bias: float


class Thresholds(_Part):
    """A window is abnormal from its score's threshold on."""

    cnn: Probability
    autoencoder: Probability
    fused: Probability


class Manifest(_Part):
    """``models/manifest.json``.

    Of the shipped kind, all is there. A window model of one's own (``detector.own_model``) may lack the autoencoder,
    the trees and the beat map: what is missing is left out of the verdict.
    """

    schema_version: Literal[3] = 3
    preprocessing_version: str
    fs_hz: float
    context_s: int
    window_s: int = WINDOW_S
    hop_s: int = HOP_S  # that the thresholds were chosen at; a detector may hop less far
    leads: int
    cnn: ModelFile
    autoencoder: ModelFile | None = None
    beats: ModelFile | None = None
    beat_map: BeatMap | None = None
    beat_reading: BeatReading = BeatReading()
    calibration: Calibration
    thresholds: Thresholds
    data: dict[str, Any]
    seed: int
    figures: dict[str, Any]

    @property
    def versions(self) -> dict[str, str]:
        """The models' versions, as verdicts carry them."""
        files = {"cnn": self.cnn, "autoencoder": self.autoencoder, "beats": self.beats}
        return {name: file.version for name, file in files.items() if file is not None}


class ShippedManifest(Manifest):
    """The manifest of networks and trees as `ecgstream export` writes them: nothing may be missing."""

    autoencoder: ModelFile
    beats: ModelFile
    beat_map: BeatMap
    beat_reading: BeatReading


def load_manifest(directory: Path) -> ShippedManifest:
    """Read the manifest of a directory that `ecgstream export` filled, and check its files against it.

    Raises
    ------
    ModelError : when a file is missing or damaged, or the models expect another preprocessing than this program's
    """
    path = directory / MANIFEST
    try:
        manifest = ShippedManifest.model_validate_json(path.read_bytes())
    except FileNotFoundError as error:
        raise ModelError(f"{path} is not there: name a directory that `ecgstream export` filled") from error
    except (ValidationError, json.JSONDecodeError) as error:
        raise ModelError(f"{path} is no manifest of version 3: {error}") from error
    expected = (PREPROCESSING_VERSION, MODEL_FS_HZ, CONTEXT_S, WINDOW_S, HOP_S, MODEL_LEADS)
    found = (
        manifest.preprocessing_version,
        manifest.fs_hz,
        manifest.context_s,
        manifest.window_s,
        manifest.hop_s,
        manifest.leads,
    )
    if found != expected:
        raise ModelError(
            f"{path}: the models expect preprocessing {found} (version, Hz, context s, window s, hop s, leads), this "
            f"program does {expected}: export the models anew"
        )
    for name, model in (("cnn", manifest.cnn), ("autoencoder", manifest.autoencoder), ("beats", manifest.beats)):
        if missing := [each for each in OUTPUTS[name] if each not in model.outputs]:
            raise ModelError(
                f"{path}: the outputs of {model.file} are {', '.join(model.outputs) or 'none'}, "
                f"{' and '.join(missing)} must be among them: export the models anew, or describe a model of "
                "your own as docs/own-model.md does"
            )
    for model in (manifest.cnn, manifest.autoencoder):
        check_file(directory / model.file, model, (MODEL_LEADS, MODEL_SAMPLES))
    check_file(directory / manifest.beats.file, manifest.beats, (len(NAMES),))
    return manifest


def check_file(path: Path, model: ModelFile, input_shape: tuple[int, ...]) -> None:
    """Hold a model's file against what its manifest says of it, and that against what this program gives.

    Raises
    ------
    ModelError : when the file is missing, damaged or another, or takes another shape
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise ModelError(f"{path} cannot be read ({error.strerror}): restore it, or export the models anew") from error
    digest = hashlib.sha256(content).hexdigest()
    if digest != model.sha256:
        raise ModelError(
            f"{path} ({len(content)} bytes) has SHA-256 {digest[:12]}..., the manifest says {model.sha256[:12]}...: "
            "the file is damaged or not the one that was measured; restore it, or export the models anew"
        )
    if model.input_shape != input_shape:
        raise ModelError(
            f"{path} takes input of shape {model.input_shape}, this program gives {input_shape}: export the models anew"
        )
