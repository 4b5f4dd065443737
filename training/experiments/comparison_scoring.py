"""Scores of the networks of a comparison on other patients, side by side."""

import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Literal, NamedTuple, TypeVar

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict

from detector.manifest import ModelFile
from detector.patient import ClassBeats
from detector.sessions import open_session
from ecg.annotations import read_annotations
from ecg.errors import EcgStreamError
from ecg.records import Float32Array
from ecg.wfdb_files import read_wfdb
from ecg.windows import HOP_S
from training.data import RecordWindows, windows_of
from training.experiments.comparison import ONNX, Fits, FittedNetwork, load_fits, network_of
from training.experiments.contenders import CONTENDERS, FitLog, probabilities
from training.experiments.single_beats import beats_in
from training.fit import predict_autoencoder, predict_cnn
from training.following import candidates_of, judge, scores_of
from training.intervals import by_patient, patient_interval
from training.metrics import Labels, Scores, auroc, average_precision, confusion, ratio
from training.outoffold import OutOfFold
from training.reliability import reliability
from training.run import Run, load_run, load_weights
from training.tree_onnx import exported_trees

COMPARISON = "comparison.json"
BATCH = 32  # windows at once when time is taken, as the detector does
ROUNDS = 30  # the median of which is the time
_DIGITS = 6

Row = Literal["fused", "cnn", "autoencoder", "lstm", "transformer", "dense"]
ROWS: tuple[Row, ...] = ("fused", "cnn", "autoencoder", "lstm", "transformer", "dense")
SHIPPED: tuple[Row, ...] = ("fused", "cnn", "autoencoder")
V = TypeVar("V", bound=np.generic)


class Spread(BaseModel):
    """A figure over seeds: mean and standard deviation (of a sample: n - 1), and what each seed gave."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    mean: float | None
    sd: float | None
    per_seed: tuple[float | None, ...]


class NetworkFigures(BaseModel):
    """One network. ``interval`` is the 95 % one of the AUROC's mean over seeds, by drawing patients anew.

    ``thresholds`` and the calibration behind ``ece`` come from training patients that the network has not seen:
    out of fold for the shipped networks, the validation patients for the others.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    parameters: int
    trained_on: int
    auroc: Spread
    interval: tuple[float, float]
    auprc: Spread
    f1: Spread
    ece: Spread
    thresholds: tuple[float, ...]
    ms_per_window: float


