"""Outputs to classes of beats, probabilities and thresholds, on patients that the networks have not seen."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.optimize import minimize
from scipy.special import expit
from sklearn.linear_model import LogisticRegression

from detector.judgement import Evidence, Judgement, fused
from detector.manifest import BeatMap, BeatReading, Calibration, Thresholds
from detector.scorer import log_of
from ecg.annotations import Annotations
from ecg.errors import EcgStreamError
from ecg.labels import rhythm_intervals
from training.beat_figures import beat_figures
from training.beat_reference import Reference
from training.beat_trees import Trees, choose_biases, cross_fit, fit_trees, table_of
from training.beat_tuning import tune_beat_map
from training.databases import database_of
from training.following import candidates_of, judge, scores_of, weigh
from training.metrics import Labels, Scores, auroc, best_f1_threshold
from training.outoffold import OutOfFold

USUAL_SHARE = 0.6  # of a patient's usual error that is taken off: all of it would hide a rhythm that is always odd
# What nobody annotated, annotations cannot teach to weigh: the autoencoder keeps a say, though on DS1 the beats and the
# rhythm tell the same better (without it the AUROC out of fold would be 0.001 higher).
SAY = 0.1
_EVIDENCE = ("cnn", "autoencoder", "ventricular", "supraventricular", "irregularity")


@dataclass(frozen=True, slots=True, kw_only=True)
class Calibrated:
    """All that is chosen on patients the networks have not seen, and how it does on them.

    Attributes
    ----------
    beat_map, reading, calibration, thresholds : as the manifest has them
    trees : fitted on all records: those that ship
    figures : by networks and trees that have not seen the records
    """

    beat_map: BeatMap
    trees: Trees
    reading: BeatReading
    calibration: Calibration
    thresholds: Thresholds
    figures: dict[str, Any]


def calibrate(
    judged: Sequence[OutOfFold],
    folds: Sequence[Sequence[str]],
    annotations: Mapping[str, Annotations],
    rates_hz: Mapping[str, float],
) -> Calibrated:
    """Fit the trees and the logistic calibrations, choose the thresholds of the highest F1, and measure all.

    Beats of all records teach. Windows do where rhythms are annotated, if they are anywhere, and where all are normal:
    elsewhere nobody knows which windows without an odd beat are normal, and atrial fibrillation would be held to be.

    Parameters
    ----------
    judged : records by networks that have not seen them
    folds : names of the records that were held out together; the trees are fitted by the same folds
    annotations, rates_hz : per record, the reference and its sampling rate in Hz

    Raises
    ------
    EcgStreamError : when the records are all normal or all abnormal, or lack beats to learn from
    """
    marked = [record for record in judged if _rhythm_known(record, annotations)] or list(judged)
    labels = np.concatenate([record.windows.abnormal[record.known] for record in marked])
    if labels.all() or not labels.any():
        raise EcgStreamError("the training records hold no normal or no abnormal window: add records")
    candidates = {record.windows.name: candidates_of(record) for record in judged}
    beat_map = tune_beat_map(judged, candidates, annotations, rates_hz)
    scores = {name: scores_of(r, candidates[name], beat_map) for r in judged for name in [r.windows.name]}
    reference = Reference(annotations=annotations, rates_hz=rates_hz)
    first = _networks(marked, labels)
    tables = [table_of(name, weigh(r, scores[name], first), reference) for r in judged for name in [r.windows.name]]
    trees = cross_fit(tables, folds)
    reading = choose_biases(tables, {table.name: trees[table.name].probabilities(table.features) for table in tables})

    def judgements(records: Sequence[OutOfFold], calibration: Calibration) -> list[list[Judgement]]:
        return [
            judge(record, scores[name], trees[name], reading=reading, calibration=calibration)
            for record in records
            for name in [record.windows.name]
        ]

    calibration = _with_autoencoder(labels, _evidence(marked, judgements(marked, first)), first)
    evidence = _evidence(marked, judgements(marked, calibration))
    calibration = _with_fused(labels, evidence, calibration)

    z = {
        "cnn": np.array([one.cnn for one in evidence]),
        "autoencoder": np.array([one.autoencoder for one in evidence]),
        "fused": np.array([fused(one, calibration) for one in evidence]),
    }
    thresholds = {name: _probability(best_f1_threshold(labels, score) or 0.0) for name, score in z.items()}
    return Calibrated(
        beat_map=beat_map,
        trees=fit_trees(tables),
        reading=reading,
        calibration=calibration,
        thresholds=Thresholds(**thresholds),
        figures={
            "windows": len(labels),
            "window_records": [record.windows.name for record in marked],
            **{name: {"auroc": _round(auroc(labels, score))} for name, score in z.items()},
            "cnn_auroc_by_record": _by_record(judged),
            "beats": beat_figures(judged, judgements(judged, calibration), reference),
        },
    )


def _rhythm_known(record: OutOfFold, annotations: Mapping[str, Annotations]) -> bool:
    name = record.windows.name
    rhythms = database_of(name)[0].rhythms
    return rhythms == "normal" or (rhythms == "marked" and bool(rhythm_intervals(annotations[name])))


def _networks(judged: Sequence[OutOfFold], labels: Labels) -> Calibration:
    """The CNN's slope and bias, and the usual error; nothing else yet."""
    logits = np.concatenate([record.logits[record.known] for record in judged]).astype(np.float64)
    errors = log_of(np.concatenate([record.errors[record.known] for record in judged]))
    slope, bias = _logistic(logits[:, None], labels)
    return Calibration(
        cnn_slope=slope,
        cnn_bias=bias,
        usual_log_error=float(np.median(errors[~labels])),
        usual_share=USUAL_SHARE,
        autoencoder_slope=1.0,
        autoencoder_bias=0.0,
        fused_cnn=1.0,
        fused_autoencoder=0.0,
        fused_ventricular=0.0,
        fused_supraventricular=0.0,
        fused_irregularity=0.0,
        fused_bias=0.0,
    )


