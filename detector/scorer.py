"""The models: the networks over windows and the trees over beats, one ONNX Runtime call for all, and their outputs.

The stream, files and the evaluation score a window by this code and no other.
"""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from functools import partial
from math import isnan
from pathlib import Path
from typing import cast

import numpy as np
import numpy.typing as npt

from detector.baseline import QRS_AFTER, QRS_BEFORE
from detector.batches import in_batches
from detector.beat_features import NAMES, Floats
from detector.beat_map import BeatMapReader, BeatReader, CandidateReader
from detector.drift import load_reference
from detector.due import DueWindow
from detector.manifest import Manifest, ModelFile, load_manifest
from detector.networks import NetworkOutputs, Networks, ShippedNetworks
from detector.own_manifest import general_manifest, is_own
from detector.own_model import OwnModel
from detector.score import Score
from detector.sessions import open_session, time_limit
from detector.settings import DetectorSettings
from detector.signature import check_signature
from detector.window_parts import part_evidence
from ecg.beats import find_beats_in, heart_rate_bpm
from ecg.fibrillation import NO_WAVE, wave_leakage
from ecg.p_waves import PWaves, p_waves_in
from ecg.records import Float32Array
from ecg.second_filter import FilteredSignal
from ecg.segments import MODEL_FS_HZ, MODEL_SAMPLES, WINDOW_SAMPLES, Holes, Prepared, Preprocessing, prepare
from ecg.windows import HOP_S

SMALLEST_ERROR = 1e-9
_MAP_ODDS = ("v_odds", "s_odds", "f_odds")
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
        self.manifest, self._networks = open_networks(directory, threads)
        self.reference = load_reference(directory, self.manifest.versions)
        self.preprocessing = preprocessing or Preprocessing()
        trees = self.manifest.beats
        self._beats = classes_of_map if trees is None else BeatClassifier(directory, trees, threads=threads)

    @property
    def versions(self) -> dict[str, str]:
        """The models' versions, as verdicts carry them."""
        return self.manifest.versions

    def limited(self, seconds: float) -> AbstractContextManager[None]:
        """End the networks' inferences within that take longer, s; see ``detector.sessions.time_limit``."""
        return time_limit(self._networks.sessions, seconds)

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
        found = self._outputs(prepared.inputs)
        log_errors = None if found.errors is None else log_of(found.errors)
        parts, reader = self._read_map(found, prepared)
        leakage = wave_leakage(prepared.inputs[:, 0, -WINDOW_SAMPLES:], MODEL_FS_HZ)
        candidates = find_beats_in(prepared.inputs[:, 0], MODEL_FS_HZ, known_from=prepared.valid_from.tolist())
        p_waves = p_waves_of(prepared.inputs, candidates)
        return [
            self._read(
                window,
                prepared,
                row=row,
                logit=float(found.logits[row]),
                log_error=None if log_errors is None else float(log_errors[row]),
                parts=None if parts is None else parts[row],
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
        log_error: float | None,
        parts: Float32Array | None,
        leakage: float,
        reader: BeatReader,
        candidates: npt.NDArray[np.int64],
        p_waves: PWaves | None,
    ) -> Score:
        judged = int(prepared.judged[row])
        quality = prepared.quality[max(judged, 0)]
        measured = quality.fractions(row)
        unscored = ("unscored",) if isnan(logit) else ()  # what a stranger's network gives may be no number
        if unscored or not prepared.usable[row]:
            return Score(
                lead=None,
                logit=None,
                log_error=None,
                beats=(),
                heart_rate_bpm=None,
                quality=measured,
                flags=(*quality.flags(row), *unscored) or ("gap",),
                lacking=bool(prepared.lacking[row]),
            )
        signals, holes = prepared.inputs[row], prepared.holes[row]
        if holes:
            candidates = np.array([at for at in candidates.tolist() if not _hidden(at, holes)], np.int64)
        beats = reader.beats(row, candidates, signals)
        if holes:
            seen = (beat for beat in beats if not _hidden(beat.position, holes))
            beats = tuple(beat._replace(whole=beat.whole and _whole(beat.position, holes)) for beat in seen)
        positions = [*candidates[candidates < reader.start], *(beat.position for beat in beats)]
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

    def _outputs(self, inputs: Float32Array) -> NetworkOutputs:
        return self._networks.run(inputs)

    def _read_map(self, found: NetworkOutputs, prepared: Prepared) -> tuple[Float32Array | None, BeatReader]:
        """Return the parts that carried each window, where both networks tell them, and what reads its beats."""
        settings = self.manifest.beat_map
        if found.beat_maps is None or settings is None:
            return None, CandidateReader()
        reader = BeatMapReader(found.beat_maps, settings)
        if found.reconstructions is None:
            return None, reader
        evidence = part_evidence(found.beat_maps, prepared.inputs, found.reconstructions, settings)
        return np.stack([evidence.beats, evidence.shape], axis=1), reader


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


def classes_of_map(features: Floats) -> list[list[float]]:
    """Class beats by the beat map alone, where there are no trees: its shares, back from their log odds.

    Parameters
    ----------
    features : (n, features) in the order of ``detector.beat_features.NAMES``
    """
    v_odds, s_odds, f_odds = (features[:, NAMES.index(name)].astype(np.float64) for name in _MAP_ODDS)
    wide, early, fusion = (1 / (1 + np.exp(-odds)) for odds in (v_odds, s_odds, f_odds))
    narrow = (1 - fusion) * (1 - wide)
    shares = np.stack([narrow * (1 - early), narrow * early, (1 - fusion) * wide, fusion], axis=1)
    return cast("list[list[float]]", shares.tolist())


def open_networks(directory: Path, threads: int, *, optimised: bool = True) -> tuple[Manifest, Networks]:
    """Load the networks of a directory: the shipped kind, or a window model of one's own.

    Parameters
    ----------
    directory : where files and manifest lie
    threads : threads of one inference
    optimised : whether onnxruntime may rewrite the graphs, as it does in the detector

    Raises
    ------
    ModelError : when anything does not fit
    """
    if is_own(directory):
        own = OwnModel(directory, threads=threads, optimised=optimised)
        return general_manifest(directory, own.manifest), own
    manifest = load_manifest(directory)
    return manifest, ShippedNetworks(directory, manifest, threads, optimised=optimised)


def scorer_of(settings: DetectorSettings) -> Scorer:
    """The scorer that the detector would use under these settings.

    Raises
    ------
    ModelError : when the models do not fit, or were not signed as the settings ask
    """
    return scorer_at(settings.models, settings)


def scorer_at(directory: Path, settings: DetectorSettings) -> Scorer:
    """The scorer of other models under the same settings.

    Raises
    ------
    ModelError : when the models do not fit, or were not signed as the settings ask
    """
    if settings.model_key is not None:
        check_signature(directory, settings.model_key)
    return Scorer(
        directory,
        preprocessing=Preprocessing(mains_hz=settings.mains_hz),
        threads=settings.threads,
        hop_s=settings.hop_s,
    )


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
