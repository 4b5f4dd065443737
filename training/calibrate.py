"""Outputs to probabilities and thresholds, on patients that the networks have not seen."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from sklearn.linear_model import LogisticRegression

from detector.manifest import Calibration, Thresholds
from ecg.errors import EcgStreamError
from training.metrics import Labels, Scores, auroc, best_f1_threshold
from training.outoffold import OutOfFold

_SMALLEST_ERROR = 1e-9  # as the detector bounds it before the logarithm


def calibrate(judged: Sequence[OutOfFold]) -> tuple[Calibration, Thresholds, dict[str, Any]]:
    """Fit the logistic calibrations, choose the thresholds of the highest F1, and measure both.

    Returns
    -------
    calibration, thresholds, and figures: areas under the curve over all windows and record by record

    Raises
    ------
    EcgStreamError : when the records are all normal or all abnormal
    """
    labels = np.concatenate([record.windows.abnormal[record.known] for record in judged])
    if labels.all() or not labels.any():
        raise EcgStreamError("the training records hold no normal or no abnormal window: add records")
    logits = np.concatenate([record.logits[record.known] for record in judged]).astype(np.float64)
    errors = np.concatenate([record.errors[record.known] for record in judged]).astype(np.float64)
    cnn_slope, cnn_bias = _logistic(logits[:, None], labels)
    log_error = np.log(np.maximum(errors, _SMALLEST_ERROR))
    autoencoder_slope, autoencoder_bias = _logistic(log_error[:, None], labels)
    z_cnn = cnn_slope * logits + cnn_bias
    z_autoencoder = autoencoder_slope * log_error + autoencoder_bias
    fused_cnn, fused_autoencoder, fused_bias = _logistic(np.stack([z_cnn, z_autoencoder], axis=1), labels)
    z = {
        "cnn": z_cnn,
        "autoencoder": z_autoencoder,
        "fused": fused_cnn * z_cnn + fused_autoencoder * z_autoencoder + fused_bias,
    }
    thresholds = {name: _probability(best_f1_threshold(labels, score) or 0.0) for name, score in z.items()}
    figures = {name: {"auroc": _round(auroc(labels, score))} for name, score in z.items()}
    return (
        Calibration(
            cnn_slope=cnn_slope,
            cnn_bias=cnn_bias,
            autoencoder_slope=autoencoder_slope,
            autoencoder_bias=autoencoder_bias,
            fused_cnn=fused_cnn,
            fused_autoencoder=fused_autoencoder,
            fused_bias=fused_bias,
        ),
        Thresholds(**thresholds),
        {"windows": len(labels), **figures, "cnn_auroc_by_record": _by_record(judged)},
    )


def _logistic(features: Scores, labels: Labels) -> list[float]:
    """Slopes and, last, the intercept."""
    fitted = LogisticRegression(C=1e4, max_iter=1000).fit(features, labels)
    return [*(float(slope) for slope in fitted.coef_[0]), float(fitted.intercept_[0])]


def _probability(z: float) -> float:
    return round(1 / (1 + float(np.exp(-z))), 6)


def _round(value: float | None) -> float | None:
    return None if value is None else round(value, 4)


def _by_record(judged: Sequence[OutOfFold]) -> dict[str, float | None]:
    return {
        record.windows.name: _round(
            auroc(record.windows.abnormal[record.known], record.logits[record.known].astype(np.float64))
        )
        for record in judged
    }
