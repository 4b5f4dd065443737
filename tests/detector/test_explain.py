from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from detector.explain import MARGIN, Explainer, Explanation, occluded
from detector.manifest import BeatMap
from detector.scorer import Scorer
from detector.window_parts import PART_S, PART_SAMPLES, PARTS, part_evidence
from ecg.annotations import read_annotations
from ecg.data import data_directory
from ecg.labels import beat_labels
from ecg.records import MISSING, Record
from ecg.segments import MODEL_SAMPLES, WINDOW_SAMPLES
from ecg.wfdb_files import load_record
from models import SHIPPED
from tests.support.verdicts import verdicts_of

RECORDS = ("119", "106", "205", "215", "208")  # of DS1: ventricular beats of one shape, of several; fusion beats
OF_EACH = 6
WITHIN_S = 0.3
LEAST_SHARE = 0.7


@pytest.fixture(scope="module")
def explainer() -> Explainer:
    return Explainer(SHIPPED)


@pytest.fixture(scope="module")
def steady(excerpt: Record) -> Record:
    """A minute of one normal beat of record 208, over and over, on two leads."""
    beat = excerpt.samples[_normal_beat(excerpt) :, 0][:230].astype(np.float64)
    beat -= np.linspace(beat[0], beat[-1], len(beat))
    row = np.concatenate([beat, np.zeros(58)])  # 75 beats a minute
    whole = np.tile(row, 75)[: 60 * 360]
    samples = np.stack([whole, 0.6 * whole], axis=1).astype(np.int16)
    return replace(excerpt, samples=samples, leads=("MLII", "V1"), gain=(200.0, 200.0), baseline=(0, 0))


def _normal_beat(excerpt: Record) -> int:
    """The sample 0.25 s before a beat that the shipped models hold to be normal, with a normal one after it."""
    verdicts = verdicts_of(excerpt, Scorer(SHIPPED))
    beats = [beat for verdict in verdicts for beat in verdict.beats]
    pair = next(a for a, b in pairwise(beats) if a.beat_class == b.beat_class == "N")
    return round((pair.t_ns - verdicts[0].stream_start_ns) / 1e9 * excerpt.fs_hz) - 90


def planted(record: Record, at_s: float) -> Record:
    """The same with one broad, tall beat in the place of what was there."""
    samples = record.samples.copy()
    first, width = round((at_s - 0.1) * 360), round(0.2 * 360)
    shape = 500 * np.sin(np.linspace(0, np.pi, width)) - 250 * np.sin(np.linspace(0, 2 * np.pi, width))
    samples[first - 30 : first + width + 60] = 0
    samples[first : first + width] = np.stack([shape, -0.8 * shape], axis=1).astype(np.int16)
    return replace(record, samples=samples)


def seconds_of(explanation: Explanation) -> float:
    return explanation.start_s + (explanation.strongest_part + 0.5) * PART_S


@pytest.mark.parametrize("at_s", [31.4, 33.3])
def test_planted_beat_is_what_the_verdict_rests_on(steady: Record, explainer: Explainer, at_s: float) -> None:
    explanation = explainer.explain(planted(steady, at_s), 6)
    assert explanation is not None
    assert seconds_of(explanation) == pytest.approx(at_s, abs=WITHIN_S)
    assert explanation.part_fall.max() > 0.3


def test_shapes_and_leads(steady: Record, explainer: Explainer) -> None:
    explanation = explainer.explain(steady, 6)
    assert explanation is not None
    assert (explanation.leads, explanation.columns) == (("MLII", "V1"), (0, 1))
    assert explanation.logit_fall.shape == explanation.fused_fall.shape == explanation.carried.shape == (PARTS, 2)
    assert explanation.carried.sum(axis=1) == pytest.approx(np.maximum(explanation.part_fall, 0))
    assert explanation.start_s == 30.0


def test_judged_lead_comes_first_whatever_its_column(steady: Record, explainer: Explainer) -> None:
    turned = replace(steady, samples=steady.samples[:, ::-1].copy(), leads=("V1", "MLII"))
    one, other = explainer.explain(steady, 6), explainer.explain(turned, 6)
    assert one is not None
    assert other is not None
    assert (other.leads, other.columns) == (("MLII", "V1"), (1, 0))
    assert other.fused_fall == pytest.approx(one.fused_fall, abs=1e-5)


def test_lead_that_the_networks_did_not_see_carries_nothing(steady: Record, explainer: Explainer) -> None:
    samples = steady.samples.copy()
    samples[:, 1] = MISSING
    explanation = explainer.explain(replace(steady, samples=samples), 6)
    assert explanation is not None
    assert explanation.leads == ("MLII",)


def test_window_without_signal_has_no_explanation(steady: Record, explainer: Explainer) -> None:
    assert explainer.explain(replace(steady, samples=np.full_like(steady.samples, MISSING)), 2) is None


