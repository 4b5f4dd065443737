"""The models over windows: preprocessing, one ONNX Runtime call for all, and what their outputs mean.

The stream, files and the evaluation score a window by this code and no other.
"""

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import numpy as np
import numpy.typing as npt
import onnxruntime as ort

from detector.baseline import QRS_AFTER, QRS_BEFORE
from detector.batches import in_batches
from detector.beat_map import BeatMapReader
from detector.due import DueWindow
from detector.manifest import Manifest, ModelError, ModelFile, load_manifest
from detector.score import Score
from detector.settings import DetectorSettings
from detector.window_parts import part_evidence
from ecg.beats import find_beats_in, heart_rate_bpm
from ecg.fibrillation import NO_WAVE, wave_leakage
from ecg.records import Float32Array
from ecg.second_filter import FilteredSignal
from ecg.segments import MODEL_FS_HZ, MODEL_SAMPLES, WINDOW_SAMPLES, Holes, Prepared, Preprocessing, prepare
from ecg.windows import HOP_S

SMALLEST_ERROR = 1e-9
MAX_BATCH = 32  # the networks are a fifth slower a window in batches that outgrow the cache


class Scorer:
    """The two models, loaded and checked.

    Parameters
    ----------
    directory : where the ONNX files and their manifest lie
    preprocessing : what may be chosen about the preprocessing
    threads : threads of one inference
    hop_s : from one window to the next in the records that it judges, s

    Raises
    ------
    ModelError : when a model's hash, shape or preprocessing does not fit
    """

    hop_s: int = HOP_S

    def __init__(
        self, directory: Path, *, preprocessing: Preprocessing | None = None, threads: int = 1, hop_s: int = HOP_S
    ) -> None:
        self.hop_s = hop_s
        # In another process: a scorer does not go there itself.
        self.again: Callable[[], Scorer] = partial(
            Scorer, directory, preprocessing=preprocessing, threads=threads, hop_s=hop_s
        )
        self.manifest: Manifest = load_manifest(directory)
        self.preprocessing = preprocessing or Preprocessing()
        self._cnn = open_session(directory, self.manifest.cnn, threads)
        self._autoencoder = open_session(directory, self.manifest.autoencoder, threads)

    @property
    def versions(self) -> dict[str, str]:
        """The models' versions, as verdicts carry them."""
        return {"cnn": self.manifest.cnn.version, "autoencoder": self.manifest.autoencoder.version}

    def score(self, windows: Sequence[DueWindow], signals: Sequence[FilteredSignal]) -> list[Score]:
        """Judge windows of any patients and sampling rates, in their order.

        Parameters
        ----------
        windows : what is due
        signals : of each, filtered up to its end by ``self.preprocessing``
        """
        return in_batches(
            list(zip(windows, signals, strict=True)),
            self._score_alike,
            alike=lambda pair: (pair[0].source.fs_hz, len(pair[0].columns)),
            most=MAX_BATCH,
        )

    def _score_alike(self, pairs: list[tuple[DueWindow, FilteredSignal]]) -> list[Score]:
        windows = [window for window, _ in pairs]
        prepared = prepare(
            np.stack([window.segment for window in windows]),
            [signal for _, signal in pairs],
            fs_hz=windows[0].source.fs_hz,
        )
        logits, beat_maps = self._run(self._cnn, self.manifest.cnn, prepared.inputs, ("window_logit", "beat_map"))
        errors, reconstructions = self._run(
            self._autoencoder, self.manifest.autoencoder, prepared.inputs, ("error", "reconstruction")
        )
        evidence = part_evidence(beat_maps, prepared.inputs, reconstructions, self.manifest.beat_map)
        parts = np.stack([evidence.beats, evidence.shape], axis=1)
        log_errors = log_of(errors)
        leakage = wave_leakage(prepared.inputs[:, 0, -WINDOW_SAMPLES:], MODEL_FS_HZ)
        reader = BeatMapReader(beat_maps, self.manifest.beat_map)
        candidates = find_beats_in(prepared.inputs[:, 0], MODEL_FS_HZ, known_from=prepared.valid_from.tolist())
        return [
            self._read(
                window,
                prepared,
                row=row,
                logit=float(logits[row]),
                log_error=float(log_errors[row]),
                parts=parts[row],
                leakage=float(leakage[row]),
                reader=reader,
                candidates=candidates[row],
            )
            for row, window in enumerate(windows)
        ]

    def _read(
        self,
        window: DueWindow,
        prepared: Prepared,
        *,
        row: int,
        logit: float,
        log_error: float,
        parts: Float32Array,
        leakage: float,
        reader: BeatMapReader,
        candidates: npt.NDArray[np.int64],
    ) -> Score:
        judged = int(prepared.judged[row])
        quality = prepared.quality[max(judged, 0)]
        measured = quality.fractions(row)
        if not prepared.usable[row]:
            return Score(
                lead=None,
                logit=None,
                log_error=None,
                beats=(),
                heart_rate_bpm=None,
                quality=measured,
                flags=quality.flags(row) or ("gap",),
                lacking=bool(prepared.lacking[row]),
            )
        signal, holes = prepared.inputs[row, 0], prepared.holes[row]
        if holes:
            candidates = np.array([at for at in candidates.tolist() if not _hidden(at, holes)], np.int64)
        beats = reader.beats(row, candidates, signal)
        if holes:
            seen = (beat for beat in beats if not _hidden(beat.position, holes))
            beats = tuple(beat._replace(whole=_whole(beat.position, holes)) for beat in seen)
        verified_from = MODEL_SAMPLES - self.manifest.beat_map.seconds * MODEL_FS_HZ
        positions = [*candidates[candidates < verified_from], *(beat.position for beat in beats)]
        holed = any(end > MODEL_SAMPLES - WINDOW_SAMPLES for _, end in holes)
        return Score(
            lead=window.source.leads[window.columns[judged]],
            logit=logit,
            log_error=log_error,
            beats=beats,
            heart_rate_bpm=heart_rate_bpm(
                [position / MODEL_FS_HZ for position in positions],
                holes_s=[(first / MODEL_FS_HZ, end / MODEL_FS_HZ) for first, end in holes],
            ),
            quality=measured,
            flags=quality.flags(row),
            parts=parts,
            # A line drawn over a hole may have been a QRS: what is left is no wave without one.
            leakage=NO_WAVE if holed else leakage,
            holes=holes,
            whole=bool(prepared.whole[row]),
            lacking=bool(prepared.lacking[row]),
        )

    @staticmethod
    def _run(
        session: ort.InferenceSession, model: ModelFile, inputs: Float32Array, outputs: tuple[str, ...]
    ) -> list[Float32Array]:
        found: list[Float32Array] = session.run(list(outputs), {model.input_name: inputs})
        return found


