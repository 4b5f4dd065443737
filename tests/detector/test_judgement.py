"""Windows judged against what is usual for their patient."""

from dataclasses import replace
from functools import cache

import numpy as np
import pytest

from detector.baseline import QRS_AFTER, QRS_BEFORE, PersonalBaseline
from detector.beat_map import BeatFinding
from detector.judgement import LIMIT, Evidence, Judgement, fused, judge_window, settled
from detector.manifest import Calibration, Manifest, PersonalReading, load_manifest
from detector.score import Score
from ecg.segments import MODEL_SAMPLES
from models import SHIPPED

S = 1_000_000_000
TIME = np.arange(-QRS_BEFORE, QRS_AFTER)
NARROW = (4 * np.exp(-((TIME / 2) ** 2))).astype(np.float32)
WIDE = (-4 * np.exp(-((TIME / 6) ** 2))).astype(np.float32)
NORMAL, UNSURE, VENTRICULAR, FUSION = (
    (0.99, 0.01, 0.0, 0.0),
    (0.5, 0.48, 0.02, 0.0),
    (0.05, 0.0, 0.9, 0.05),
    (0.1, 0, 0.2, 0.7),
)


@cache
def manifest() -> Manifest:
    return load_manifest(SHIPPED)


def score(beats: list[tuple[int, tuple[float, float, float, float], np.ndarray]], *, logit: float = -3.0) -> Score:
    """Beats at samples of the newest 6 s."""
    return Score(
        lead="MLII",
        logit=logit,
        log_error=-1.0,
        beats=tuple(
            BeatFinding(position=MODEL_SAMPLES - 600 + at, shares=shares, qrs=qrs) for at, shares, qrs in beats
        ),
        heart_rate_bpm=None,
        quality=(0.0, 0.0, 0.0, 0.0),
        flags=(),
    )


def judged(windows: list[Score]) -> list[Judgement]:
    baseline, found = PersonalBaseline(), []
    for number, one in enumerate(windows):
        baseline, judgement = judge_window(
            baseline,
            one,
            start_ns=5 * number * S,
            new_from_ns=5 * number * S,
            end_ns=5 * (number + 1) * S,
            reading=manifest().personal,
            calibration=manifest().calibration,
        )
        found.append(judgement)
    return found


def steady(windows: int) -> list[Score]:
    """A beat a second, each told by the window in which it has settled."""
    return [score([(at, NORMAL, NARROW) for at in range(0, 600, 100)]) for _ in range(windows)]


def classes(judgement: Judgement) -> str:
    return "".join(beat.beat_class or "?" for beat in judgement.beats)


def test_every_beat_is_reported_once() -> None:
    times = [beat.t_ns for judgement in judged(steady(6)) for beat in judgement.beats]
    assert np.diff(times).tolist() == [S] * (len(times) - 1)
    assert len(times) == 30


def test_an_early_narrow_beat_is_supraventricular_and_the_same_beat_in_time_is_normal() -> None:
    early = score([(0, NORMAL, NARROW), (100, NORMAL, NARROW), (155, UNSURE, NARROW), (300, NORMAL, NARROW)])
    in_time = score([(at, UNSURE, NARROW) for at in range(0, 600, 100)])
    assert "S" in classes(judged([*steady(6), early])[-1])
    assert "S" not in classes(judged([*steady(6), in_time])[-1])


def test_an_early_beat_in_an_irregular_rhythm_tells_nothing() -> None:
    random = np.random.default_rng(2)
    windows, t = [], 0.0
    marks: list[list[int]] = [[] for _ in range(14)]
    while t < 70:
        for number in range(14):
            at = round((t - (5 * number - 1)) * 100)
            if 0 <= at < 600:
                marks[number].append(at)
        t += float(random.uniform(0.4, 1.2))
    windows = [score([(at, UNSURE, NARROW) for at in mark]) for mark in marks]
    assert "S" not in "".join(classes(judgement) for judgement in judged(windows)[6:])


def test_a_strange_beat_is_ventricular_and_the_networks_doubt_alone_is_not() -> None:
    doubt = (0.35, 0.05, 0.55, 0.05)
    strange = score([(0, NORMAL, NARROW), (100, NORMAL, NARROW), (160, doubt, WIDE), (300, NORMAL, NARROW)])
    usual = score([(0, NORMAL, NARROW), (100, NORMAL, NARROW), (200, doubt, NARROW), (300, NORMAL, NARROW)])
    assert "V" in classes(judged([*steady(6), strange])[-1])
    assert "V" not in classes(judged([*steady(6), usual])[-1])


def test_a_fusion_beat_is_named_and_counts_as_ventricular_evidence() -> None:
    plain, fusion = judged([*steady(5), score([(100, FUSION, WIDE), (300, NORMAL, NARROW)])])[-2:]
    assert "F" in classes(fusion)
    assert fusion.evidence is not None
    assert plain.evidence is not None
    assert fusion.evidence.ventricular > plain.evidence.ventricular


def test_a_beat_that_has_not_settled_counts_and_is_not_learned_from() -> None:
    late = score([*((at, NORMAL, NARROW) for at in range(0, 500, 100)), (560, VENTRICULAR, WIDE)])
    with_it, without = judged([*steady(5), late])[-1], judged(steady(6))[-1]
    assert classes(with_it) == "NNNN"
    assert with_it.evidence is not None
    assert without.evidence is not None
    assert with_it.evidence.ventricular > without.evidence.ventricular
    assert with_it.fused is not None
    assert without.fused is not None
    assert with_it.fused > without.fused


def test_a_window_that_no_lead_can_tell_of_changes_nothing() -> None:
    nothing = replace(score([]), lead=None, logit=None, log_error=None)
    baseline = PersonalBaseline(last_beat_ns=3 * S)
    after, judgement = judge_window(
        baseline,
        nothing,
        start_ns=0,
        new_from_ns=0,
        end_ns=5 * S,
        reading=manifest().personal,
        calibration=manifest().calibration,
    )
    assert after is baseline
    assert judgement == Judgement()


def test_probabilities_are_probabilities_whatever_the_networks_say() -> None:
    for logit in (-1e6, 1e6):
        (one,) = judged([replace(score([]), logit=logit, log_error=50.0)])
        assert all(0 < p < 1 for p in (one.cnn, one.autoencoder, one.fused) if p is not None)
        assert one.evidence is not None
        assert abs(one.evidence.cnn) <= LIMIT


def test_settled_beats_are_new_apart_and_half_a_second_old() -> None:
    window = {"new_from_ns": 10 * S, "end_ns": 15 * S}
    times = [9 * S, 9 * S + 300_000_000, 10 * S, 10 * S + 100_000_000, 14 * S, 14 * S + 600_000_000]
    assert settled(times, **window, last_ns=None) == [1, 2, 4]
    assert settled(times, **window, last_ns=10 * S) == [4]


def test_fused_is_the_weighted_sum_of_the_evidence() -> None:
    calibration = manifest().calibration
    evidence = Evidence(cnn=1.0, autoencoder=2.0, ventricular=3.0, supraventricular=4.0, irregularity=0.5)
    weights = np.array(
        [
            getattr(calibration, f"fused_{name}")
            for name in ("cnn", "autoencoder", "ventricular", "supraventricular", "irregularity")
        ]
    )
    assert fused(evidence, calibration) == pytest.approx(weights @ [1, 2, 3, 4, 0.5] + calibration.fused_bias)
    assert isinstance(calibration, Calibration)
    assert isinstance(manifest().personal, PersonalReading)
