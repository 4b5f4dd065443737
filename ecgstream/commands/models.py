"""The commands around the models: scoring, training, exporting, measuring."""

import sys
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ecgstream.commands.options import Data, Json, Models

if TYPE_CHECKING:
    from alerting.settings import AlertingSettings
    from bus.settings import KafkaSettings
    from detector.settings import DetectorSettings
    from ecgstream.evaluation import Judged

TABLE_WIDTH = 140


class Unit(StrEnum):
    """Units of a file that does not say its own."""

    MV = "mV"
    UV = "uV"
    V = "V"
    ADC = "adc"


class EvaluationPath(StrEnum):
    """How the verdicts come about."""

    OFFLINE = "offline"
    KAFKA = "kafka"


def score(
    files: Annotated[list[Path], typer.Argument(metavar="FILE...", help="WFDB (.hea, .dat), EDF, CSV or .npy files.")],
    *,
    fs: Annotated[float | None, typer.Option(metavar="HZ", help="Sampling rate, for files that do not say it.")] = None,
    leads: Annotated[str | None, typer.Option(help="Lead names, separated by commas.")] = None,
    unit: Annotated[Unit | None, typer.Option(help="Unit, for files that do not say it; mV by default.")] = None,
    models: Models = None,
    json: Json = None,
) -> None:
    """Score files without a broker."""
    from alerting.settings import AlertingSettings
    from detector.settings import DetectorSettings
    from ecgstream.evaluation import scorer_of
    from ecgstream.running import STDOUT, reader_may_leave, write_json
    from ecgstream.scoring import score_file, told
    from ecgstream.settings import load

    scorer = scorer_of(load(DetectorSettings, models=models))
    rules = load(AlertingSettings)
    names = tuple(name.strip() for name in leads.split(",")) if leads else None
    results = []
    with reader_may_leave():
        for path in files:
            results.append(score_file(path, scorer, rules, fs_hz=fs, leads=names, unit=unit.value if unit else None))
            if json != STDOUT:
                typer.echo("\n".join(told(results[-1])))
        write_json({"results": results}, json)


def evaluate(
    *,
    data: Data = None,
    records: Annotated[str, typer.Option(metavar="R,...", help="ds2, ds1, all, or names such as 100,103.")] = "ds2",
    path: Annotated[EvaluationPath, typer.Option(help="By the pure core, or through a real Kafka.")] = (
        EvaluationPath.OFFLINE
    ),
    chunk_ms: Annotated[
        int, typer.Option(min=100, max=1000, help="Length of a samples message on the Kafka path, ms.")
    ] = 250,
    compare: Annotated[
        bool, typer.Option("--compare", help="On the Kafka path: hold every verdict against the offline one.")
    ] = False,
    models: Models = None,
    json: Json = None,
) -> None:
    """Measure the models on annotated records: windows, beats and alarms."""
    from dataclasses import asdict

    from rich.console import Console

    from alerting.settings import AlertingSettings
    from bus.settings import KafkaSettings
    from detector.manifest import load_manifest
    from detector.settings import DetectorSettings
    from ecg.annotations import read_annotations
    from ecgstream.evaluation import compare as compared
    from ecgstream.recordings import names_of, records_folder
    from ecgstream.running import STDOUT, write_json
    from ecgstream.settings import ProcessSettings, load
    from ops.logging import configure_logging
    from training.evaluate import evaluate as measure
    from training.evaluation_table import tables

    process = load(ProcessSettings)
    configure_logging(service="evaluate", level="warning", form=process.log_format)
    settings, rules, kafka = load(DetectorSettings, models=models), load(AlertingSettings), load(KafkaSettings)
    manifest = load_manifest(settings.models)
    folder = records_folder(data, process)
    names = names_of([records], folder)
    annotations = {name: read_annotations(folder / name) for name in names}
    offline = path is EvaluationPath.OFFLINE
    judged = (
        _judged_offline(names, folder, settings, rules)
        if offline
        else _judged_on_kafka(names, folder, settings, kafka, chunk_ms)
    )
    evaluation = measure(
        judged.verdicts, annotations, thresholds=manifest.thresholds, path=path.value, alerts=judged.alerts
    )
    result = evaluation.model_dump(mode="json")
    if compare and not offline:
        result["compared"] = asdict(compared(judged.verdicts, _judged_offline(names, folder, settings, rules).verdicts))
    if json != STDOUT:
        # Tables cut to 80 columns would hide figures in a log.
        console = Console(width=None if sys.stdout.isatty() else TABLE_WIDTH)
        console.print(tables(evaluation))
        if found := result.get("compared"):
            console.print(
                f"{found['windows']} windows against the offline path: largest difference of a score "
                f"{found['largest_difference']:.3g}, {found['different']} different, {found['missing']} missing"
            )
    write_json(result, json)


