"""Findings of the rhythm in annotated beats, by the rules by which the detector reads the beats that it finds."""

from bisect import bisect_left

import numpy as np

from ecg.annotations import Annotations
from ecg.findings import RhythmFinding
from ecg.labels import beat_labels
from ecg.rhythm import step
from ecg.rhythm_state import RhythmState, Span
from ecg.windows import WINDOW_S

_WINDOW_NS = round(WINDOW_S * 1e9)


def findings_in_beats(annotations: Annotations, fs_hz: float, seconds: float) -> list[RhythmFinding]:
    """Return the findings in annotated beats, window by window; one that grows is there again, longer.

    Times are in ns from the recording's first sample. No annotated beat tells of the atria, nor of waves without beats.

    Parameters
    ----------
    annotations : the reference
    fs_hz : sampling rate in Hz
    seconds : length of the recording
    """
    labels = beat_labels(annotations)
    times_ns = np.rint(labels.sample / fs_hz * 1e9).astype(np.int64).tolist()
    letters = labels.aami.tolist()
    found: list[RhythmFinding] = []
    state, next_beat = RhythmState(), 0
    for start_ns in range(0, round(seconds * 1e9) - _WINDOW_NS + 1, _WINDOW_NS):
        until_ns = start_ns + _WINDOW_NS
        last = bisect_left(times_ns, until_ns, lo=next_beat)
        beats = list(zip(times_ns[next_beat:last], letters[next_beat:last], strict=True))
        span = Span(start_ns=start_ns, end_ns=until_ns, settled_ns=until_ns, usable=True)
        state, of_window = step(state, beats, span)
        found.extend(of_window)
        next_beat = last
    return found
