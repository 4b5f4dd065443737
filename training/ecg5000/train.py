"""The family on ECG5000: fitted, calibrated and chosen on the training beats; then, and only then, measured."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from sklearn.linear_model import LogisticRegression
from torch.nn import functional

from detector.single_beats import (
    SMALLEST_ERROR,
    BeatCalibration,
    BeatThresholds,
    Floats,
    abnormal_log_odds,
    scores_of,
    softmax,
)
from ecg.records import Float32Array
from training.ecg5000.data import TestBeats, TrainingBeats, read_test, read_training
from training.ecg5000.figures import DRAWS, BeatFigure, Judged, figures_of
from training.ecg5000.fit import BeatFit, Fitted, fit_autoencoder, fit_classifier
from training.ecg5000.networks import CLASSIFIERS

AUTOENCODER = "autoencoder"
COMBINED = "combined"  # the CNN's log odds and the autoencoder's error, fused
SHIPPED_CLASSIFIER = "cnn"
# A normal beat in thirty is called abnormal by the autoencoder alone: its threshold knows no abnormal beat.
_NORMAL_SHARE = 0.97
_HALF = 0.5  # calibrated probabilities: abnormal when that is likelier


@dataclass(frozen=True, slots=True, kw_only=True)
class BeatTraining:
    """Settings of a training on ECG5000.

    Attributes
    ----------
    seeds : how many times all is fitted, from other weights, folds and draws
    classifier, autoencoder : how they are fitted
    """

    seeds: int = 3
    classifier: BeatFit = field(default_factory=BeatFit)
    autoencoder: BeatFit = field(default_factory=lambda: BeatFit(epochs=120, patience=60, weight_decay=0.001))


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """One seed's classifier and autoencoder, with how their outputs are read.

    Attributes
    ----------
    name, seed : which classifier, and of which seed
    classifier, autoencoder : the fitted networks
    calibration, thresholds : from held-out training beats
    loss : log loss of the combined probability on held-out training beats; the smallest ships
    """

    name: str
    seed: int
    classifier: Fitted
    autoencoder: Fitted
    calibration: BeatCalibration
    thresholds: BeatThresholds
    loss: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Family:
    """All that was fitted: pairs by classifier and seed. No test beat has been read when it is made."""

    training: TrainingBeats
    settings: BeatTraining
    pairs: tuple[Pair, ...]

    @property
    def shipped(self) -> Pair:
        """The pair with the smallest held-out loss among the CNN's."""
        return min((pair for pair in self.pairs if pair.name == SHIPPED_CLASSIFIER), key=lambda pair: pair.loss)


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """The family's figures on the test beats.

    Attributes
    ----------
    figures : per model
    shipped : of the pair that ships alone: its CNN, its autoencoder and both combined
    test : the beats they were measured on
    """

    figures: dict[str, dict[str, BeatFigure]]
    shipped: dict[str, dict[str, BeatFigure]]
    test: TestBeats


def fit_family(
    directory: Path, settings: BeatTraining, *, progress: Callable[[str, int, int], None] = lambda *_: None
) -> Family:
    """Fit every network with every seed on the training table alone.

    Parameters
    ----------
    directory : the folder of both tables; the test table is not opened
    settings : what may be chosen
    progress : told (what is being fitted, fits done, fits in all)

    Raises
    ------
    EcgStreamError : when the training table is missing or none
    """
    training = read_training(directory)
    fits = settings.seeds * (len(CLASSIFIERS) * settings.classifier.folds + settings.autoencoder.folds)
    count = 0
    before = torch.get_num_threads()
    torch.set_num_threads(1)  # such small networks only wait for each other on more

    def done(name: str) -> Callable[[], None]:
        def one() -> None:
            nonlocal count
            count += 1
            progress(name, count, fits)

        return one

    pairs = []
    try:
        for seed in range(settings.seeds):
            autoencoder = fit_autoencoder(training, settings.autoencoder, seed=seed, done=done(AUTOENCODER))
            for name, network in CLASSIFIERS.items():
                classifier = fit_classifier(network, training, settings.classifier, seed=seed, done=done(name))
                pairs.append(_pair(name, seed, classifier, autoencoder, training))
    finally:
        torch.set_num_threads(before)
    return Family(training=training, settings=settings, pairs=tuple(pairs))


