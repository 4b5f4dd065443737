"""The detector's way through records, from networks that have not seen them: the same code, without a stream."""

from collections.abc import Sequence
from itertools import islice
from typing import Any

import numpy as np
import numpy.typing as npt

from detector.baseline import PersonalBaseline
from detector.beat_map import BeatMapReader
from detector.judgement import Judgement, ReportedBeats, classed_beats, judge_window
from detector.manifest import BeatMap, BeatReading, Calibration
from detector.patient import ClassBeats
from detector.score import Score
from detector.scorer import log_of, p_waves_of
from detector.weighing import OVERLAP_NS, SETTLE_NS, Unweighed, WeighedWindow, settled, time_of, weigh_windows
from ecg.beats import find_beats
from ecg.rhythm import step
from ecg.rhythm_state import RhythmState, Span
from ecg.segments import MODEL_FS_HZ
from ecg.windows import WINDOW_S
from training.outoffold import OutOfFold

LEAD, SECOND = "judged", "second"
_WINDOW_NS = round(WINDOW_S * 1e9)
Candidates = list[npt.NDArray[np.int64]]


def candidates_of(record: OutOfFold) -> Candidates:
    """The QRS candidates of each window, as the scorer finds them."""
    none = np.empty(0, np.int64)
    found = []
    for inputs, usable in zip(record.windows.inputs, record.windows.usable, strict=True):
        lead = inputs[0].astype(np.float32)
        start = int(np.argmax(lead != 0))
        found.append(find_beats(lead[start:], MODEL_FS_HZ) + start if usable else none)
    return found


def scores_of(record: OutOfFold, candidates: Candidates, settings: BeatMap) -> list[Score]:
    """Return what the scorer would say of each window."""
    windows = record.windows
    reader = BeatMapReader(record.maps.astype(np.float32), settings)
    log_errors = log_of(record.errors)
    nothing: dict[str, Any] = {"heart_rate_bpm": None, "quality": (0.0, 0.0, 0.0, 0.0), "flags": ()}
    p_waves = p_waves_of(windows.inputs.astype(np.float32), candidates)
    scores = []
    for number, usable in enumerate(windows.usable):
        if not usable:
            scores.append(Score(lead=None, logit=None, log_error=None, beats=(), **nothing))
            continue
        signals = windows.inputs[number].astype(np.float32)
        beats = reader.beats(number, candidates[number], signals)
        logit, log_error = float(record.logits[number]), float(log_errors[number])
        second = SECOND if signals[1].any() else None
        scores.append(
            Score(
                lead=LEAD,
                second=second,
                logit=logit,
                log_error=log_error,
                beats=beats,
                p_waves=p_waves[number],
                **nothing,
            )
        )
    return scores


def times_of(record: OutOfFold, scores: Sequence[Score]) -> npt.NDArray[np.float64]:
    """Return when the beats are that the verdicts would report, s since the record's start."""
    last_ns: int | None = None
    times: list[int] = []
    for end_s, score in zip(record.windows.end_s, scores, strict=True):
        end_ns = round(end_s * 1e9)
        found = [time_of(beat.position, end_ns) for beat in score.beats]
        new = settled(found, new_from_ns=end_ns - _WINDOW_NS, end_ns=end_ns, last_ns=last_ns)
        times.extend(found[index] for index in new)
        last_ns = times[-1] if times else None
    return np.array(times, np.float64) / 1e9


def weigh(record: OutOfFold, scores: Sequence[Score], calibration: Calibration) -> list[WeighedWindow | None]:
    """The windows of a record with their beats described, in order, the patient's baseline learned on the way."""
    baseline = PersonalBaseline()
    windows = []
    for end_s, score in zip(record.windows.end_s, scores, strict=True):
        end_ns = round(end_s * 1e9)
        ((baseline, window),) = weigh_windows([Unweighed(baseline, score, end_ns - _WINDOW_NS, end_ns)], calibration)
        windows.append(window)
    return windows


def judge(
    record: OutOfFold,
    scores: Sequence[Score],
    class_beats: ClassBeats,
    *,
    reading: BeatReading,
    calibration: Calibration,
) -> list[Judgement]:
    """The judgement of each window of a record, in order."""
    windows = weigh(record, scores, calibration)
    rows = [window.rows for window in windows if window is not None]
    classed = iter(classed_beats(class_beats(np.concatenate(rows)) if rows else [], reading))
    judgements = []
    rhythm, reported = RhythmState(), ReportedBeats()
    for end_s, score, window in zip(record.windows.end_s, scores, windows, strict=True):
        end_ns = round(end_s * 1e9)
        judgement, reported = judge_window(
            window,
            [] if window is None else list(islice(classed, len(window.rows))),
            reported,
            start_ns=end_ns - _WINDOW_NS,
            next_start_ns=end_ns,
            fibrillates=rhythm.fibrillates,
            calibration=calibration,
        )
        judgements.append(judgement)
        span = Span(
            start_ns=end_ns - _WINDOW_NS,
            end_ns=end_ns,
            settled_ns=end_ns - SETTLE_NS - OVERLAP_NS,
            usable=window is not None,
            p_waves=score.p_waves,
        )
        rhythm, _ = step(rhythm, ((beat.t_ns, beat.beat_class or "Q") for beat in judgement.beats), span)
    return judgements
