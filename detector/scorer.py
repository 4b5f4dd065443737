"""The models: the networks over windows and the trees over beats, one ONNX Runtime call for all, and their outputs.

The stream, files and the evaluation score a window by this code and no other.
"""

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import cast

import numpy as np
import numpy.typing as npt
import onnxruntime as ort

from detector.baseline import QRS_AFTER, QRS_BEFORE
from detector.batches import in_batches
from detector.beat_features import Floats
from detector.beat_map import BeatMapReader
from detector.drift import load_reference
from detector.due import DueWindow
from detector.manifest import Manifest, ModelError, ModelFile, load_manifest
from detector.score import Score
from detector.settings import DetectorSettings
from detector.window_parts import part_evidence
from ecg.beats import find_beats_in, heart_rate_bpm
from ecg.fibrillation import NO_WAVE, wave_leakage
from ecg.p_waves import PWaves, p_waves_in
from ecg.records import Float32Array
from ecg.second_filter import FilteredSignal
from ecg.segments import MODEL_FS_HZ, MODEL_SAMPLES, WINDOW_SAMPLES, Holes, Prepared, Preprocessing, prepare
from ecg.windows import HOP_S

SMALLEST_ERROR = 1e-9
MAX_BATCH = 32  # the networks are a fifth slower a window in batches that outgrow the cache


class Scorer:
    """The models, loaded and checked.

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
        self.reference = load_reference(directory, self.manifest.versions)
        self.preprocessing = preprocessing or Preprocessing()
        self._cnn = open_session(directory, self.manifest.cnn, threads)
        self._autoencoder = open_session(directory, self.manifest.autoencoder, threads)
        self._beats = BeatClassifier(directory, self.manifest.beats, threads=threads)

    @property
    def versions(self) -> dict[str, str]:
        """The models' versions, as verdicts carry them."""
        return self.manifest.versions

    def class_beats(self, features: Floats) -> list[list[float]]:
        """Class beats of any patients, in their order.

        Parameters
        ----------
        features : (n, features) in the order of ``detector.beat_features.NAMES``

        Returns
        -------
        of each beat, the probabilities of ``AAMI_CLASSES``
        """
        return self._beats(features)

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
        p_waves = p_waves_of(prepared.inputs, candidates)
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
                p_waves=p_waves[row],
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
        p_waves: PWaves | None,
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
        signals, holes = prepared.inputs[row], prepared.holes[row]
        if holes:
            candidates = np.array([at for at in candidates.tolist() if not _hidden(at, holes)], np.int64)
        beats = reader.beats(row, candidates, signals)
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
            second=window.source.leads[window.columns[1 - judged]] if signals[1].any() else None,
            # What was drawn over a hole before a QRS is no P wave, and none lacks there.
            p_waves=None if holes else p_waves,
        )

    @staticmethod
    def _run(
        session: ort.InferenceSession, model: ModelFile, inputs: Float32Array, outputs: tuple[str, ...]
    ) -> list[Float32Array]:
        found: list[Float32Array] = session.run(list(outputs), {model.input_name: inputs})
        return found


class BeatClassifier:
    """The trees that class beats, loaded.

    Parameters
    ----------
    directory, model : where the file lies, and what it is
    threads : threads of one inference

    Raises
    ------
    ModelError : when the file does not fit
    """

    def __init__(self, directory: Path, model: ModelFile, *, threads: int = 1) -> None:
        self._session = open_session(directory, model, threads)
        self._input = model.input_name

    def __call__(self, features: Floats) -> list[list[float]]:
        """The probabilities of ``AAMI_CLASSES`` of each beat, by its features in the order of their names."""
        if not len(features):
            return []
        (found,) = self._session.run(["probabilities"], {self._input: features.astype(np.float32)})
        return cast("list[list[float]]", found.tolist())


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


def p_waves_of(inputs: Float32Array, beats: list[npt.NDArray[np.int64]]) -> list[PWaves | None]:
    """The evidence of P waves in each segment (N, leads, samples), of the lead that shows more: none proves nothing."""
    leads = inputs.shape[1]
    rows = p_waves_in(inputs.reshape(-1, inputs.shape[2]), [each for each in beats for _ in range(leads)], MODEL_FS_HZ)
    by_segment = (rows[first : first + leads] for first in range(0, len(rows), leads))
    return [max((each for each in of_leads if each), default=None) for of_leads in by_segment]


def _hidden(position: int, holes: Holes) -> bool:
    """Return whether what looks like a beat was drawn over a hole."""
    return any(start - 1 <= position <= end for start, end in holes)


def _whole(position: int, holes: Holes) -> bool:
    """Return whether no hole reaches into the QRS at a position."""
    return not any(start < position + QRS_AFTER and position - QRS_BEFORE < end for start, end in holes)
