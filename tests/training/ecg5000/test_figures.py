import numpy as np
import pytest

from training.ecg5000.figures import Judged, as_json, figures_of

CLASSES = np.repeat([0, 1, 2], (60, 30, 10))


def judged(classes: np.ndarray[tuple[int], np.dtype[np.int64]]) -> Judged:
    return Judged(classes=classes, probability=(classes != 0) * 0.9 + 0.05, abnormal=classes != 0)


def test_the_counts_are_those_of_both_conventions() -> None:
    called = CLASSES.copy()
    called[:6] = 1  # six normal beats called abnormal
    called[60:63] = 0  # three abnormal beats called normal
    figures = figures_of(CLASSES, [judged(called)], draws=50)
    assert figures["accuracy"].mean == pytest.approx(0.91)
    assert figures["precision_normal"].mean == pytest.approx(54 / 57, abs=1e-4)
    assert figures["recall_normal"].mean == pytest.approx(0.9)
    assert figures["precision_abnormal"].mean == pytest.approx(37 / 43, abs=1e-4)
    assert figures["recall_abnormal"].mean == pytest.approx(37 / 40, abs=1e-4)
    assert figures["class_accuracy"].mean == pytest.approx(0.91)
    f1 = (2 * 54 / (60 + 57), 2 * 27 / (30 + 33), 1.0)
    assert figures["macro_f1"].mean == pytest.approx(np.mean(f1), abs=1e-4)


def test_the_interval_is_that_of_a_share() -> None:
    called = CLASSES.copy()
    called[:10] = 1
    figure = figures_of(CLASSES, [judged(called)], draws=2000)["accuracy"]
    half = 1.96 * np.sqrt(0.9 * 0.1 / 100)
    assert figure.low == pytest.approx(0.9 - half, abs=0.015)
    assert figure.high == pytest.approx(0.9 + half, abs=0.015)


def test_seeds_give_mean_and_spread() -> None:
    worse = CLASSES.copy()
    worse[:2] = 1
    figures = figures_of(CLASSES, [judged(CLASSES), judged(worse)], draws=20)
    assert figures["accuracy"].mean == pytest.approx(0.99)
    assert figures["accuracy"].sd == pytest.approx(np.std([1, 0.98], ddof=1), abs=1e-4)
    assert figures_of(CLASSES, [judged(worse)], draws=20)["accuracy"].sd is None


def test_probabilities_that_are_right_as_often_as_they_say_have_no_calibration_error() -> None:
    labels = np.repeat([0, 1, 0, 1], (70, 30, 20, 80))
    probability = np.repeat([0.3, 0.8], 100)
    shown = as_json(figures_of(labels, [Judged(classes=None, probability=probability, abnormal=probability > 0.5)]))
    assert shown["ece"]["mean"] == pytest.approx(0, abs=1e-9)
    assert "class_accuracy" not in shown
