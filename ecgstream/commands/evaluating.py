"""The command that measures the models on annotated records."""

import sys
from dataclasses import asdict
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ecgstream.commands.options import Data, Json, Models, judging_settings

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from rich.progress import Progress

    from bus.settings import KafkaSettings
    from detector.manifest import Thresholds
    from ecg.annotations import Annotations
    from ecgstream.disturbed import DisturbedEvaluation
    from ecgstream.evaluation import Judged, Judging
    from training.figures import Evaluation


class EvaluationPath(StrEnum):
    """Way by which the verdicts come about."""

    OFFLINE = "offline"
    KAFKA = "kafka"


def evaluate(
    *,
    data: Data = None,
    records: Annotated[
        str | None,
        typer.Option(
            metavar="R,...", help="ds2, ds1, all, or names such as 100,103.  [default: ds2; ds1 with --disturb]"
        ),
    ] = None,
    database: Annotated[
        str | None,
        typer.Option(
            metavar="D",
            help="All records of a database in the data directory: svdb and nsrdb like mitdb, vfdb by its episodes, "
            "challenge2015 by its alarms, challenge2017 by its strips; all: each that is there, of mitdb DS1, in one "
            "table.",
        ),
    ] = None,
    annotator: Annotated[str, typer.Option(metavar="EXT", help="Extension of the annotation files.")] = "atr",
    path: Annotated[EvaluationPath, typer.Option(help="By the pure core, or through a real Kafka.")] = (
        EvaluationPath.OFFLINE
    ),
    chunk_ms: Annotated[
        int, typer.Option(min=100, max=1000, help="Length of a samples message on the Kafka path, ms.")
    ] = 250,
    compare: Annotated[
        bool, typer.Option("--compare", help="On the Kafka path: hold every verdict against the offline one.")
    ] = False,
    disturb: Annotated[
        str | None,
        typer.Option(
            metavar="D,...",
            help="Also as other devices would hear them, offline: all, or names such as rate-128,swapped,em.",
        ),
    ] = None,
    noise: Annotated[Path | None, typer.Option(help="Folder of the noise records; by default nstdb.")] = None,
    models: Models = None,
    html: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write a report with curves, the worst records first.")
    ] = None,
    json: Json = None,
) -> None:
    """Measure the models on annotated records: windows, beats and alarms."""
    from rich.console import Console

    from bus.settings import KafkaSettings
    from detector.manifest import load_manifest
    from ecg.data import data_directory
    from ecgstream.disturbed import chosen
    from ecgstream.evaluation import Judging, annotated_records
    from ecgstream.recordings import DATABASE, NOISE_DATABASE, records_folder
    from ecgstream.running import STDOUT, TABLE_WIDTH, write_json
    from ecgstream.settings import ProcessSettings, load
    from ops.logging import configure_logging
    from training.evaluate import evaluate_tallies
    from training.evaluation_table import disturbance_table, tables
    from training.tally import tally_records

    process = load(ProcessSettings)
    configure_logging(service="evaluate", level="warning", form=process.log_format)
    settings, rules = judging_settings(models)
    judging = Judging(folder=records_folder(data, process, database or DATABASE), settings=settings, rules=rules)
    plain = not (records or disturb or html or compare) and (annotator, path) == ("atr", EvaluationPath.OFFLINE)
    if database:
        directory = None if data else data_directory(process.data_dir)
        if (whole := _whole(database, judging, directory, plain=plain, quiet=json == STDOUT)) is not None:
            write_json(whole, json)
            return
    thresholds = load_manifest(judging.settings.models).thresholds
    noise = noise or data_directory(process.data_dir) / NOISE_DATABASE
    disturbances = chosen(disturb, noise) if disturb else ()
    # While weaknesses are looked for, the test set stays closed unless it is asked for.
    annotations, left_out = annotated_records(
        records or ("all" if database else "ds1" if disturb else "ds2"), judging.folder, annotator=annotator
    )
    names = tuple(annotations)
    offline = path is EvaluationPath.OFFLINE
    judged = (
        _judged_offline(names, judging) if offline else _judged_on_kafka(names, judging, load(KafkaSettings), chunk_ms)
    )
    tallies = tally_records(judged.verdicts, annotations, alerts=judged.alerts)
    evaluation = evaluate_tallies(tallies, thresholds=thresholds, path=path.value)
    result = evaluation.model_dump(mode="json") | {"left_out": left_out}
    console = Console(width=None if sys.stdout.isatty() else TABLE_WIDTH, quiet=json == STDOUT)
    console.print(tables(evaluation))
    for name, reason in left_out.items():
        console.print(f"record {name} is left out: {reason}")
    if compare and not offline:
        result["compared"], line = _compared(judged, _judged_offline(names, judging))
        console.print(line)
    under: dict[str, Evaluation | None] = {}
    if disturbances:
        disturbed = _disturbed(disturbances, annotations, judging, thresholds, noise)
        under = {one.name: one.evaluation for one in disturbed}
        console.print(disturbance_table(evaluation, under))
        result["disturbed"] = _as_json(disturbed)
    if html:
        from training.evaluation_report import write_report

        write_report(html, tallies, evaluation, disturbed=under)
        console.print(f"the report is in {html}")
    write_json(result, json)


def _as_json(disturbed: "list[DisturbedEvaluation]") -> dict[str, Any]:
    return {
        one.name: {
            "figures": one.evaluation and one.evaluation.model_dump(mode="json", exclude={"per_record"}),
            "left_out": one.left_out,
        }
        for one in disturbed
    }


