import math
from pathlib import Path

import numpy as np
import pytest

from detector.drift import (
    HALF_LIFE_S,
    REFERENCE,
    DriftMeter,
    ScoreDistribution,
    ScoreName,
    ScoreReference,
    load_reference,
    stability_index,
)
from detector.scorer import Scorer
from ecg.labels import DS1
from models import SHIPPED

UNIFORM = ScoreDistribution.of([number / 1000 for number in range(1000)])
REFERENCE_OF_ALL = ScoreReference(
    models={}, records=("101",), windows=1000, scores={"fused": UNIFORM, "cnn": UNIFORM, "autoencoder": UNIFORM}
)


def alike(score: float) -> dict[ScoreName, float]:
    return {"fused": score, "cnn": score, "autoencoder": score}


def test_the_index_is_that_of_the_definition() -> None:
    # (0.6 - 0.5) ln(0.6 / 0.5) + (0.4 - 0.5) ln(0.4 / 0.5), by hand.
    assert stability_index((0.5, 0.5), (0.6, 0.4)) == pytest.approx(0.0405465, abs=1e-6)
    assert stability_index((0.5, 0.5), (0.5, 0.5)) == 0
    assert math.isfinite(stability_index((0.5, 0.5, 0.0), (0.0, 0.5, 0.5)))


def test_ties_share_a_bin() -> None:
    found = ScoreDistribution.of([0.0] * 70 + [number / 30 for number in range(1, 31)])
    assert sum(found.shares) == pytest.approx(1)
    assert found.shares[found.bin_of(0.0)] == pytest.approx(0.7)


def test_scores_as_in_training_have_no_drift_and_others_have() -> None:
    generator = np.random.default_rng(1)
    same, other = DriftMeter(REFERENCE_OF_ALL), DriftMeter(REFERENCE_OF_ALL)
    for score in generator.random(2000):
        same.add(alike(float(score)), now_s=0.0)
        other.add(alike(float(score) ** 3), now_s=0.0)
    assert all(index < 0.1 for index in same.indices(0.0).values())
    assert all(index > 0.25 for index in other.indices(0.0).values())


def test_nothing_is_said_of_few_windows_or_without_a_reference() -> None:
    few, blind = DriftMeter(REFERENCE_OF_ALL), DriftMeter(None)
    for _ in range(199):
        few.add(alike(0.5), now_s=0.0)
    for _ in range(1000):
        blind.add(alike(0.5), now_s=0.0)
    assert all(math.isnan(index) for index in (*few.indices(0.0).values(), *blind.indices(0.0).values()))
    few.add(alike(0.5), now_s=0.0)
    assert few.indices(0.0)["cnn"] > 1


def test_what_is_long_ago_is_forgotten() -> None:
    meter, generator = DriftMeter(REFERENCE_OF_ALL), np.random.default_rng(2)
    for _ in range(1000):
        meter.add(alike(0.99), now_s=0.0)
    assert meter.indices(0.0)["fused"] > 1
    for score in generator.random(4000):
        meter.add(alike(float(score)), now_s=10 * HALF_LIFE_S)
    assert meter.indices(10 * HALF_LIFE_S)["fused"] < 0.1


def test_the_shipped_models_have_the_reference_of_their_training_records(scorer: Scorer) -> None:
    assert scorer.reference is not None
    assert set(scorer.reference.records) == set(DS1)
    assert scorer.reference.windows > 7000
    for distribution in scorer.reference.scores.values():
        assert sum(distribution.shares) == pytest.approx(1, abs=1e-5)
        assert list(distribution.edges) == sorted(distribution.edges)


def test_a_reference_that_is_damaged_or_of_other_models_is_left_aside(model_copy: Path, scorer: Scorer) -> None:
    assert load_reference(model_copy, {**scorer.versions, "cnn": "cnn-00000000"}) is None
    (model_copy / REFERENCE).write_text("{}")
    assert load_reference(model_copy, scorer.versions) is None
    (model_copy / REFERENCE).unlink()
    assert load_reference(model_copy, scorer.versions) is None
    assert load_reference(SHIPPED, scorer.versions) is not None