class Comparison(BaseModel):
    """``comparison.json``. ``trained_on`` names those of the records that the networks have learnt from."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    records: tuple[str, ...]
    trained_on: tuple[str, ...]
    patients: int
    windows: int
    left_out: int
    unusable: int
    abnormal_fraction: float | None
    networks: dict[Row, NetworkFigures]


class _Judged(NamedTuple):
    """One seed of one network: probabilities record by record, and from where on they mean abnormal."""

    scores: Sequence[Scores]
    threshold: float


def score_comparison(
    run_directory: Path,
    folder: Path,
    names: Sequence[str],
    *,
    track: Callable[[Iterable[str]], Iterable[str]] = lambda names: names,
) -> Comparison:
    """Score every seed of every network on the detector's own windows, and write ``comparison.json``.

    Parameters
    ----------
    run_directory : what ``fit_comparison`` left there, beside the finished training run
    folder, names : the annotated records to score on; nothing is fitted or chosen on them
    track : wraps the names, for a progress bar

    Raises
    ------
    EcgStreamError : when a fit is missing or of another run, or the records are all normal or all abnormal
    """
    run, fits = load_run(run_directory), load_fits(run_directory)
    _check_same_run(run_directory, fits)
    records = [
        windows_of(read_wfdb(folder / name), read_annotations(folder / name), phase_s=HOP_S) for name in track(names)
    ]
    labels = np.concatenate([np.zeros(0, np.bool_), *_known([record.abnormal for record in records], records)])
    if labels.all() or not labels.any():
        raise EcgStreamError(f"records {', '.join(names)} hold no normal or no abnormal window: give more, such as ds2")
    judged = _judge(run_directory, fits, run, records)
    times = {fitted.kind: _ms_per_window(run_directory, fitted, records) for fitted in fits.networks}
    by_kind = {fitted.kind: fitted for fitted in fits.networks}
    comparison = Comparison(
        records=tuple(names),
        trained_on=tuple(name for name in names if name in fits.records),
        patients=len(by_patient(names)),
        windows=len(labels),
        left_out=sum(int(record.left_out.sum()) for record in records),
        unusable=sum(int((~record.usable & ~record.left_out).sum()) for record in records),
        abnormal_fraction=ratio(int(labels.sum()), len(labels)),
        networks={
            row: _figures(
                records,
                judged[row],
                parts=[by_kind["cnn"], by_kind["autoencoder"]] if row == "fused" else [by_kind[row]],
                trained_on=len(fits.records),
                ms_per_window=times["cnn"] + times["autoencoder"] if row == "fused" else times[row],
            )
            for row in ROWS
        },
    )
    (run_directory / COMPARISON).write_text(comparison.model_dump_json(indent=1) + "\n", encoding="utf-8")
    return comparison


def _check_same_run(run_directory: Path, fits: Fits) -> None:
    """Calibration and thresholds are those of the run's own networks: they must be the first seed's."""
    for fitted in fits.networks:
        shipped, first = run_directory / f"{fitted.kind}.npz", run_directory / fitted.weights[0]
        if fitted.kind in SHIPPED and not (
            shipped.is_file() and first.is_file() and shipped.read_bytes() == first.read_bytes()
        ):
            raise EcgStreamError(
                f"{shipped} is not {fitted.weights[0]}: the run was trained anew, or with other settings, since the "
                "comparison was fitted; run `ecgstream train`, then `ecgstream compare fit`"
            )


def _judge(run_directory: Path, fits: Fits, run: Run, records: Sequence[RecordWindows]) -> dict[Row, list[_Judged]]:
    judged: dict[Row, list[_Judged]] = {}
    outputs: dict[str, list[list[tuple[Float32Array, ...]]]] = {"cnn": [], "autoencoder": []}
    for fitted in fits.networks:
        network = network_of(fitted.kind, fitted.network)
        for file in fitted.weights:
            weights = run_directory / file
            load_weights(network, weights)
            if fitted.kind == "cnn":
                outputs["cnn"].append([predict_cnn(network, record.inputs) for record in records])
            elif fitted.kind == "autoencoder":
                outputs["autoencoder"].append([(predict_autoencoder(network, record.inputs),) for record in records])
            else:
                log = FitLog.model_validate_json(weights.with_suffix(".json").read_bytes())
                predict = CONTENDERS[fitted.kind].predict
                scores = [probabilities(predict(network, record.inputs), log.slope, log.bias) for record in records]
                judged.setdefault(fitted.kind, []).append(_Judged(_known(scores, records), log.threshold))
    class_beats = exported_trees(run_directory)
    for cnn, autoencoder in zip(outputs["cnn"], outputs["autoencoder"], strict=True):
        followed = [
            _followed(OutOfFold(windows=record, logits=logits, maps=maps, errors=errors), run, class_beats)
            for record, (logits, maps), (errors,) in zip(records, cnn, autoencoder, strict=True)
        ]
        for row in SHIPPED:
            scores = _known([of_record[row] for of_record in followed], records)
            judged.setdefault(row, []).append(_Judged(scores, getattr(run.thresholds, row)))
    return judged


def _followed(record: OutOfFold, run: Run, class_beats: ClassBeats) -> dict[Row, Scores]:
    """The shipped networks' scores of each window, on the detector's way through the record; NaN where unusable."""
    scores = scores_of(record, candidates_of(record), run.beat_map)
    judgements = judge(record, scores, class_beats, reading=run.beat_reading, calibration=run.calibration)
    return {row: np.array([getattr(judgement, row) for judgement in judgements], np.float64) for row in SHIPPED}


def _known(values: Sequence[npt.NDArray[V]], records: Sequence[RecordWindows]) -> list[npt.NDArray[V]]:
    """Those of the windows that count."""
    return [of_record[_counts(record)] for of_record, record in zip(values, records, strict=True)]


def _counts(record: RecordWindows) -> Labels:
    """Return which windows have a label and a signal."""
    return record.usable & ~record.left_out


def _figures(
    records: Sequence[RecordWindows],
    seeds: Sequence[_Judged],
    *,
    parts: Sequence[FittedNetwork],
    trained_on: int,
    ms_per_window: float,
) -> NetworkFigures:
    by_record = _known([record.abnormal for record in records], records)
    labels = np.concatenate(by_record)

    def spread(figure: Callable[[_Judged], float | None]) -> Spread:
        values = [figure(seed) for seed in seeds]
        known = [value for value in values if value is not None]
        return Spread(
            mean=_rounded(float(np.mean(known))) if known else None,
            sd=_rounded(float(np.std(known, ddof=1))) if len(known) > 1 else None,
            per_seed=tuple(map(_rounded, values)),
        )

    def mean_auroc(patients: Sequence[tuple[int, ...]]) -> float | None:
        drawn = [number for patient in patients for number in patient]
        true = np.concatenate([by_record[number] for number in drawn])
        areas = [auroc(true, np.concatenate([seed.scores[number] for number in drawn])) for seed in seeds]
        known = [area for area in areas if area is not None]
        return float(np.mean(known)) if known else None

    numbers = {record.name: number for number, record in enumerate(records)}
    patients = [tuple(numbers[name] for name in patient) for patient in by_patient(numbers)]
    low, high = patient_interval(mean_auroc, patients)
    return NetworkFigures(
        parameters=sum(part.model.parameters for part in parts),
        trained_on=trained_on - len(parts[0].held_out),
        auroc=spread(lambda seed: auroc(labels, np.concatenate(seed.scores))),
        interval=(round(low, _DIGITS), round(high, _DIGITS)),
        auprc=spread(lambda seed: average_precision(labels, np.concatenate(seed.scores))),
        f1=spread(lambda seed: _f1(labels, np.concatenate(seed.scores) >= seed.threshold)),
        ece=spread(lambda seed: reliability(labels, np.concatenate(seed.scores)).expected_calibration_error),
        thresholds=tuple(seed.threshold for seed in seeds),
        ms_per_window=ms_per_window,
    )


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, _DIGITS)


def _f1(labels: Labels, called: Labels) -> float | None:
    _, false, missed, hits = confusion(labels, called)
    return ratio(2 * hits, 2 * hits + false + missed)


def _ms_per_window(run_directory: Path, fitted: FittedNetwork, records: Sequence[RecordWindows]) -> float:
    """Through onnxruntime on one thread: the network alone, on windows from all over the records."""
    inputs = np.concatenate([record.inputs[_counts(record)] for record in records])
    drawn = inputs[np.linspace(0, len(inputs) - 1, BATCH).astype(np.int64)].astype(np.float32)
    return time_of(run_directory / ONNX, fitted.model, beats_in(drawn).features if fitted.kind == "dense" else drawn)


def time_of(directory: Path, model: ModelFile, inputs: npt.NDArray[np.float32]) -> float:
    """Milliseconds for a window when ``inputs`` are those of ``BATCH`` windows: the median of ``ROUNDS`` runs."""
    session = open_session(directory, model, 1)
    feed = {model.input_name: np.ascontiguousarray(inputs)}
    took = []
    for _ in range(ROUNDS):
        started = time.perf_counter()
        session.run(list(model.outputs), feed)
        took.append(time.perf_counter() - started)
    return round(float(np.median(took)) * 1000 / BATCH, 4)