def scorer_of(settings: DetectorSettings) -> Scorer:
    """The scorer that the detector would use under these settings.

    Raises
    ------
    ModelError : when the models do not fit
    """
    return Scorer(
        settings.models,
        preprocessing=Preprocessing(mains_hz=settings.mains_hz),
        threads=settings.threads,
        hop_s=settings.hop_s,
    )


def open_session(directory: Path, model: ModelFile, threads: int) -> ort.InferenceSession:
    """Load one ONNX file as its manifest describes it.

    Raises
    ------
    ModelError : when the file cannot be run, or takes or gives other shapes
    """
    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    # A spinning idle thread would starve broker and event loop on small machines.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.add_session_config_entry("session.inter_op.allow_spinning", "0")
    options.log_severity_level = 3
    path = directory / model.file
    try:
        session = ort.InferenceSession(path.read_bytes(), options, providers=["CPUExecutionProvider"])
    except Exception as error:  # onnxruntime raises kinds of its own for every fault of a file
        raise ModelError(f"{path} is no ONNX model that can be run: {error}: export the models anew") from error
    inputs = {entry.name: tuple(entry.shape[1:]) for entry in session.get_inputs()}
    if inputs != {model.input_name: model.input_shape}:
        raise ModelError(f"{path} takes {inputs}, its manifest says {model.input_name} {model.input_shape}")
    found = {entry.name: tuple(entry.shape[1:]) for entry in session.get_outputs()}
    if found != model.outputs:
        raise ModelError(f"{path} gives {found}, its manifest says {model.outputs}: export the models anew")
    return session


def log_of(errors: Float32Array) -> npt.NDArray[np.float64]:
    """Natural logarithms of errors; a reconstruction without any error is none that a network gives."""
    return np.log(np.maximum(errors.astype(np.float64), SMALLEST_ERROR))


def _hidden(position: int, holes: Holes) -> bool:
    """Return whether what looks like a beat was drawn over a hole."""
    return any(start - 1 <= position <= end for start, end in holes)


def _whole(position: int, holes: Holes) -> bool:
    """Return whether no hole reaches into the QRS at a position."""
    return not any(start < position + QRS_AFTER and position - QRS_BEFORE < end for start, end in holes)
