"""Content of an ECG strip: the signal, and what was found in it."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from bus.messages import BeatClass, Decision
from ecg.errors import EcgStreamError
from ecg.records import Float32Array, check_fs

MAX_STRIP_S = 60.0  # 1.5 m of paper; more belongs into an overview


@dataclass(frozen=True, slots=True, kw_only=True)
class StripBeat:
    """A heartbeat on a strip.

    Attributes
    ----------
    t_s : its time, s, on the strip's clock
    beat_class : AAMI class, None where nobody classed it
    """

    t_s: float
    beat_class: BeatClass | None


@dataclass(frozen=True, slots=True, kw_only=True)
class StripWindow:
    """A judged window on a strip.

    Attributes
    ----------
    start_s, end_s : its span, s, on the strip's clock
    decision : what was decided of it
    score : the fused score, None where it is unusable
    """

    start_s: float
    end_s: float
    decision: Decision
    score: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class StripFinding:
    """A stretch of rhythm that has a name; the part of it on the strip is drawn.

    Attributes
    ----------
    start_s, end_s : its span, s, on the strip's clock
    text : its name, such as "ventricular couplet"
    """

    start_s: float
    end_s: float
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class StripEvidence:
    """Weight of each part of each lead in the verdict.

    Attributes
    ----------
    start_s : where the first part begins, s, on the strip's clock
    part_s : the parts' length, s
    weight : (parts, leads) in 0 to 1, columns as the strip's leads: 1 carried the most
    """

    start_s: float
    part_s: float
    weight: npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Strip:
    """A stretch of an ECG to be drawn.

    Attributes
    ----------
    samples_mv : (n, leads) float32, mV; NaN where no sample was taken
    start_s : time of the first sample, s, from whatever the times are to be read against: the recording's start, or
        midnight
    beats : the beats that were found
    reference : the annotated beats; None where nobody annotated the recording
    windows, findings, evidence : what was found; of findings the weightiest first, for room may be short

    Raises
    ------
    EcgStreamError : when shapes do not fit, or there is nothing or too much to draw
    """

    fs_hz: float
    leads: tuple[str, ...]
    samples_mv: Float32Array
    start_s: float
    beats: tuple[StripBeat, ...] = ()
    reference: tuple[StripBeat, ...] | None = None
    windows: tuple[StripWindow, ...] = ()
    findings: tuple[StripFinding, ...] = ()
    evidence: tuple[StripEvidence, ...] = ()

    def __post_init__(self) -> None:
        check_fs(self.fs_hz)
        if self.samples_mv.ndim != 2 or self.samples_mv.shape[1] != len(self.leads) or not self.samples_mv.size:
            raise EcgStreamError(
                f"samples of shape {self.samples_mv.shape} make no strip of {len(self.leads)} leads: give one column "
                "for each lead, and at least one sample"
            )
        if self.seconds > MAX_STRIP_S:
            raise EcgStreamError(f"a strip of {self.seconds:g} s is above {MAX_STRIP_S:g} s: draw it in parts")
        for evidence in self.evidence:
            if evidence.weight.ndim != 2 or evidence.weight.shape[1] != len(self.leads):
                raise EcgStreamError(
                    f"evidence of shape {evidence.weight.shape} does not fit {len(self.leads)} leads: give one column "
                    "for each lead"
                )

    @property
    def seconds(self) -> float:
        """The strip's length in seconds."""
        return len(self.samples_mv) / self.fs_hz

    @property
    def end_s(self) -> float:
        """The time after the last sample, s."""
        return self.start_s + self.seconds
