"""Reading the CNN's beat map: which QRS candidates are beats, of which class, and what was missed."""

from dataclasses import dataclass
from typing import Literal, cast

import numpy as np
import numpy.typing as npt
from scipy.special import softmax

from detector.manifest import BeatMap
from ecg.beats import REFRACTORY_S
from ecg.records import Float32Array
from ecg.segments import MODEL_FS_HZ, MODEL_SAMPLES

MATCH_S = 0.08  # a candidate and its peak in the map: two frames of 40 ms
PEAK_SEARCH_S = 0.1  # from the middle of a frame to the R peak: QRS of up to 200 ms

AamiClass = Literal["N", "S", "V", "F"]


@dataclass(frozen=True, slots=True, kw_only=True)
class BeatFinding:
    """A beat in a segment.

    Attributes
    ----------
    position : sample in the segment at the models' rate
    beat_class : AAMI class
    confidence : probability of that class among the classes
    """

    position: int
    beat_class: AamiClass
    confidence: float


def verify_beats(
    candidates: npt.NDArray[np.int64], beat_map: Float32Array, signal: Float32Array, settings: BeatMap
) -> tuple[BeatFinding, ...]:
    """The beats in the span of the beat map.

    Parameters
    ----------
    candidates : (n,) int64, QRS positions in the segment, ascending
    beat_map : (classes, frames) float32 logits, class 0 = no beat
    signal : (MODEL_SAMPLES,) float32, the judged lead, filtered
    settings : how the map is read
    """
    probability = softmax(beat_map.astype(np.float64), axis=0)
    beat = 1.0 - probability[0]
    frame_samples = MODEL_FS_HZ / settings.frames_hz
    map_start = MODEL_SAMPLES - settings.seconds * MODEL_FS_HZ
    reach = round(MATCH_S * settings.frames_hz)

    def frames_near(position: float) -> slice:
        middle = int((position - map_start) / frame_samples)
        return slice(max(0, middle - reach), min(len(beat), middle + reach + 1))

    positions = [
        int(candidate)
        for candidate in candidates
        if candidate >= map_start and beat[frames_near(candidate)].max() >= settings.reject_below
    ]
    apart = REFRACTORY_S * MODEL_FS_HZ
    search = round(PEAK_SEARCH_S * MODEL_FS_HZ)
    for frame in _peaks(beat, settings.add_above):
        middle = round(map_start + (frame + 0.5) * frame_samples)
        first = max(0, middle - search)
        peak = first + int(np.abs(signal[first : middle + search + 1]).argmax())
        if all(abs(peak - position) >= apart and abs(middle - position) >= apart for position in positions):
            positions.append(peak)
    findings = []
    for position in sorted(positions):
        by_class = probability[1:, frames_near(position)].sum(axis=1)
        best = int(by_class.argmax())
        findings.append(
            BeatFinding(
                position=position,
                beat_class=cast("AamiClass", settings.classes[best + 1]),
                confidence=round(float(by_class[best] / by_class.sum()), 4),
            )
        )
    return tuple(findings)


def _peaks(beat: npt.NDArray[np.float64], threshold: float) -> npt.NDArray[np.intp]:
    """Frames that are local maxima of the beat probability at or above a threshold."""
    padded = np.pad(beat, 1)
    return np.flatnonzero((beat >= threshold) & (beat > padded[:-2]) & (beat >= padded[2:]))
