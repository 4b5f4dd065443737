"""Windows judged against what is usual for their patient."""

import json
from dataclasses import fields, replace
from functools import cache
from math import isnan, log

import numpy as np
import pytest

from bus.final_beats import final_beats
from detector.baseline import QRS_AFTER, QRS_BEFORE, PersonalBaseline
from detector.beat_features import NAMES, Floats, completed
from detector.beat_history import BeatHistory, OpenBeat
from detector.beat_map import BeatFinding
from detector.judgement import Evidence, Judgement, ReportedBeats, classed_beats, fused, judge_window
from detector.manifest import BeatReading, Calibration, Manifest, load_manifest
from detector.patient import ClassBeats
from detector.score import Score
from detector.weighing import LIMIT, Unweighed, WeighedWindow, settled, weigh_windows
from ecg.segments import MODEL_SAMPLES
from models import SHIPPED
from tests.detector.beat_classes import EVEN, by_network

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


CALIBRATION = manifest().calibration


def score(beats: list[tuple[int, tuple[float, float, float, float], np.ndarray]], *, logit: float = -3.0) -> Score:
    """Beats at samples of the newest 6 s."""
    return Score(
        lead="MLII",
        logit=logit,
        log_error=-1.0,
        beats=tuple(
            BeatFinding(position=MODEL_SAMPLES - 600 + at, shares=shares, qrs=np.stack([qrs, qrs]))
            for at, shares, qrs in beats
        ),
        heart_rate_bpm=None,
        quality=(0.0, 0.0, 0.0, 0.0),
        flags=(),
    )


def weigh(
    baseline: PersonalBaseline, one: Score, new_from_ns: int, end_ns: int
) -> tuple[PersonalBaseline, WeighedWindow | None]:
    (found,) = weigh_windows([Unweighed(baseline, one, new_from_ns, end_ns)], CALIBRATION)
    return found


