"""The networks over windows, as the scorer runs them: prepared segments in, outputs out."""

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from detector.manifest import ShippedManifest
from detector.sessions import Session, open_session
from ecg.records import Float32Array


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class NetworkOutputs:
    """Outputs on N segments; None where there is no such output.

    Attributes
    ----------
    logits : (N,) float32, above 0 for an abnormal window; NaN where the network gave no number
    beat_maps : (N, classes, frames) float32 logits
    errors : (N,) float32, of the reconstruction
    reconstructions : (N, WINDOW_SAMPLES) float32, of the judged lead in the window
    """

    logits: Float32Array
    beat_maps: Float32Array | None = None
    errors: Float32Array | None = None
    reconstructions: Float32Array | None = None


class Networks(Protocol):
    """Networks that judge windows."""

    @property
    def sessions(self) -> tuple[Session, ...]:
        """The ONNX files that run."""

    def run(self, inputs: Float32Array) -> NetworkOutputs:
        """Judge N segments: (N, MODEL_LEADS, MODEL_SAMPLES) float32, as ``ecg.segments.Prepared`` has them."""


class ShippedNetworks:
    """The CNN and the autoencoder as `ecgstream export` writes them.

    Parameters
    ----------
    directory, manifest : where the files lie, and what they are
    threads : threads of one inference
    optimised : whether onnxruntime may rewrite the graphs, as it does in the detector

    Raises
    ------
    ModelError : when a file cannot be run, or takes or gives other shapes
    """

    def __init__(self, directory: Path, manifest: ShippedManifest, threads: int, *, optimised: bool = True) -> None:
        self._cnn = open_session(directory, manifest.cnn, threads, optimised=optimised)
        self._cnn_input = manifest.cnn.input_name
        self._autoencoder = open_session(directory, manifest.autoencoder, threads, optimised=optimised)
        self._autoencoder_input = manifest.autoencoder.input_name

    @property
    def sessions(self) -> tuple[Session, ...]:
        """The ONNX files that run."""
        return self._cnn, self._autoencoder

    def run(self, inputs: Float32Array) -> NetworkOutputs:
        """Judge N segments by both networks."""
        logits, beat_maps = self._cnn.run(["window_logit", "beat_map"], {self._cnn_input: inputs})
        errors, reconstructions = self._autoencoder.run(["error", "reconstruction"], {self._autoencoder_input: inputs})
        return NetworkOutputs(logits=logits, beat_maps=beat_maps, errors=errors, reconstructions=reconstructions)
