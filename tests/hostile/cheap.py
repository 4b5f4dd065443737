"""A heart and a scorer that cost little: any sample that differs shows in the score."""

from collections.abc import Sequence
from zlib import crc32

import numpy as np

from detector.baseline import QRS_AFTER, QRS_BEFORE
from detector.beat_features import Floats
from detector.beat_map import BeatFinding
from detector.due import DueWindow
from detector.manifest import load_manifest
from detector.score import Score
from detector.scorer import Scorer
from ecg.records import MISSING, Int16Array, Record
from ecg.second_filter import FilteredSignal
from ecg.segments import MODEL_FS_HZ, Preprocessing
from models import SHIPPED
from tests.detector.beat_classes import by_network

FS_HZ = 125.0
GAIN = 200.0
BEAT = np.array([0.1, 0.4, 1.0, 0.4, -0.2, -0.1])
EVERY_S = 0.8
_QRS = np.stack([np.hanning(QRS_BEFORE + QRS_AFTER)] * 2).astype(np.float32)


class CheapScorer(Scorer):
    """Judges by what the samples add up to, and takes what stands out for a beat."""

    def __init__(self) -> None:
        self.manifest = load_manifest(SHIPPED)
        self.preprocessing = Preprocessing()
        self.reference = None  # these scores are of no models

    def score(self, windows: Sequence[DueWindow], signals: Sequence[FilteredSignal]) -> list[Score]:  # noqa: ARG002
        """Judge windows, in their order."""
        return [_score(window) for window in windows]

    def class_beats(self, features: Floats) -> list[list[float]]:
        """Class beats, in their order."""
        return by_network(features)


def heart(name: str, seconds: float, *, stops: Sequence[tuple[float, float]] = (), seed: int = 0) -> Record:
    """A recording with a beat every 0.8 s, wild ones in every third half minute, and none where it stops.

    Parameters
    ----------
    name : of the record
    seconds : how long it is
    stops : from and to where the heart stops, s
    seed : of the noise
    """
    count = int(seconds * FS_HZ)
    signal = np.random.default_rng(seed).normal(0, 0.01, count)
    for number in range(int(seconds / EVERY_S)):
        at_s = number * EVERY_S
        if any(start <= at_s < end for start, end in stops):
            continue
        at = round(at_s * FS_HZ)
        part = signal[at : at + len(BEAT)]
        part += BEAT[: len(part)] * (2.0 if int(at_s / 15) % 3 == 2 else 1.0)
    samples: Int16Array = np.rint(signal * GAIN).astype(np.int16)[:, None]
    return Record(name=name, fs_hz=FS_HZ, leads=("MLII",), gain=(GAIN,), baseline=(0,), samples=samples)


def _score(window: DueWindow) -> Score:
    fs_hz, column = window.source.fs_hz, window.columns[0]
    raw = window.segment[:, 0]
    newest = raw[-int(5 * fs_hz) :]
    missing = float(np.mean(newest == MISSING))
    if missing > 0.5:
        return Score(
            lead=None,
            logit=None,
            log_error=None,
            beats=(),
            heart_rate_bpm=None,
            quality=(missing, 0.0, 0.0, 0.0),
            flags=("gap",),
        )
    here = np.where(
        raw == MISSING, 0.0, (raw.astype(float) - window.source.baseline[column]) / window.source.gain[column]
    )
    trace = crc32(window.segment.tobytes()) / 2**32
    peaks = [n for n in np.flatnonzero(here > 0.5) if 0 < n < len(here) - 1 and here[n - 1] < here[n] >= here[n + 1]]
    positions = sorted({int(n * MODEL_FS_HZ / fs_hz) for n in peaks})
    return Score(
        lead=window.source.leads[column],
        logit=trace + (6.0 if here[-len(newest) :].max() > 1.5 else -4.0),
        log_error=trace - 1.0,
        beats=tuple(
            BeatFinding(position=position, shares=(0.97, 0.01, 0.01, 0.01), qrs=_QRS)
            for position in positions
            if position >= 500
        ),
        heart_rate_bpm=75.0,
        quality=(missing, 0.0, 0.0, 0.0),
        flags=(),
    )
