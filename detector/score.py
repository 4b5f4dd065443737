"""Results that are judged: the models' scores of a window, the measures of a rapid check."""

from dataclasses import dataclass

from detector.beat_map import BeatFinding
from ecg.lethal import Measured
from ecg.p_waves import PWaves
from ecg.records import Float32Array
from ecg.segments import Holes


@dataclass(frozen=True, slots=True, kw_only=True)
class Score:
    """Outputs of the models on a window; None throughout where no lead could be judged, or all that could is noise.

    Attributes
    ----------
    lead : name of the judged lead
    logit : of the CNN, above 0 for an abnormal window
    log_error : natural logarithm of the autoencoder's error in normalised units; None where there is no autoencoder
    beats : beats of the newest seconds that the beat map covers
    heart_rate_bpm : from the beats of the whole segment
    quality, flags : of the lead that was judged, or of the first where none could be
    parts : what carried it, by parts of the window: (2, PARTS) float32, beats and shape as ``PartEvidence`` has them;
        None where a model of one's own tells no such thing
    leakage : of the VF filter over the window's judged lead, None where it was not measured
    holes : positions [start, end) in the segment, at the models' rate, where missing samples may hide a beat
    whole : whether the judged lead lacks no sample in its context and window
    lacking : whether too little was received of the lead to judge first, or of any where none could be judged
    second : name of the other lead that the models saw, None where there is none
    p_waves : evidence of P waves in the segment, of the lead that shows more of them; None where there is none
    """

    lead: str | None
    logit: float | None
    log_error: float | None
    beats: tuple[BeatFinding, ...]
    heart_rate_bpm: float | None
    quality: tuple[float, float, float, float]
    flags: tuple[str, ...]
    parts: Float32Array | None = None
    leakage: float | None = None
    holes: Holes = ()
    whole: bool = True
    lacking: bool = False
    second: str | None = None
    p_waves: PWaves | None = None


Result = Score | Measured  # of a window, of a rapid check