def _whole(
    database: str, judging: "Judging", directory: Path | None, *, plain: bool, quiet: bool
) -> dict[str, Any] | None:
    """The figures of all databases, or of one that has its own form; None for one that is judged like mitdb."""
    from ecgstream.database_evaluation import FORMS
    from ecgstream.every_database import EVERY_DATABASE
    from training.databases import known_database

    if database == EVERY_DATABASE:
        return _every_database(judging, directory, plain=plain, quiet=quiet)
    if known_database(database) in FORMS:
        return _by_its_form(database, judging, plain=plain, quiet=quiet)
    return None


def _by_its_form(database: str, judging: "Judging", *, plain: bool, quiet: bool) -> dict[str, Any]:
    """The figures of a database without beats, also printed."""
    from rich.console import Console

    from ecg.errors import EcgStreamError
    from ecg.wfdb_files import list_records
    from ecgstream.database_evaluation import evaluate_database

    if not plain:
        raise EcgStreamError(
            f"{database} is evaluated whole, by its own form and offline: leave out --records, --annotator, --path, "
            "--compare, --disturb and --html"
        )
    with _progress() as progress:
        task = progress.add_task("judging records", total=len(list_records(judging.folder)))
        result = evaluate_database(database, judging, done=lambda count: progress.advance(task, count))
    Console(quiet=quiet).print({name: value for name, value in result.items() if name != "per_record"})
    return result


def _every_database(judging: "Judging", directory: Path | None, *, plain: bool, quiet: bool) -> dict[str, Any]:
    """The figures of every database that is there, also printed as one table."""
    from contextlib import contextmanager

    from rich.console import Console

    from ecg.errors import EcgStreamError
    from ecgstream.every_database import evaluate_each
    from ecgstream.running import TABLE_WIDTH
    from training.database_table import DatabaseRow, database_table
    from training.finding_counts import add_counts, finding_table

    if directory is None or not plain:
        raise EcgStreamError(
            "all databases are evaluated whole, offline and where the data directory has them: leave out --data, "
            "--records, --annotator, --path, --compare, --disturb and --html, and set ECGSTREAM_DATA_DIR"
        )

    @contextmanager
    def track(name: str, count: int) -> "Iterator[Callable[[int], None]]":
        with _progress() as progress:
            task = progress.add_task(f"judging {name}", total=count)
            yield lambda done: progress.advance(task, done)

    found = list(evaluate_each(directory, settings=judging.settings, rules=judging.rules, track=track))
    rows = [DatabaseRow.of(each.name, each.figures) for each in found if each.figures is not None]
    missing = {each.name: each.missing for each in found if each.figures is None}
    if not rows:
        raise EcgStreamError(next(iter(missing.values())))
    console = Console(width=None if sys.stdout.isatty() else TABLE_WIDTH, quiet=quiet)
    console.print(database_table(rows))
    findings = add_counts(each.figures["findings"] for each in found if each.figures is not None)
    console.print(finding_table(findings))
    for name, reason in missing.items():
        console.print(f"{name} is left out: {reason}")
    return {
        "table": [row.as_json() for row in rows],
        "findings": findings,
        "databases": {each.name: each.figures for each in found if each.figures is not None},
        "missing": missing,
    }


def _progress() -> "Progress":
    from rich.console import Console
    from rich.progress import Progress

    return Progress(console=Console(stderr=True))


def _judged_offline(names: tuple[str, ...], judging: "Judging") -> "Judged":
    from ecgstream.evaluation import judge_offline

    with _progress() as progress:
        task = progress.add_task("judging records", total=len(names))
        return judge_offline(names, judging, done=lambda count: progress.advance(task, count))


def _disturbed(
    names: tuple[str, ...],
    annotations: "dict[str, Annotations]",
    judging: "Judging",
    thresholds: "Thresholds",
    noise: Path,
) -> "list[DisturbedEvaluation]":
    from ecgstream.disturbed import evaluate_disturbed

    with _progress() as progress:
        task = progress.add_task("judging disturbed records", total=len(names) * len(annotations))
        evaluations = evaluate_disturbed(
            names,
            annotations,
            judging,
            thresholds=thresholds,
            noise=noise,
            done=lambda count: progress.advance(task, count),
        )
        return list(evaluations)


def _judged_on_kafka(names: tuple[str, ...], judging: "Judging", kafka: "KafkaSettings", chunk_ms: int) -> "Judged":
    from ecgstream.evaluation import judge_on_kafka, windows_in
    from ecgstream.local_system import LocalSystem
    from ecgstream.recordings import load_records
    from ecgstream.running import run

    records = load_records(names, judging.folder)
    system = LocalSystem(("detect", "--models", str(judging.settings.models)), ("alert",), partitions=kafka.partitions)

    async def judge_records() -> "Judged":
        with _progress() as progress:
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

    return run(judge_records())


def _compared(judged: "Judged", offline: "Judged") -> tuple[dict[str, Any], str]:
    """Return how two judgements differ, as JSON and as a line."""
    from ecgstream.evaluation import compare, compare_urgent

    found = compare(judged.verdicts, offline.verdicts)
    alike, unlike = compare_urgent(judged.urgent, offline.urgent)
    line = (
        f"{found.windows} windows against the offline path: largest difference of a score "
        f"{found.largest_difference:.3g}, {found.different} different, {found.missing} missing; "
        f"{alike} urgent messages alike, {unlike} not"
    )
    return asdict(found) | {"urgent": alike, "urgent_different": unlike}, line
