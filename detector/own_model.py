"""A window model of one's own: any ONNX file that gives a probability for a window, described by its manifest."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from detector.manifest import MisfitError, ModelError
from detector.networks import NetworkOutputs
from detector.own_manifest import Normalisation, OwnManifest, digest_of, load_own_manifest
from detector.sessions import FLOAT, Session, load_session, time_limit
from ecg.leads import MODEL_LEADS
from ecg.records import Float32Array
from ecg.segments import MODEL_FS_HZ, MODEL_SAMPLES

LEAST_SHARE = 1e-6  # of a probability: nothing is certain, and the logarithm of nothing is none
LEAST_SPREAD = 1e-6  # of a lead in normalised units: a flat one stays flat
TRIAL_BATCHES = (1, 2)
TRIAL_S = 10.0  # that a trial may take: two windows of a patient come in ten seconds


class OwnModel:
    """One ONNX file, loaded and tried.

    Parameters
    ----------
    directory : where file and manifest lie
    threads : threads of one inference
    optimised : whether onnxruntime may rewrite the graph, as it does in the detector

    Raises
    ------
    ModelError : when anything does not fit; each misfit with its value, limit and remedy
    """

    def __init__(self, directory: Path, *, threads: int = 1, optimised: bool = True) -> None:
        self.manifest: OwnManifest = load_own_manifest(directory)
        path = directory / self.manifest.file
        digest_of(directory, self.manifest)  # before anything of the file is run
        self._session = load_session(path, threads, optimised=optimised)
        self._outputs = self.manifest.outputs.names
        if found := list(self._misfits()):
            raise MisfitError(path, found)
        (entry,) = self._session.get_inputs()
        self._input = entry.name
        self._rank = len(entry.shape)
        if found := [misfit for batch in TRIAL_BATCHES for misfit in self._tried(batch)]:
            raise MisfitError(path, list(dict.fromkeys(found)))

    @property
    def sessions(self) -> tuple[Session, ...]:
        """The ONNX file that runs."""
        return (self._session,)

    def run(self, inputs: Float32Array) -> NetworkOutputs:
        """Judge N segments: (N, MODEL_LEADS, MODEL_SAMPLES) float32.

        Where an output is not a number, the logit is NaN: that window has no score, and the others have theirs.

        Raises
        ------
        ModelError : when the model gives no probability where its manifest says so
        """
        found = self._run(inputs)
        failed = np.zeros(len(inputs), np.bool_)
        for kind, values in found.items():
            failed |= ~np.isfinite(values).reshape(len(values), -1).all(axis=1)
            found[kind] = np.where(np.isfinite(values), values, np.float32(0.5))
        if "window_logit" in found:
            logits = found["window_logit"].reshape(-1).copy()
        else:
            shares = found["window_probability"].reshape(-1).astype(np.float64)
            if ((shares < 0) | (shares > 1)).any():
                raise ModelError(
                    f"{self._outputs['window_probability']} of {self.manifest.name} is {float(shares.min()):.3g} to "
                    f"{float(shares.max()):.3g}, a probability is 0 to 1: name the output as window_logit, or end the "
                    "network with a sigmoid"
                )
            shares = np.clip(shares, LEAST_SHARE, 1 - LEAST_SHARE)
            logits = np.log(shares / (1 - shares)).astype(np.float32)
        logits[failed] = np.nan
        errors = found.get("reconstruction_error")
        return NetworkOutputs(
            logits=logits,
            beat_maps=found.get("beat_map"),
            errors=None if errors is None else errors.reshape(-1),
        )

    def _run(self, inputs: Float32Array) -> dict[str, Float32Array]:
        shaped = model_input(inputs, self.manifest)
        given = shaped[:, 0] if self._rank == 2 else shaped
        try:
            values = self._session.run(list(self._outputs.values()), {self._input: given})
        except Exception as error:  # onnxruntime raises kinds of its own for every fault of a graph
            raise ModelError(
                f"a batch of {len(given)} cannot be run by {self.manifest.file} ({' '.join(str(error).split())}), "
                "any number of windows must: "
                "export it with a dynamic batch axis and without a fixed size inside"
            ) from error
        return dict(zip(self._outputs, values, strict=True))

    def _misfits(self) -> Iterator[str]:
        """Tell what does not fit in what the file says of itself."""
        entries = self._session.get_inputs()
        if len(entries) != 1:
            yield (
                f"it takes {len(entries)} inputs ({', '.join(entry.name for entry in entries)}), it is given 1: export "
                "it with the signal as its only input"
            )
            return
        (entry,) = entries
        leads, samples = self.manifest.input_shape
        if entry.type != FLOAT:
            yield f"input {entry.name} is {entry.type}, it is given {FLOAT}: export the model in float32"
        if not entry.shape or isinstance(entry.shape[0], int):
            yield (
                f"input {entry.name} has shape {entry.shape}, its first axis must take any number of windows: export "
                "it with a dynamic batch axis"
            )
        rest = entry.shape[1:]
        allowed = [(leads, samples)] + [(samples,)] * (leads == 1)
        if not any(_agrees(rest, shape) for shape in allowed):
            yield (
                f"input {entry.name} has shape {entry.shape}, the manifest's {leads} leads of "
                f"{self.manifest.context_s} s at {self.manifest.fs_hz} Hz are (windows, {leads}, {samples}): correct "
                "leads, context_s or fs_hz, or export it for that shape, leads before samples"
            )
        outputs = {each.name: each for each in self._session.get_outputs()}
        for kind, name in self._outputs.items():
            if name not in outputs:
                yield (
                    f"there is no output {name}, which the manifest names as {kind}, but {', '.join(outputs)}: name "
                    "one of these"
                )
            elif outputs[name].type != FLOAT:
                yield f"output {name} is {outputs[name].type}, it must be {FLOAT}: export the model in float32"

    def _tried(self, batch: int) -> Iterator[str]:
        """Run a batch of flat segments, and tell what does not fit in what comes out."""
        try:
            with time_limit(self.sessions, TRIAL_S):
                found = self._run(np.zeros((batch, MODEL_LEADS, MODEL_SAMPLES), np.float32))
        except ModelError as error:
            yield str(error)
            return
        for kind, values in found.items():
            shapes: list[tuple[int, ...]] = [(batch,), (batch, 1)]
            if kind == "beat_map" and self.manifest.beat_map is not None:
                frames = round(self.manifest.beat_map.seconds * self.manifest.beat_map.frames_hz)
                shapes = [(batch, len(self.manifest.beat_map.classes), frames)]
            if values.shape not in shapes:
                yield (
                    f"output {self._outputs[kind]} has shape {values.shape} for {batch} windows, {kind} must have "
                    f"{' or '.join(map(str, shapes))}: let the network give one value a window, or name another output"
                    if kind != "beat_map"
                    else f"output {self._outputs[kind]} has shape {values.shape} for {batch} windows, beat_map must "
                    f"have {shapes[0]}: correct beat_map.seconds or beat_map.frames_hz, or export it in that shape"
                )


def model_input(inputs: Float32Array, manifest: OwnManifest) -> Float32Array:
    """Shape prepared segments as a model wants them; each row depends on its own segment alone.

    Parameters
    ----------
    inputs : (N, MODEL_LEADS, MODEL_SAMPLES) float32, as ``ecg.segments.Prepared`` has them: 0.5 to 40 Hz, at 100 Hz
    manifest : of the model

    Returns
    -------
    (N, leads, samples) float32
    """
    seen = inputs[:, : manifest.leads]
    if manifest.fs_hz != MODEL_FS_HZ:
        from scipy.signal import resample_poly  # noqa: PLC0415 # takes long to load, and few models need it

        seen = resample_poly(seen, manifest.fs_hz, round(MODEL_FS_HZ), axis=-1, padtype="line")
    return _normalised(seen[:, :, -manifest.context_s * manifest.fs_hz :], manifest.normalisation)


def _normalised(seen: Float32Array, normalisation: Normalisation) -> Float32Array:
    if normalisation == "z_score":
        centred = seen - seen.mean(axis=-1, keepdims=True)
        seen = centred / np.maximum(seen.std(axis=-1, keepdims=True), LEAST_SPREAD)
    elif normalisation == "min_max":
        lowest = seen.min(axis=-1, keepdims=True)
        seen = (seen - lowest) / np.maximum(seen.max(axis=-1, keepdims=True) - lowest, LEAST_SPREAD)
    return np.ascontiguousarray(seen, np.float32)


def _agrees(found: list[int | str | None], wanted: tuple[int, ...]) -> bool:
    """Return whether a shape, names where an axis is dynamic, can be another."""
    return len(found) == len(wanted) and all(
        isinstance(one, str) or one is None or one == other for one, other in zip(found, wanted, strict=True)
    )