def _judged_offline(
    names: tuple[str, ...], folder: Path, settings: "DetectorSettings", rules: "AlertingSettings"
) -> "Judged":
    from rich.console import Console
    from rich.progress import Progress

    from ecgstream.evaluation import judge_offline

    with Progress(console=Console(stderr=True)) as progress:
        task = progress.add_task("judging records", total=len(names))
        return judge_offline(names, folder, settings, rules, done=lambda count: progress.advance(task, count))


def _judged_on_kafka(
    names: tuple[str, ...], folder: Path, settings: "DetectorSettings", kafka: "KafkaSettings", chunk_ms: int
) -> "Judged":
    from rich.console import Console
    from rich.progress import Progress

    from ecgstream.evaluation import judge_on_kafka, windows_in
    from ecgstream.local_system import LocalSystem
    from ecgstream.recordings import load_records
    from ecgstream.running import run

    records = load_records(names, folder)
    system = LocalSystem(("detect", "--models", str(settings.models)), ("alert",), partitions=kafka.partitions)

    async def judge() -> "Judged":
        with Progress(console=Console(stderr=True)) as progress:
            task = progress.add_task("starting Kafka", total=sum(windows_in(record) for record in records))
            try:
                await system.start()
                progress.update(task, description="judging windows")
                return await judge_on_kafka(
                    records,
                    system.kafka,
                    chunk_ms=chunk_ms,
                    check=system.check,
                    done=lambda count: progress.advance(task, count),
                )
            finally:
                await system.end()

    return run(judge())


def train(
    run_directory: Annotated[Path, typer.Argument(metavar="RUN", help="Where the run's weights and report go.")],
    *,
    data: Data = None,
    records: Annotated[str, typer.Option(metavar="R,...", help="What to learn from; no test record is taken.")] = "ds1",
    noise: Annotated[Path | None, typer.Option(help="Folder of the noise records; by default nstdb.")] = None,
    cache: Annotated[Path | None, typer.Option(help="Folder for prepared windows; by default in RUN.")] = None,
    workers: Annotated[int, typer.Option(min=1, help="Fits that run side by side.")] = 2,
) -> None:
    """Train both networks, calibrate them and choose thresholds; a run that was cut off goes on."""
    from rich.console import Console

    from ecg.data import data_directory
    from ecgstream.recordings import NOISE_DATABASE, names_of, records_folder
    from ecgstream.settings import ProcessSettings, load

    _need_torch()
    from training.records import TrainingRecords
    from training.train import TrainingSettings
    from training.train import train as train_networks

    process = load(ProcessSettings)
    folder = records_folder(data, process)
    run_directory.mkdir(parents=True, exist_ok=True)
    train_networks(
        TrainingRecords(directory=folder, names=names_of([records], folder)),
        run_directory,
        cache=cache or run_directory / "windows",
        noise=noise or data_directory(process.data_dir) / NOISE_DATABASE,
        settings=TrainingSettings(workers=workers),
        console=Console(stderr=True),
    )
    typer.echo(f"trained: export it with 'ecgstream export {run_directory} DIR'")


def export(
    run_directory: Annotated[Path, typer.Argument(metavar="RUN", help="What `ecgstream train` wrote.")],
    directory: Annotated[Path, typer.Argument(metavar="DIR", help="Where the models go; earlier ones are replaced.")],
) -> None:
    """Write a run's networks as ONNX files with their manifest, checked against torch."""
    _need_torch()
    from training.export import export as export_networks

    exported = export_networks(run_directory, directory)
    for name, difference in exported.largest_difference.items():
        typer.echo(f"{name}: onnxruntime and torch differ by at most {difference:.2g}")
    typer.echo(f"the models are in {exported.directory}")


def _need_torch() -> None:
    from importlib.util import find_spec

    from ecg.errors import EcgStreamError

    if missing := [name for name in ("torch", "onnx", "onnxscript") if find_spec(name) is None]:
        raise EcgStreamError(f"training needs {', '.join(missing)}: pip install 'ecgstream[train]'")
