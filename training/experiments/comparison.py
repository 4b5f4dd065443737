"""Fits of a comparison of networks: each of them from several seeds, on training patients alone."""

from collections.abc import Sequence
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any, Literal

import torch
from pydantic import BaseModel, ConfigDict
from rich.console import Console
from rich.progress import track
from torch import nn

from detector.manifest import ModelFile
from ecg.errors import EcgStreamError
from training.augment import Augmentation
from training.data import RecordWindows, load_windows
from training.experiments.contenders import CONTENDERS, VALIDATION, ContenderJob, ContenderKind, SeedJob, run_seed
from training.experiments.early_stopping import StoppedFit
from training.experiments.single_beats import BEAT_CLASSES, FEATURES
from training.export import AUTOENCODER_OUTPUTS, CNN_OUTPUTS, INPUT
from training.jobs import Job, new_network
from training.onnx_file import segment_probes, write_onnx
from training.records import TrainingRecords
from training.run import load_weights
from training.side_by_side import run_side_by_side
from training.train import TrainingSettings, jobs_of

FITS = "comparison-fits.json"
ONNX = "onnx"
NetworkKind = Literal["cnn", "autoencoder", "lstm", "transformer", "dense"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ComparisonSettings:
    """Settings of a comparison.

    Attributes
    ----------
    seeds : fits of each network, with the seeds 0, 1, ...
    validation : patients that stop the contenders' fits and choose their thresholds
    fits : how the contenders are fitted; each takes some four minutes on one thread
    networks : parameters of the contenders' constructors
    shipped : how the CNN and the autoencoder are fitted, as ``ecgstream train`` does
    workers : fits that run at once, a thread each
    """

    seeds: int = 3
    validation: tuple[str, ...] = VALIDATION
    fits: dict[ContenderKind, StoppedFit] = field(
        default_factory=lambda: {
            "lstm": StoppedFit(steps=600, averaging=0.99),
            "transformer": StoppedFit(steps=800, averaging=0.99, learning_rate=2e-3),
            "dense": StoppedFit(steps=1000, averaging=0.99, learning_rate=2e-3),
        }
    )
    networks: dict[ContenderKind, dict[str, float]] = field(
        default_factory=lambda: {"lstm": {}, "transformer": {}, "dense": {}}
    )
    shipped: TrainingSettings = field(default_factory=TrainingSettings)
    workers: int = 2


class FittedNetwork(BaseModel):
    """One kind of network as it was fitted.

    ``weights`` has one file a seed, below the run's directory; a contender's log lies beside its weights.
    ``model`` describes the ONNX file of the first seed, which differs from torch by ``onnx_difference`` at most.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    kind: NetworkKind
    network: dict[str, Any]
    held_out: tuple[str, ...]
    weights: tuple[str, ...]
    model: ModelFile
    onnx_difference: float


class Fits(BaseModel):
    """``comparison-fits.json``: all that the scoring needs to know of the fits."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    records: tuple[str, ...]
    networks: tuple[FittedNetwork, ...]


def comparison_jobs(
    windows: Sequence[RecordWindows],
    records: TrainingRecords,
    run_directory: Path,
    *,
    cache: Path,
    noise: Path,
    settings: ComparisonSettings,
) -> list[SeedJob]:
    """Every fit of a comparison, by network and then by seed.

    The shipped networks are fitted as they ship, on all records: with the settings of the training run, seed 0 is the
    fit of that run, and is not fitted again.
    """
    shipped = [
        job
        for job in jobs_of(windows, records, run_directory, cache=cache, noise=noise, settings=settings.shipped)
        if job.fold is None
    ]
    where: dict[str, Any] = {part.name: getattr(shipped[0], part.name) for part in fields(Job)}
    jobs: list[SeedJob] = []
    for seed in range(settings.seeds):
        jobs += [
            SeedJob(
                **where
                | {
                    "kind": job.kind,
                    "network": job.network,
                    "fit": replace(job.fit, seed=seed),
                    "augmentation": job.augmentation,
                }
            )
            for job in shipped
        ]
        jobs += [
            ContenderJob(
                **where
                | {
                    "kind": kind,
                    "held_out": settings.validation,
                    "network": settings.networks[kind],
                    "fit": replace(fit, seed=seed),
                    "augmentation": Augmentation(),
                }
            )
            for kind, fit in settings.fits.items()
        ]
    return jobs


def fit_comparison(
    records: TrainingRecords,
    run_directory: Path,
    *,
    cache: Path,
    noise: Path,
    settings: ComparisonSettings | None = None,
    console: Console | None = None,
) -> Fits:
    """Fit every network from every seed, and export the first of each; what was fitted before is not fitted again.

    Parameters
    ----------
    records : what to learn from; no test record can be among them
    run_directory : of a training run, to whose fits these are added
    cache : folder for prepared windows, that of the training run
    noise : the folder of the noise records
    settings : how
    console : where progress is shown

    Raises
    ------
    EcgStreamError : without a seed
    """
    settings = settings or ComparisonSettings()
    console = console or Console()
    if settings.seeds < 1:
        raise EcgStreamError(f"seeds={settings.seeds}: fit from one seed or more")
    windows = load_windows(records, cache, track=lambda names: track(list(names), "preparing windows", console=console))
    jobs = comparison_jobs(windows, records, run_directory, cache=cache, noise=noise, settings=settings)
    run_side_by_side([job for job in jobs if not job.finished], run_seed, settings.workers, console)
    by_kind: dict[NetworkKind, list[SeedJob]] = {}
    for job in jobs:
        by_kind.setdefault(job.kind, []).append(job)
    with console.status("exporting to ONNX"):
        networks = tuple(_exported(kind, of_kind, run_directory) for kind, of_kind in by_kind.items())
    fits = Fits(records=records.names, networks=networks)
    (run_directory / FITS).write_text(fits.model_dump_json(indent=1) + "\n", encoding="utf-8")
    return fits


def network_of(kind: NetworkKind, parameters: dict[str, Any]) -> nn.Module:
    """A network of any kind, with fresh weights."""
    if kind == "cnn" or kind == "autoencoder":  # noqa: PLR1714 - the type checker follows this form alone
        return new_network(kind, parameters)
    return CONTENDERS[kind].network(**parameters)


def load_fits(run_directory: Path) -> Fits:
    """Read what ``fit_comparison`` wrote.

    Raises
    ------
    EcgStreamError : when there is none
    """
    path = run_directory / FITS
    try:
        return Fits.model_validate_json(path.read_bytes())
    except (OSError, ValueError) as error:
        raise EcgStreamError(
            f"{path} does not describe the fits of a comparison ({error}): run `ecgstream compare fit` first"
        ) from error


def _exported(kind: NetworkKind, jobs: Sequence[SeedJob], run_directory: Path) -> FittedNetwork:
    first = jobs[0]
    network = network_of(kind, first.network)
    load_weights(network, first.weights)
    if kind == "dense":
        input_name, probes = "beats", torch.randn(5, FEATURES, generator=torch.Generator().manual_seed(0))
        outputs: dict[str, tuple[int, ...]] = {"beat_logits": (len(BEAT_CLASSES),)}
    else:
        input_name, probes = INPUT, segment_probes()
        outputs = AUTOENCODER_OUTPUTS if kind == "autoencoder" else CNN_OUTPUTS
    model, difference = write_onnx(
        network, run_directory / ONNX, kind, input_name=input_name, probes=probes, outputs=outputs
    )
    return FittedNetwork(
        kind=kind,
        network=first.network,
        held_out=first.held_out,
        weights=tuple(str(job.weights.relative_to(run_directory)) for job in jobs),
        model=model,
        onnx_difference=difference,
    )