def judged(windows: list[Score], *, hop_s: int = 5, class_beats: ClassBeats = by_network) -> list[Judgement]:
    baseline, found = PersonalBaseline(), list[Judgement]()
    reported = ReportedBeats()
    for number, one in enumerate(windows):
        end_ns = (5 + hop_s * number) * S
        baseline, weighed = weigh(baseline, one, end_ns - hop_s * S, end_ns)
        judgement, reported = judge_window(
            weighed,
            [] if weighed is None else classed_beats(class_beats(weighed.rows), EVEN),
            reported,
            start_ns=end_ns - 5 * S,
            next_start_ns=end_ns - (5 - hop_s) * S,
            fibrillates=False,
            calibration=CALIBRATION,
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


def test_the_beats_of_a_window_are_described_against_those_before_and_behind() -> None:
    early = score([(0, NORMAL, NARROW), (100, NORMAL, NARROW), (155, UNSURE, WIDE), (300, NORMAL, NARROW)])
    baseline = PersonalBaseline()
    for number, one in enumerate([*steady(6), early]):
        baseline, weighed = weigh(baseline, one, 5 * number * S, 5 * (number + 1) * S)
    assert weighed is not None
    assert weighed.reported == 3  # the one at 0 was reported with the window before
    usual, strange, behind = (dict(zip(NAMES, row, strict=True)) for row in weighed.features)
    assert usual["rr_over_mean_32"] == pytest.approx(0, abs=1e-3)
    assert strange["rr_over_mean_32"] == pytest.approx(log(0.55), abs=0.01)
    assert strange["next_over_rr"] == pytest.approx(log(1.45 / 0.55), abs=0.01)
    assert behind["rr_over_previous"] == pytest.approx(log(1.45 / 0.55), abs=0.01)
    assert isnan(behind["next_over_rr"])
    assert strange["unlike"] > 1
    assert usual["unlike"] < 0.1
    assert strange["like_previous"] < 0


def test_the_other_lead_is_seen_where_there_is_one() -> None:
    def second(windows: list[Score]) -> float:
        baseline = PersonalBaseline()
        for number, one in enumerate(windows):
            baseline, weighed = weigh(baseline, one, 5 * number * S, 5 * (number + 1) * S)
        assert weighed is not None
        return float(weighed.features[-1, NAMES.index("unlike_second")])

    two = [replace(one, second="V1") for one in steady(4)]
    assert isnan(second(steady(4)))
    assert second(two) == pytest.approx(0, abs=1e-3)


def test_windows_weighed_together_are_weighed_as_each_alone() -> None:
    """Patients who have just come, who lack a lead, a beat or a whole signal, beside others."""
    odd = score([(100, VENTRICULAR, WIDE), (300, UNSURE, NARROW), (480, NORMAL, NARROW), (560, FUSION, WIDE)])
    before = [PersonalBaseline()]
    for number, one in enumerate(steady(8)):
        before.append(weigh(before[-1], replace(one, second="V1"), 5 * number * S, 5 * (number + 1) * S)[0])
    windows = [
        Unweighed(before[0], odd, 0, 5 * S),
        Unweighed(before[8], replace(odd, second="V1"), 40 * S, 45 * S),
        Unweighed(before[3], replace(odd, lead=None, logit=None, log_error=None), 15 * S, 20 * S),
        Unweighed(before[2], score([]), 10 * S, 15 * S),
        Unweighed(before[5], replace(odd, holes=((MODEL_SAMPLES - 450, MODEL_SAMPLES - 430),)), 25 * S, 30 * S),
        Unweighed(before[1], odd, 5 * S, 10 * S),
    ]
    together = weigh_windows(windows, CALIBRATION)
    for window, (after, found) in zip(windows, together, strict=True):
        after_alone, alone = weigh(*window)
        assert after_alone == after
        assert (alone is None) == (found is None)
        if alone is not None and found is not None:
            assert np.array_equal(alone.rows, found.rows, equal_nan=True)
            plain = [each.name for each in fields(alone) if each.name not in {"features", "completed"}]
            assert [getattr(alone, name) for name in plain] == [getattr(found, name) for name in plain]


def test_evidence_reaches_into_the_next_window_only_where_windows_overlap() -> None:
    odd = score([*((at, NORMAL, NARROW) for at in range(0, 400, 100)), (450, VENTRICULAR, WIDE)])
    calm = score([(at, NORMAL, NARROW) for at in range(0, 600, 100)])
    after, overlapping = judged([*steady(3), odd, calm])[-1], judged([odd, calm], hop_s=1)[-1]
    assert after.evidence is not None
    assert overlapping.evidence is not None
    assert overlapping.evidence.ventricular > 0 > after.evidence.ventricular


def test_a_bias_moves_what_a_beat_is_called_and_not_whether_it_is_one() -> None:
    early = score([(0, NORMAL, NARROW), (100, NORMAL, NARROW), (155, UNSURE, NARROW), (300, NORMAL, NARROW)])
    _, weighed = weigh(PersonalBaseline(), early, 0, 5 * S)
    assert weighed is not None

    def called(bias: float) -> str:
        judgement, _ = judge_window(
            weighed,
            classed_beats(by_network(weighed.rows), BeatReading(biases=(0.0, bias, 0.0, 0.0))),
            ReportedBeats(),
            start_ns=0,
            next_start_ns=5 * S,
            fibrillates=False,
            calibration=CALIBRATION,
        )
        return classes(judgement)

    assert (called(-1.0), called(1.0)) == ("NNN", "NSN")


def test_the_last_beat_of_a_window_is_classed_again_once_the_next_is_known() -> None:
    """Of the last beat, the next interval is not known; with the trees it may change the class."""

    def by_pause(rows: Floats) -> list[list[float]]:
        # Premature where a pause follows.
        return [
            [0.1, 0.9, 0.0, 0.0] if row[NAMES.index("next_over_mean")] > 0.3 else [0.9, 0.1, 0.0, 0.0] for row in rows
        ]

    paused = score([(200, NORMAL, NARROW), (300, NORMAL, NARROW), (400, NORMAL, NARROW), (500, NORMAL, NARROW)])
    for after, corrected in ((paused, 20), (steady(1)[0], None)):
        windows = judged([*steady(4), after], class_beats=by_pause)
        last, next_ = windows[-2], windows[-1]
        assert classes(last) == "NNNNN"
        assert all(judgement.corrected is None for judgement in windows[:-1])
        if corrected is None:
            assert next_.corrected is None
        else:
            assert next_.corrected is not None
            assert next_.corrected._replace(confidence=None) == last.beats[-1]._replace(beat_class="S", confidence=None)
            beats = final_beats(windows)
            assert [beat.t_ns for beat in beats] == [beat.t_ns for one in windows for beat in one.beats]
            assert "".join(beat.beat_class or "?" for beat in beats) == "N" * 19 + "S" + "N" * 4


def test_a_beat_keeps_its_class_where_what_followed_it_was_not_seen_or_the_clock_jumped() -> None:
    baseline = PersonalBaseline()
    for number, one in enumerate(steady(3)):
        baseline, _ = weigh(baseline, one, 5 * number * S, 5 * (number + 1) * S)
    assert baseline.open_beat is not None

    def behind(before: PersonalBaseline, one: Score) -> WeighedWindow | None:
        return weigh(before, one, 15 * S, 20 * S)[1]

    one = steady(1)[0]
    whole = behind(baseline, one)
    torn = behind(baseline, replace(one, holes=((MODEL_SAMPLES - 540, MODEL_SAMPLES - 510),)))
    jumped = behind(baseline.shifted(S), one)
    assert whole is not None
    assert torn is not None
    assert jumped is not None
    assert whole.completed_ns == baseline.open_beat.t_ns
    assert (torn.completed, jumped.completed) == (None, None)


def test_a_beat_is_completed_as_if_all_had_been_seen_at_once() -> None:
    """The features told late are those that a longer window would have told at once, to within the step kept."""
    early = score([(0, NORMAL, NARROW), (100, NORMAL, NARROW), (255, UNSURE, WIDE)])
    baseline = PersonalBaseline()
    for number, one in enumerate([*steady(6), early]):
        before = baseline
        baseline, weighed = weigh(baseline, one, 5 * number * S, 5 * (number + 1) * S)
    assert weighed is not None
    assert baseline.open_beat is not None
    waiting = OpenBeat.load(json.loads(json.dumps(baseline.open_beat.dump())))
    behind = replace(early, beats=(*early.beats, score([(480, NORMAL, NARROW)]).beats[0]))
    _, at_once = weigh(before, behind, 30 * S, 35 * S)
    assert at_once is not None
    late = completed(waiting, at_once.times_ns[-1], (-4.0, -4.0), ())
    expected = at_once.features[-2]
    known = [index for index, name in enumerate(NAMES) if "odds_after" not in name]
    assert late is not None
    assert np.array(late)[known] == pytest.approx(np.array(expected)[known], abs=1e-4, nan_ok=True)


def test_a_beat_that_was_not_all_received_has_no_class_and_is_no_evidence() -> None:
    odd = score([(100, NORMAL, NARROW), (300, VENTRICULAR, WIDE)])
    torn = replace(odd, beats=tuple(beat._replace(whole=False) for beat in odd.beats))
    (whole,), (judgement,) = judged([odd]), judged([torn])
    assert (classes(whole), classes(judgement)) == ("NV", "??")
    assert whole.evidence is not None
    assert judgement.evidence is not None
    assert whole.evidence.ventricular > 0 > judgement.evidence.ventricular


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
    baseline = PersonalBaseline(history=BeatHistory(last_ns=3 * S))
    after, weighed = weigh(baseline, nothing, 0, 5 * S)
    assert after is baseline
    assert weighed is None
    judgement, _ = judge_window(
        weighed,
        [],
        ReportedBeats(),
        start_ns=0,
        next_start_ns=5 * S,
        fibrillates=False,
        calibration=CALIBRATION,
    )
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
    calibration = CALIBRATION
    evidence = Evidence(cnn=1.0, autoencoder=2.0, ventricular=3.0, supraventricular=4.0, irregularity=0.5)
    weights = np.array(
        [
            getattr(calibration, f"fused_{name}")
            for name in ("cnn", "autoencoder", "ventricular", "supraventricular", "irregularity")
        ]
    )
    assert fused(evidence, calibration) == pytest.approx(weights @ [1, 2, 3, 4, 0.5] + calibration.fused_bias)
    assert isinstance(calibration, Calibration)


def test_nothing_is_called_premature_while_atrial_fibrillation_lasts() -> None:
    early = score([(0, NORMAL, NARROW), (100, NORMAL, NARROW), (155, (0.2, 0.8, 0.0, 0.0), NARROW)])
    _, weighed = weigh(PersonalBaseline(), early, 0, 5 * S)
    assert weighed is not None
    found = [
        judge_window(
            weighed,
            classed_beats(by_network(weighed.rows), EVEN),
            ReportedBeats(),
            start_ns=0,
            next_start_ns=5 * S,
            fibrillates=fibrillates,
            calibration=CALIBRATION,
        )[0]
        for fibrillates in (False, True)
    ]
    assert [classes(judgement) for judgement in found] == ["NS", "NN"]
    sinus, fibrillation = (judgement.evidence for judgement in found)
    assert sinus is not None
    assert fibrillation is not None
    assert sinus == fibrillation, "an irregular rhythm is no evidence of a normal window"
