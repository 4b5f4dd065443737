"""Verdicts and annotations made by hand."""

import numpy as np

from bus.messages import Beat, Continuity, Quality, Verdict
from detector.manifest import Thresholds
from ecg.annotations import Annotations

FS_HZ = 250.0
START_NS = 1_000_000_000_000
THRESHOLDS = Thresholds(cnn=0.4, autoencoder=0.6, fused=0.5)


def verdict(window: int, score: float | None, beats: tuple[tuple[float, str], ...] = ()) -> Verdict:
    """A verdict whose three scores are one number."""
    return Verdict(
        id=f"p/{START_NS}/{window}",
        patient="p",
        device="d",
        stream_start_ns=START_NS,
        window=window,
        start_ns=START_NS + window * 5_000_000_000,
        end_ns=START_NS + (window + 1) * 5_000_000_000,
        fs_hz=FS_HZ,
        leads=("MLII",),
        lead="MLII",
        decision="unusable" if score is None else "abnormal" if score >= 0.5 else "normal",
        cnn=score,
        autoencoder=score,
        autoencoder_error=score,
        fused=score,
        threshold=0.5,
        beats=tuple(
            Beat(t_ns=START_NS + round(time_s * 1e9), beat_class=letter, confidence=0.9) for time_s, letter in beats
        ),
        heart_rate_bpm=None,
        quality=Quality(missing=0, flat=0, clipped=0, noise=0),
        continuity=Continuity(),
        reasons=(),
        models={},
    )


def annotations(*beats: tuple[float, str]) -> Annotations:
    """Beats by their seconds and symbols."""
    return Annotations(
        sample=np.array([round(time_s * FS_HZ) for time_s, _ in beats], np.int64),
        symbol=tuple(symbol for _, symbol in beats),
        aux=("",) * len(beats),
    )


# Five windows: normal, ventricular, class Q (left out), normal, supraventricular; the last has no usable signal.
ANNOTATIONS = annotations((1, "N"), (6, "V"), (7, "N"), (11, "Q"), (16, "N"), (21, "A"))
VERDICTS = [
    verdict(0, 0.1, ((1.0, "N"),)),
    verdict(1, 0.9, ((6.05, "V"), (7.0, "N"))),
    verdict(2, 0.95),
    verdict(3, 0.55, ((13.0, "N"), (16.1, "S"))),
    verdict(4, None),
]
