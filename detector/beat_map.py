"""Reading the CNN's beat map: which QRS candidates are beats, what their class may be, and what was missed."""

from collections.abc import Sequence
from typing import Literal, NamedTuple, Protocol

import numpy as np
import numpy.typing as npt
from numpy.lib.stride_tricks import sliding_window_view

from detector.baseline import QRS_AFTER, QRS_BEFORE
from detector.manifest import BeatMap
from ecg.beats import REFRACTORY_S
from ecg.records import Float32Array
from ecg.segments import MODEL_FS_HZ, MODEL_SAMPLES

MATCH_S = 0.04  # a candidate and its peak in the map: one frame, for the map marks one frame more on either side
CANDIDATES_S = 6.0  # the window, and before it what has not settled when the window before was reported
PEAK_SEARCH_S = 0.1  # from the middle of a frame to the R peak: QRS of up to 200 ms
APART = round(REFRACTORY_S * MODEL_FS_HZ)
SEARCH = round(PEAK_SEARCH_S * MODEL_FS_HZ)
_AROUND = np.arange(-QRS_BEFORE, QRS_AFTER)

AamiClass = Literal["N", "S", "V", "F"]
AAMI_CLASSES: tuple[AamiClass, ...] = ("N", "S", "V", "F")


class BeatFinding(NamedTuple):
    """A beat in a segment.

    Attributes
    ----------
    position : sample in the segment at the models' rate
    shares : probabilities of the classes N, S, V, F by the beat map, their sum 1
    qrs : (2, QRS samples) float32, the judged lead around it and the other one, normalised; zeros where there is none
    whole : whether all of its QRS was received; if not, its shape is no evidence of its class
    """

    position: int
    shares: tuple[float, float, float, float]
    qrs: Float32Array
    whole: bool = True


class BeatReader(Protocol):
    """Reading of the beats of N segments.

    Attributes
    ----------
    start : position in the segment from which on it tells beats
    """

    start: float

    def beats(self, row: int, candidates: npt.NDArray[np.int64], signals: Float32Array) -> tuple[BeatFinding, ...]:
        """The beats of one segment, among or beside its QRS candidates."""


class CandidateReader:
    """Beats without a beat map: the QRS candidates as they are, of no class.

    None of them is held to be whole, so that nobody takes its shape for evidence of a class, or for what is usual.
    """

    start: float = MODEL_SAMPLES - CANDIDATES_S * MODEL_FS_HZ

    def beats(self, row: int, candidates: npt.NDArray[np.int64], signals: Float32Array) -> tuple[BeatFinding, ...]:
        """The candidates of one segment, in the span that a beat map would cover."""
        del row
        at = candidates[candidates >= self.start]
        qrs = signals.take(at[:, None] + _AROUND, axis=1, mode="clip").swapaxes(0, 1)
        return tuple(
            BeatFinding(position, (1.0, 0.0, 0.0, 0.0), one, whole=False)
            for position, one in zip(at.tolist(), qrs, strict=True)
        )


class BeatMapReader:
    """The beat maps of N segments, looked through once for all of them.

    Parameters
    ----------
    maps : (N, classes, frames) float32 logits, class 0 = no beat
    settings : how the map is read
    """

    def __init__(self, maps: Float32Array, settings: BeatMap) -> None:
        self._settings = settings
        self._frame = MODEL_FS_HZ / settings.frames_hz  # samples
        self.start = MODEL_SAMPLES - settings.seconds * MODEL_FS_HZ
        width = 2 * round(MATCH_S * settings.frames_hz) + 1
        probability = _softmax(maps)
        self._order = [settings.classes.index(letter) - 1 for letter in AAMI_CLASSES]
        self._beat = 1.0 - probability[:, 0]
        self._beat_near = _around(self._beat, width).max(axis=-1)
        self._class_near = _around(probability[:, 1:], width).sum(axis=-1)
        padded = np.pad(self._beat, ((0, 0), (1, 1)))
        peaks = (self._beat >= settings.add_above) & (self._beat > padded[:, :-2]) & (self._beat >= padded[:, 2:])
        rows, frames = np.nonzero(peaks)
        self._peaks: list[list[int]] = [[] for _ in range(len(maps))]
        for row, frame in zip(rows.tolist(), frames.tolist(), strict=True):
            self._peaks[row].append(round(self.start + (frame + 0.5) * self._frame))

    def beats(self, row: int, candidates: npt.NDArray[np.int64], signals: Float32Array) -> tuple[BeatFinding, ...]:
        """The beats of one segment, in the span of its map.

        Parameters
        ----------
        row : which segment
        candidates : (n,) int64, QRS positions in the segment, ascending
        signals : (2, MODEL_SAMPLES) float32, the judged lead and the other one, normalised
        """
        signal = signals[0]
        candidates = candidates[candidates >= self.start]
        verified = self._beat_near[row, self._frames(candidates)] >= self._settings.reject_below
        positions: list[int] = candidates[verified].tolist()
        for middle in self._peaks[row]:
            if not all(abs(middle - known) >= APART for known in positions):
                continue
            first = max(0, middle - SEARCH)
            peak = first + int(np.abs(signal[first : middle + SEARCH + 1]).argmax())
            if all(abs(peak - known) >= APART for known in positions):
                positions.append(peak)
        return self._classed(row, sorted(positions), signals)

    def _classed(self, row: int, positions: Sequence[int], signals: Float32Array) -> tuple[BeatFinding, ...]:
        if not positions:
            return ()
        at = np.array(positions)
        shares = self._class_near[row][:, self._frames(at)][self._order]
        shares /= shares.sum(axis=0)
        qrs = signals.take(at[:, None] + _AROUND, axis=1, mode="clip").swapaxes(0, 1)
        return tuple(
            BeatFinding(position, (n, s, v, f), one)
            for position, (n, s, v, f), one in zip(positions, shares.T.tolist(), qrs, strict=True)
        )

    def _frames(self, positions: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
        """The frames of the map that hold positions of the segment."""
        frames = ((positions - self.start) / self._frame).astype(np.int64)
        bounded: npt.NDArray[np.int64] = np.minimum(np.maximum(frames, 0), self._beat.shape[1] - 1)
        return bounded


def _softmax(logits: Float32Array) -> Float32Array:
    """(N, classes, frames) float32 logits as probabilities; of scipy, this function alone would take 0.1 s to load."""
    powers: Float32Array = np.exp(logits - logits.max(axis=1, keepdims=True))
    powers /= powers.sum(axis=1, keepdims=True)
    return powers


def _around(values: Float32Array, width: int) -> Float32Array:
    """(..., frames, width): each frame with those around it, zeros beyond the ends."""
    padding = [(0, 0)] * (values.ndim - 1) + [(width // 2, width // 2)]
    return sliding_window_view(np.pad(values, padding), width, axis=-1)
