"""The manifest of a window model of one's own: rate, leads, context and normalisation of its input, and its outputs."""

import hashlib
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from detector.manifest import (
    MANIFEST,
    BeatMap,
    Calibration,
    Manifest,
    MisfitError,
    ModelError,
    ModelFile,
    Probability,
    Thresholds,
)
from ecg.segments import CONTEXT_S, MODEL_FS_HZ, PREPROCESSING_VERSION
from ecg.windows import WINDOW_S

KEY = "window_model"  # that tells such a manifest from the shipped one
CLASSES = ("none", "N", "S", "V", "F")
LEAST_MAP_S = WINDOW_S + 1.0  # a beat before the window's start is reported with it once its class is sure

Normalisation = Literal["standard", "z_score", "min_max"]
# The probability as it stands: no evidence beside it counts.
_ALONE = Calibration(
    cnn_slope=1,
    cnn_bias=0,
    usual_log_error=0,
    usual_share=0,
    autoencoder_slope=1,
    autoencoder_bias=0,
    fused_cnn=1,
    fused_autoencoder=0,
    fused_ventricular=0,
    fused_supraventricular=0,
    fused_irregularity=0,
    fused_bias=0,
)


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class OwnOutputs(_Part):
    """Names of the outputs: one of ``window_probability`` and ``window_logit``, the rest if there is such a thing."""

    window_probability: str | None = None
    window_logit: str | None = None
    beat_map: str | None = None
    reconstruction_error: str | None = None

    @property
    def names(self) -> dict[str, str]:
        """Names in the file, by what they are."""
        return {kind: name for kind, name in self.model_dump().items() if name is not None}


class OwnManifest(_Part):
    """``manifest.json`` of a window model of one's own.

    Attributes
    ----------
    window_model : version of this form
    name : of the model; with the beginning of its file's hash, its version in the verdicts
    file : the ONNX file, beside the manifest
    sha256 : its hash, hexadecimal: a file of another is refused; needed where the manifest is signed
    fs_hz : sampling rate of its input, Hz
    leads : of its input: 1, the judged lead, or 2, with the other one behind it, zeros where there is none
    context_s : length of its input, s; its newest 5 s are the window that is judged
    normalisation : ``standard``: each lead over its standard deviation in 15 s, within 8, as the shipped networks have
        it; ``z_score``: mean 0 and standard deviation 1 in the input; ``min_max``: from 0 to 1 in the input
    outputs : their names
    threshold : probability from which on a window is abnormal
    beat_map : how the beat map is read, if there is one
    calibration : of the evidence; without it, the probability is taken as it stands and nothing else counts
    """

    window_model: Literal[1]
    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$")]
    file: str
    sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")] | None = None
    fs_hz: Annotated[int, Field(ge=50, le=1000)]
    leads: Literal[1, 2]
    context_s: Annotated[int, Field(ge=WINDOW_S, le=CONTEXT_S)]
    normalisation: Normalisation
    outputs: OwnOutputs
    threshold: Probability
    beat_map: BeatMap | None = None
    calibration: Calibration | None = None

    @property
    def input_shape(self) -> tuple[int, int]:
        """Leads and samples of the input."""
        return self.leads, self.context_s * self.fs_hz

    @model_validator(mode="after")
    def _outputs_fit(self) -> Self:
        outputs, beats = self.outputs, self.beat_map
        given = [name for name in (outputs.window_probability, outputs.window_logit) if name is not None]
        if len(given) != 1:
            raise ValueError(
                f"outputs names {len(given)} outputs for the window, it must be 1: give either window_probability or "
                "window_logit"
            )
        if (outputs.beat_map is None) != (beats is None):
            raise ValueError(
                "a beat map is read by two entries, 1 is given: give both outputs.beat_map and beat_map, or neither"
            )
        if beats is not None and (beats.classes != CLASSES or not LEAST_MAP_S <= beats.seconds <= CONTEXT_S):
            raise ValueError(
                f"beat_map has the classes {', '.join(beats.classes)} over {beats.seconds:g} s, it must be "
                f"{', '.join(CLASSES)} over {LEAST_MAP_S:g} to {CONTEXT_S} s: export the map so, or leave both "
                "outputs.beat_map and beat_map out"
            )
        if outputs.reconstruction_error is not None and self.calibration is None:
            raise ValueError(
                "reconstruction_error is given without calibration, which weighs it: give calibration as "
                "docs/own-model.md has it, or leave outputs.reconstruction_error out"
            )
        return self


def is_own(directory: Path) -> bool:
    """Return whether a directory holds a window model of one's own, right or wrong."""
    try:
        found = json.loads((directory / MANIFEST).read_bytes())
    except (OSError, ValueError):
        return False
    return isinstance(found, Mapping) and KEY in found


def load_own_manifest(directory: Path) -> OwnManifest:
    """Read the manifest of a window model of one's own.

    Raises
    ------
    ModelError : when it is missing or says something that does not fit; each misfit with its value, limit and remedy
    """
    path = directory / MANIFEST
    try:
        return OwnManifest.model_validate_json(path.read_bytes())
    except OSError as error:
        raise ModelError(f"{path} cannot be read ({error.strerror}): write it as docs/own-model.md does") from error
    except ValidationError as error:
        raise MisfitError(path, list(_misfits(error))) from error


def _misfits(error: ValidationError) -> Iterator[str]:
    for each in error.errors():
        where = ".".join(map(str, each["loc"])) or "the manifest"
        if each["type"] == "value_error":
            yield str(each["ctx"]["error"])
        elif each["type"] == "missing":
            yield f"{where} is missing: add it as docs/own-model.md does"
        elif each["type"] == "extra_forbidden":
            yield f"{where} is {each['input']!r}, there is no such entry: take it out"
        else:
            limit = each["msg"][:1].lower() + each["msg"][1:]
            yield f"{where} is {each['input']!r}, {limit}: correct it in {MANIFEST}, or export the model anew for that"


def digest_of(directory: Path, own: OwnManifest) -> str:
    """Return the SHA-256 of a model's file, hexadecimal.

    Raises
    ------
    ModelError : when the file cannot be read, or is another than the manifest's hash says
    """
    path = directory / own.file
    try:
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError as error:
        raise ModelError(
            f"{path} cannot be read ({error.strerror}): put the file that {MANIFEST} names as 'file' there"
        ) from error
    if own.sha256 not in {None, digest}:
        raise ModelError(
            f"{path} has SHA-256 {digest[:12]}..., the manifest says {str(own.sha256)[:12]}...: the file is another; "
            f"put back the one that was meant, or write its hash into {MANIFEST} (sha256sum {path})"
        )
    return digest


def general_manifest(directory: Path, own: OwnManifest) -> Manifest:
    """Describe a model of one's own as the judging of windows knows models; what it lacks is None.

    Raises
    ------
    ModelError : as ``digest_of``
    """
    digest = digest_of(directory, own)
    file = ModelFile(
        file=own.file,
        sha256=digest,
        version=f"{own.name}-{digest[:8]}",
        parameters=0,
        input_name="",
        input_shape=own.input_shape,
        outputs={},
    )
    return Manifest(
        preprocessing_version=PREPROCESSING_VERSION,
        fs_hz=MODEL_FS_HZ,
        context_s=CONTEXT_S,
        leads=own.leads,
        cnn=file,
        beat_map=own.beat_map,
        calibration=own.calibration or _ALONE,
        thresholds=Thresholds(cnn=own.threshold, autoencoder=own.threshold, fused=own.threshold),
        data={},
        seed=0,
        figures={},
    )