def test_explained_is_the_verdicts_own_logit(excerpt: Record, scorer: Scorer, explainer: Explainer) -> None:
    """The first window lies before there is any context, the last where there is all of it."""
    calibration = scorer.manifest.calibration
    verdicts = verdicts_of(excerpt, scorer)
    for verdict in (verdicts[0], verdicts[1], verdicts[-1]):
        explanation = explainer.explain(excerpt, verdict.window)
        assert explanation is not None
        odds = calibration.cnn_slope * explanation.logit + calibration.cnn_bias
        assert 1 / (1 + np.exp(-odds)) == pytest.approx(verdict.cnn, abs=1e-3)


def test_part_becomes_a_straight_line_and_nothing_else_changes() -> None:
    whole = np.random.default_rng(1).normal(size=(2, MODEL_SAMPLES)).astype(np.float32)
    without = occluded(whole, [0, 1])
    assert without.shape == (3 * PARTS, 2, MODEL_SAMPLES)
    first = MODEL_SAMPLES - WINDOW_SAMPLES + 7 * PART_SAMPLES - MARGIN
    span = slice(first, first + PART_SAMPLES + 2 * MARGIN)
    of_second = without[PARTS + 7]
    assert (of_second[0] == whole[0]).all()
    assert np.diff(of_second[1, span], n=2) == pytest.approx(0, abs=1e-5)
    assert of_second[1, [span.start, span.stop - 1]] == pytest.approx(whole[1, [span.start, span.stop - 1]])
    changed = np.flatnonzero((without[2 * PARTS + 7] != whole).any(axis=0))
    assert changed.min() > span.start
    assert changed.max() < span.stop - 1


@pytest.fixture
def beat_map(scorer: Scorer) -> BeatMap:
    assert scorer.manifest.beat_map is not None
    return scorer.manifest.beat_map


def test_cheap_map_tells_where_and_what(beat_map: BeatMap) -> None:
    frames = round(beat_map.frames_hz * beat_map.seconds)
    maps = np.zeros((3, len(beat_map.classes), frames), np.float32)
    maps[:, 0] = 9.0
    at = frames - round(5 * beat_map.frames_hz) + round(2.7 * beat_map.frames_hz)
    maps[1, beat_map.classes.index("V"), at] = 20.0
    maps[2, beat_map.classes.index("N"), at] = 20.0
    inputs = np.zeros((3, 2, MODEL_SAMPLES), np.float32)
    drawn = np.zeros((3, WINDOW_SAMPLES), np.float32)
    drawn[0, 100:120] = 2.0
    carried = part_evidence(maps, inputs, drawn, beat_map)
    assert carried.beats.shape == carried.shape.shape == (3, PARTS)
    assert carried.beats.dtype == carried.shape.dtype == np.float32
    assert np.flatnonzero(carried.beats[1] > 0.9).tolist() == [13]  # 2.6 to 2.8 s
    assert carried.beats[[0, 2]].max() < 0.01
    assert carried.shape[0].tolist() == [4.0 if part == 5 else 0.0 for part in range(PARTS)]


def test_cheap_map_of_a_window_is_its_own_in_any_batch(beat_map: BeatMap) -> None:
    rng = np.random.default_rng(2)
    frames = round(beat_map.frames_hz * beat_map.seconds)
    maps = rng.normal(scale=200, size=(5, len(beat_map.classes), frames)).astype(np.float32)
    inputs = rng.normal(size=(5, 2, MODEL_SAMPLES)).astype(np.float32)
    drawn = rng.normal(size=(5, WINDOW_SAMPLES)).astype(np.float32)
    whole = part_evidence(maps, inputs, drawn, beat_map)
    alone = part_evidence(maps[3:4], inputs[3:4], drawn[3:4], beat_map)
    assert (whole.beats[3] == alone.beats[0]).all()
    assert (whole.shape[3] == alone.shape[0]).all()
    assert ((whole.beats >= 0) & (whole.beats <= 1)).all()


@pytest.mark.data
def test_explanation_is_faithful_on_training_records(explainer: Explainer) -> None:
    """Where a window holds just one abnormal beat, the strongest part lies at it: by chance, in one of eight."""
    folder = data_directory() / "mitdb"
    hits = total = 0
    for name in RECORDS:
        found, of = _hits(explainer, load_record(name, folder), folder / name)
        print(f"record {name}: the strongest part lies within {WITHIN_S} s of the beat in {found} of {of} windows")  # noqa: T201
        hits, total = hits + found, total + of
    print(f"all: {hits} of {total}, {hits / total:.0%}")  # noqa: T201
    assert total >= 2 * OF_EACH
    assert hits / total >= LEAST_SHARE


def _hits(explainer: Explainer, record: Record, path: Path) -> tuple[int, int]:
    beats = beat_labels(read_annotations(path))
    times_s = beats.sample[np.isin(beats.aami, list("SVF"))] / record.fs_hz
    hits = total = 0
    for window in range(3, int(record.seconds // 5)):
        inside = times_s[(times_s >= 5 * window) & (times_s < 5 * window + 5)]
        if len(inside) == 1 and total < OF_EACH:
            explanation = explainer.explain(record, window)
            if explanation is not None and explanation.logit >= 0:
                total += 1
                hits += abs(seconds_of(explanation) - inside[0]) <= WITHIN_S
    return hits, total
