"""Training: cross-validation over patients for calibration and thresholds, then the networks that ship."""

import math
import platform
import shutil
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

import numpy as np
import torch
from rich.console import Console
from rich.progress import track

from detector.beat_map import AAMI_CLASSES
from ecg.errors import EcgStreamError
from ecg.labels import DS1
from ecg.segments import PREPROCESSING_VERSION
from training.augment import Augmentation
from training.calibrate import calibrate
from training.data import CLASSES, RecordWindows, data_hash, load_windows
from training.fit import Fit
from training.jobs import Job, Kind, run_job
from training.outoffold import out_of_fold
from training.records import TrainingRecords
from training.run import AUTOENCODER, BEATS, CNN, RUN, Run
from training.side_by_side import run_side_by_side
from training.signal_faults import describe_faults, faults_of
from training.tree_onnx import trees_to_onnx

CNN_STEPS = 1200  # for the 22 patients of DS1
# No noise: a denoiser would also hide what is odd.
_AUTOENCODER_AUGMENTATION = Augmentation(noise=0.0, drop_second=0.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingSettings:
    """Settings of a training run.

    Attributes
    ----------
    folds : of the cross-validation over patients
    cnn, autoencoder : how each network is fitted
    cnn_network, autoencoder_network : parameters of the networks' constructors
    workers : fits that run at once, a thread each
    """

    folds: int = 5
    cnn: Fit = field(default_factory=lambda: Fit(steps=CNN_STEPS, averaging=0.995))
    autoencoder: Fit = field(default_factory=lambda: Fit(steps=1000, batch=64, weight_decay=1e-3, averaging=0.99))
    cnn_network: dict[str, float] = field(default_factory=dict)
    autoencoder_network: dict[str, float] = field(default_factory=dict)
    workers: int = 2

    @classmethod
    def for_records(cls, records: int, *, workers: int = 2) -> "TrainingSettings":
        """Settings for that many records: twice the steps for four times the patients."""
        settings = cls(workers=workers)
        return replace(
            settings, cnn=replace(settings.cnn, steps=round(CNN_STEPS * max(1.0, math.sqrt(records / len(DS1)))))
        )

    @classmethod
    def of(cls, run: Run) -> "TrainingSettings":
        """Settings by which a run was fitted: its folds' networks are found by them."""
        return cls(
            folds=len(run.settings["folds"]),
            cnn=Fit(**run.settings["cnn_fit"]),
            autoencoder=Fit(**run.settings["autoencoder_fit"]),
            cnn_network=run.settings[CNN],
            autoencoder_network=run.settings[AUTOENCODER],
        )


def fold_names(windows: Sequence[RecordWindows], folds: int) -> tuple[tuple[str, ...], ...]:
    """Deal records to folds, so that each gets its share of supraventricular beats, the rarest.

    Raises
    ------
    EcgStreamError : with fewer records than folds, or fewer than two folds
    """
    if not 2 <= folds <= len(windows):
        raise EcgStreamError(f"folds={folds} for {len(windows)} records: give 2 to {len(windows)}")
    rare = CLASSES.index("S")

    def weight(record: RecordWindows) -> tuple[int, int, str]:
        return int((record.frames == rare).sum()), int(record.abnormal.sum()), record.name

    order = [record.name for record in sorted(windows, key=weight, reverse=True)]
    return tuple(tuple(sorted(order[fold::folds])) for fold in range(folds))


def jobs_of(
    windows: Sequence[RecordWindows],
    records: TrainingRecords,
    run_directory: Path,
    *,
    cache: Path,
    noise: Path,
    settings: TrainingSettings,
) -> list[Job]:
    """Every fit of a run, the long ones first."""
    folds: list[tuple[int | None, tuple[str, ...]]] = [(None, ()), *enumerate(fold_names(windows, settings.folds))]
    kinds: tuple[tuple[Kind, dict[str, float], Fit, Augmentation], ...] = (
        ("cnn", settings.cnn_network, settings.cnn, Augmentation()),
        ("autoencoder", settings.autoencoder_network, settings.autoencoder, _AUTOENCODER_AUGMENTATION),
    )
    data = data_hash(windows)
    return [
        Job(
            kind=kind,
            held_out=held_out,
            fold=fold,
            records=records,
            cache=cache,
            noise=noise,
            data=data,
            network=network,
            fit=fit,
            augmentation=augmentation,
            directory=run_directory / "fits",
        )
        for kind, network, fit, augmentation in kinds
        for fold, held_out in folds
    ]


def train(
    records: TrainingRecords,
    run_directory: Path,
    *,
    cache: Path,
    noise: Path,
    settings: TrainingSettings | None = None,
    console: Console | None = None,
) -> Run:
    """Train, calibrate and choose thresholds; a run that was cut off goes on with the fits that are not done.

    Parameters
    ----------
    records : what to learn from; no test record can be among them
    run_directory : where weights and ``run.json`` go; delete ``fits`` in it after a change of the networks' code
    cache : folder for prepared windows, reused as long as code and data are the same
    noise : the folder of the noise records ``bw``, ``em`` and ``ma``
    settings : how
    console : where progress is shown

    Returns
    -------
    what ``run.json`` holds
    """
    settings = settings or TrainingSettings()
    console = console or Console()
    windows = load_windows(records, cache, track=lambda names: track(list(names), "preparing windows", console=console))
    faults = faults_of(records)
    console.print(describe_faults(faults))
    jobs = jobs_of(windows, records, run_directory, cache=cache, noise=noise, settings=settings)
    run_side_by_side([job for job in jobs if not job.weights.is_file()], run_job, settings.workers, console)
    with console.status("calibrating on patients that the networks have not seen"):
        judged = out_of_fold(windows, [job for job in jobs if job.fold is not None])
        annotations = {name: records.annotations(name) for name in records.names}
        rates_hz = {name: records.read(name).fs_hz for name in records.names}
        folds = fold_names(windows, settings.folds)
        calibrated = calibrate(judged, folds, annotations, rates_hz)
        (run_directory / f"{BEATS}.onnx").write_bytes(
            trees_to_onnx(calibrated.trees.models, AAMI_CLASSES).SerializeToString()
        )
    for job in jobs:
        if job.fold is None:
            shutil.copyfile(job.weights, run_directory / f"{job.kind}.npz")
    learned = {name: records.content_hash(name) for name in records.names}
    run = Run(
        preprocessing_version=PREPROCESSING_VERSION,
        settings={
            CNN: settings.cnn_network,
            AUTOENCODER: settings.autoencoder_network,
            "cnn_fit": asdict(settings.cnn),
            "autoencoder_fit": asdict(settings.autoencoder),
            "cnn_augmentation": asdict(Augmentation()),
            "autoencoder_augmentation": asdict(_AUTOENCODER_AUGMENTATION),
            "folds": folds,
        },
        seed=settings.cnn.seed,
        records=learned,
        beat_records=learned,
        packages={"python": platform.python_version(), "torch": torch.__version__, "numpy": np.__version__},
        beat_map=calibrated.beat_map,
        beat_reading=calibrated.reading,
        calibration=calibrated.calibration,
        thresholds=calibrated.thresholds,
        figures={"measured_on": "training patients, out of fold", **calibrated.figures},
        faults={name: of.as_json() for name, of in faults.items()},
    )
    (run_directory / RUN).write_text(run.model_dump_json(indent=2) + "\n", encoding="utf-8")
    return run
