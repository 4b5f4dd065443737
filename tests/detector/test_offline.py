from dataclasses import replace

import numpy as np
import pytest

from bus.messages import Verdict
from detector.offline import EPOCH_NS
from detector.scorer import Scorer
from ecg.records import MISSING, Record
from tests.support.recordings import recording
from tests.support.verdicts import verdicts_of

SAME = 1e-6


@pytest.fixture(scope="module")
def whole(excerpt: Record, scorer: Scorer) -> list[Verdict]:
    return verdicts_of(excerpt, scorer)


def assert_same(found: list[Verdict], expected: list[Verdict]) -> None:
    assert [v.id for v in found] == [v.id for v in expected]
    for one, other in zip(found, expected, strict=True):
        for name in ("cnn", "autoencoder", "fused"):
            assert getattr(one, name) == pytest.approx(getattr(other, name), abs=SAME)
        assert [b.t_ns for b in one.beats] == [b.t_ns for b in other.beats]
        assert (one.decision, one.quality, one.continuity) == (other.decision, other.quality, other.continuity)


@pytest.mark.parametrize("chunk_s", [0.1, 0.73, 5.0])
def test_chunks_change_nothing(excerpt: Record, scorer: Scorer, whole: list[Verdict], chunk_s: float) -> None:
    assert_same(verdicts_of(excerpt, scorer, chunk_s=chunk_s), whole)


def test_every_window_of_the_excerpt_is_judged(whole: list[Verdict], excerpt: Record) -> None:
    assert [v.window for v in whole] == list(range(int(excerpt.seconds // 5)))
    assert all(v.decision != "unusable" for v in whole)
    assert all(0 <= (v.fused or -1) <= 1 for v in whole)


def test_premature_ventricular_beats_are_found_abnormal(whole: list[Verdict]) -> None:
    # Record 208 holds one ventricular or fusion beat in three here: nearly every window has some.
    assert sum(v.decision == "abnormal" for v in whole) > 0.7 * len(whole)
    assert any("ventricular beat" in reason for v in whole for reason in v.reasons)


def test_two_couplets_of_a_window_are_one_reason(scorer: Scorer) -> None:
    verdicts = verdicts_of(recording("208"), scorer)
    assert any([finding.kind for finding in verdict.findings].count("couplet") > 1 for verdict in verdicts)
    assert all(len(verdict.reasons) == len(set(verdict.reasons)) for verdict in verdicts)


def test_an_abnormal_verdict_says_which_parts_carried_it(whole: list[Verdict]) -> None:
    for verdict in whole:
        assert (verdict.evidence is not None) == (verdict.decision == "abnormal")
    near, published = 0, 0
    for verdict in whole:
        ventricular = [(b.t_ns - verdict.start_ns) / 1e9 for b in verdict.beats if b.beat_class == "V"]
        if verdict.evidence is None or len(ventricular) != 1 or ventricular[0] < 0:
            continue
        assert len(verdict.evidence.beats) == len(verdict.evidence.shape) == 25
        published += 1
        strongest_s = (int(np.argmax(verdict.evidence.beats)) + 0.5) * verdict.evidence.part_s
        near += abs(strongest_s - ventricular[0]) <= 0.3
    assert published > 0
    assert near >= 0.6 * published


def test_beats_are_reported_once_and_nearly_all(whole: list[Verdict]) -> None:
    times = [beat.t_ns for v in whole for beat in v.beats]
    assert (np.diff(times) >= 200_000_000).all()
    assert len(times) == pytest.approx(509, rel=0.03)  # the annotators' count


def test_heart_rate_is_that_of_the_record(whole: list[Verdict]) -> None:
    rates = [v.heart_rate_bpm for v in whole if v.heart_rate_bpm is not None]
    assert np.median(rates) == pytest.approx(105, rel=0.05)


def test_constant_lead_is_unusable_and_says_why(excerpt: Record, scorer: Scorer) -> None:
    flat = replace(excerpt, samples=np.full((3600, 1), 17, np.int16))
    verdicts = verdicts_of(flat, scorer)
    assert [v.decision for v in verdicts] == ["unusable", "unusable"]
    assert verdicts[0].fused is None
    assert verdicts[0].lead is None
    assert "lead_off" in verdicts[0].quality.flags
    assert "lead off" in verdicts[0].reasons


def test_samples_never_taken_are_flagged_and_what_is_good_is_judged(
    excerpt: Record, scorer: Scorer, whole: list[Verdict]
) -> None:
    samples = excerpt.samples[: 360 * 60].copy()
    samples[360 * 32 : 360 * 34] = MISSING  # a NaN in the file
    verdicts = verdicts_of(replace(excerpt, samples=samples), scorer)
    assert [v.window for v in verdicts if v.decision == "unusable"] == [6]
    assert verdicts[6].quality.missing == pytest.approx(0.4)
    assert verdicts[6].reasons == ("too little received", "720 samples missing")
    assert verdicts[6].continuity.missing_samples == 720
    assert_same(verdicts[:6], whole[:6])
    # The networks see what they saw, but for what the filter knows of the hole before the context; what is usual for
    # the patient was learned from fewer beats.
    assert [v.cnn for v in verdicts[9:]] == pytest.approx([v.cnn for v in whole[9:12]], abs=1e-5)
    assert [[b.t_ns for b in v.beats] for v in verdicts[9:]] == [[b.t_ns for b in v.beats] for v in whole[9:12]]


def test_second_lead_stands_in_for_a_dead_first(excerpt: Record, scorer: Scorer) -> None:
    dead = np.full_like(excerpt.samples, 5)
    both = Record(
        name="two",
        fs_hz=360.0,
        leads=("MLII", "V5"),
        samples=np.hstack([dead, excerpt.samples]),
        gain=excerpt.gain * 2,
        baseline=excerpt.baseline * 2,
    )
    verdicts = verdicts_of(both, scorer)
    assert {v.lead for v in verdicts} == {"V5"}
    assert all("judged on lead V5: MLII is unusable" in v.reasons for v in verdicts)


def test_a_beat_beside_a_hole_has_no_class_and_one_in_a_hole_is_none(
    excerpt: Record, scorer: Scorer, whole: list[Verdict]
) -> None:
    beats = [(b.t_ns - EPOCH_NS) / 1e9 for v in whole[:8] for b in v.beats]
    beside, inside = beats[30], beats[34]
    samples = excerpt.samples[: 360 * 40].copy()
    samples[round((beside + 0.05) * 360) : round((beside + 0.1) * 360)] = MISSING
    samples[round((inside - 0.06) * 360) : round((inside + 0.06) * 360)] = MISSING
    published = {
        round((b.t_ns - EPOCH_NS) / 1e9, 2): b
        for v in verdicts_of(replace(excerpt, samples=samples), scorer)
        for b in v.beats
    }
    (next_to,) = [b for t_s, b in published.items() if abs(t_s - beside) < 0.05]
    assert (next_to.beat_class, next_to.confidence) == (None, None)
    assert not [b for t_s, b in published.items() if abs(t_s - inside) < 0.1]
    assert sum(b.beat_class is None for b in published.values()) == 1