def _with_autoencoder(labels: Labels, evidence: Sequence[Evidence], calibration: Calibration) -> Calibration:
    above_usual = np.array([one.autoencoder for one in evidence])
    slope, bias = _logistic(above_usual[:, None], labels)
    return calibration.model_copy(update={"autoencoder_slope": slope, "autoencoder_bias": bias})


def _with_fused(labels: Labels, evidence: Sequence[Evidence], calibration: Calibration) -> Calibration:
    """Weights of all evidence, none of them negative: an odd window must not speak for a normal one."""
    features = np.array([[*(getattr(one, name) for name in _EVIDENCE), 1.0] for one in evidence])

    def loss(weights: Scores) -> tuple[float, Scores]:
        z = features @ weights
        return float(np.mean(np.logaddexp(0, z) - labels * z)), features.T @ (expit(z) - labels) / len(labels)

    lowest = [SAY if name == "autoencoder" else 0.0 for name in _EVIDENCE]
    bounds = [*((low, None) for low in lowest), (None, None)]
    found = minimize(loss, np.full(len(bounds), 0.5), jac=True, method="L-BFGS-B", bounds=bounds)
    *weights, bias = found.x.tolist()
    update = {f"fused_{name}": weight for name, weight in zip(_EVIDENCE, weights, strict=True)}
    return calibration.model_copy(update=update | {"fused_bias": bias})


def _evidence(judged: Sequence[OutOfFold], judgements: Sequence[Sequence[Judgement]]) -> list[Evidence]:
    """The evidence of all windows that have a label, record after record."""
    return [
        judgement.evidence
        for record, of in zip(judged, judgements, strict=True)
        for judgement, known in zip(of, record.known, strict=True)
        if known and judgement.evidence is not None
    ]


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