def _pair(name: str, seed: int, classifier: Fitted, autoencoder: Fitted, training: TrainingBeats) -> Pair:
    """Calibrate a classifier and the autoencoder beside it on the training beats that each did not fit on."""
    labels = training.abnormal
    temperature = _temperature(classifier.held_out, training.classes)
    z = abnormal_log_odds(softmax(classifier.held_out.astype(np.float64) / temperature))
    log_error = np.log(np.maximum(autoencoder.held_out.astype(np.float64), SMALLEST_ERROR))
    cnn_slope, cnn_bias = _logistic(z[:, None], labels)
    error_slope, error_bias = _logistic(log_error[:, None], labels)
    both_cnn, both_error, both_bias = _logistic(np.stack([z, log_error], axis=1), labels)
    calibration = BeatCalibration(
        temperature=temperature,
        cnn_slope=cnn_slope,
        cnn_bias=cnn_bias,
        autoencoder_slope=error_slope,
        autoencoder_bias=error_bias,
        combined_cnn=both_cnn,
        combined_autoencoder=both_error,
        combined_bias=both_bias,
    )
    threshold = float(np.quantile(autoencoder.held_out[~labels], _NORMAL_SHARE))
    thresholds = BeatThresholds(cnn=_HALF, combined=_HALF, autoencoder_error=threshold)
    combined = scores_of(classifier.held_out, autoencoder.held_out, calibration, thresholds).abnormal_score
    return Pair(
        name=name,
        seed=seed,
        classifier=classifier,
        autoencoder=autoencoder,
        calibration=calibration,
        thresholds=thresholds,
        loss=_log_loss(combined, labels),
    )


def _logistic(features: Floats, labels: npt.NDArray[np.bool_]) -> list[float]:
    """Slopes and, last, the intercept; held back a little, for 500 beats are nearly separable."""
    fitted = LogisticRegression(C=1.0, max_iter=1000).fit(features, labels)
    return [*(float(slope) for slope in fitted.coef_[0]), float(fitted.intercept_[0])]


def _log_loss(probability: Floats, labels: npt.NDArray[np.bool_]) -> float:
    right = np.clip(np.where(labels, probability, 1 - probability), 1e-7, 1)
    return float(-np.log(right).mean())


def _temperature(logits: Float32Array, classes: npt.NDArray[np.int64]) -> float:
    """The divisor of the logits that makes the held-out classes likeliest."""
    candidates = np.geomspace(0.25, 4, 49)
    scaled, expected = torch.from_numpy(logits), torch.from_numpy(classes)
    losses = [float(functional.cross_entropy(scaled / float(candidate), expected)) for candidate in candidates]
    return round(float(candidates[int(np.argmin(losses))]), 4)


def measure_family(family: Family, directory: Path, *, draws: int = DRAWS) -> Measured:
    """Open the test table, once, and measure what was fitted; nothing is chosen by it.

    Parameters
    ----------
    family : what was fitted
    directory : the folder of both tables
    draws : of the test beats, for the intervals

    Raises
    ------
    EcgStreamError : when the test table is missing or none, or shares a beat with the training table
    """
    test = read_test(directory, family.training)
    judged: dict[str, list[Judged]] = {name: [] for name in (*CLASSIFIERS, AUTOENCODER, COMBINED)}
    for pair in family.pairs:
        own, error, both = _judge(pair, test)
        judged[pair.name].append(own)
        if pair.name == SHIPPED_CLASSIFIER:
            judged[AUTOENCODER].append(error)
            judged[COMBINED].append(both)
    models = (SHIPPED_CLASSIFIER, AUTOENCODER, COMBINED)
    return Measured(
        figures={name: figures_of(test.classes, seeds, draws=draws) for name, seeds in judged.items()},
        shipped={
            name: figures_of(test.classes, [seed], draws=draws)
            for name, seed in zip(models, _judge(family.shipped, test), strict=True)
        },
        test=test,
    )


def _judge(pair: Pair, test: TestBeats) -> tuple[Judged, Judged, Judged]:
    """Return what a pair says of the test beats: its classifier, its autoencoder, and both."""
    signals = torch.from_numpy(test.beats)
    with torch.inference_mode():
        logits = pair.classifier.network(signals).numpy()
        error = pair.autoencoder.network(signals).error.numpy()
    scores = scores_of(logits, error, pair.calibration, pair.thresholds)
    return (
        Judged(classes=scores.classes, probability=scores.cnn, abnormal=scores.cnn >= pair.thresholds.cnn),
        Judged(classes=None, probability=scores.autoencoder, abnormal=scores.autoencoder_abnormal),
        Judged(classes=scores.classes, probability=scores.abnormal_score, abnormal=scores.abnormal),
    )
