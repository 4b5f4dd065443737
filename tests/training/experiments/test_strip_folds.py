"""Folds over strips: who is called is never among those that were learned from."""

from pathlib import Path

import numpy as np
import pytest

from detector.scorer import Scorer
from ecg.data import data_directory
from training.databases.challenge2017 import DATABASE, StripClass, read_classes
from training.experiments.strip_folds import Strip, fold_figures, read_strips

MODELS = Path("models")


def _strips(seed: int, apart: float) -> list[Strip]:
    random = np.random.default_rng(seed)
    letters: list[StripClass] = [*("N",) * 60, *("A",) * 40, *("O",) * 60, *("~",) * 30]
    return [
        Strip(
            letter=letter,
            rhythm=random.normal(apart * (letter == "A"), 1, (8, 5)),
            noise=random.normal(apart * (letter == "~"), 1, (6, 3)),
        )
        for letter in letters
    ]


def test_what_differs_is_told_apart() -> None:
    figures = fold_figures(_strips(1, apart=4), draw=0)
    assert (figures.af_f1 or 0) > 0.9
    assert (figures.noise_se or 0) > 0.9


def test_what_does_not_differ_is_told_by_chance_alone() -> None:
    """Were a strip among those that its models learned from, five measures of few strips would tell it."""
    figures = [fold_figures(_strips(seed, apart=0), draw=seed) for seed in range(4)]
    assert np.mean([of.af_ppv or 0 for of in figures]) < 0.35  # two in nine are fibrillation
    assert np.mean([of.noise_se or 0 for of in figures]) < 0.2


@pytest.mark.data("challenge2017")
def test_real_strips_are_measured_as_the_detector_sees_them() -> None:
    folder = data_directory() / DATABASE.name
    classes = read_classes(folder)
    chosen = {name: classes[name] for name in DATABASE.learned[:6]}
    strips = read_strips(folder, chosen, Scorer(MODELS), track=lambda names: names)
    assert [strip.letter for strip in strips] == [chosen[name] for name in sorted(chosen)]
    assert all(strip.noise.shape[1] == 3 and np.isfinite(strip.noise).all() for strip in strips)
    assert any(len(strip.rhythm) for strip in strips)
