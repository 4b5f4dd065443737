"""The shipped models of single beats: whole, chosen without the test table, and as good as their manifest says."""

from typing import Any

import numpy as np
import pytest

from detector.single_beats import BeatScores, SingleBeatScorer
from ecg.data import data_directory
from models import SHIPPED
from training.ecg5000.data import TestBeats, read_test, read_training

DIRECTORY = SHIPPED / "ecg5000"


def test_the_manifest_says_what_the_figures_are_worth() -> None:
    manifest = SingleBeatScorer(DIRECTORY).manifest
    assert "one patient" in manifest.data["note"]
    assert manifest.data["training"]["beats"] == 500
    assert manifest.data["test"]["beats"] == 4500


@pytest.fixture(scope="module")
def test_beats() -> TestBeats:
    folder = data_directory() / "ecg5000"
    return read_test(folder, read_training(folder))


@pytest.fixture(scope="module")
def scores(test_beats: TestBeats) -> BeatScores:
    return SingleBeatScorer(DIRECTORY).score(test_beats.beats)


@pytest.mark.data("ecg5000")
def test_the_figures_are_those_of_the_manifest(test_beats: TestBeats, scores: BeatScores) -> None:
    figures: dict[str, Any] = SingleBeatScorer(DIRECTORY).manifest.figures
    labels = test_beats.abnormal
    for name, called in (
        ("cnn", scores.cnn >= 0.5),
        ("autoencoder", scores.autoencoder_abnormal),
        ("combined", scores.abnormal),
    ):
        # A beat at the threshold may fall to the other side: torch measured, onnxruntime is asked.
        assert np.mean(called == labels) == pytest.approx(figures[name]["accuracy"]["mean"], abs=0.0006), name
    assert np.mean(scores.classes == test_beats.classes) == pytest.approx(
        figures["cnn"]["class_accuracy"]["mean"], abs=0.0006
    )


@pytest.mark.data("ecg5000")
def test_normal_and_abnormal_are_told_apart(test_beats: TestBeats, scores: BeatScores) -> None:
    labels = test_beats.abnormal
    assert np.mean((scores.cnn >= 0.5) == labels) >= 0.985
    assert np.mean(scores.abnormal == labels) >= 0.985
    assert np.mean(scores.autoencoder_abnormal == labels) >= 0.96
