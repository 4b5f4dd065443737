"""The commands that measure the whole system: how much it carries, and at what cost."""

from pathlib import Path
from typing import Annotated

import typer

from ecgstream.commands.benches import bench, bench_settings, plan_of, recordings_of, report
from ecgstream.commands.options import Data, Json, Models, Record, Speed, judging_settings


@bench.command("capacity")
def bench_capacity(
    *,
    patients: Annotated[int, typer.Option(min=1, metavar="N", help="Live patients.")] = 100,
    duration: Annotated[float, typer.Option(min=10, metavar="S", help="Seconds of record time of each.")] = 60.0,
    speed: Speed = None,
    chunk_ms: Annotated[int, typer.Option(min=100, max=1000, metavar="MS", help="Length of a message.")] = 250,
    detectors: Annotated[
        int, typer.Option(min=1, max=16, metavar="N", help="Detector processes that share the partitions.")
    ] = 1,
    record: Record = None,
    data: Data = None,
    json: Json = None,
) -> None:
    """Replay live patients beside the detector, on a broker of its own, and measure."""
    from dataclasses import replace

    from ecgstream.bench.capacity import run_capacity
    from ecgstream.running import run

    plan = plan_of(patients, duration, record or [], data, speed=speed or "1")
    report(run(run_capacity(replace(plan, chunk_ms=chunk_ms, detectors=detectors))), json)


@bench.command("latency")
def bench_latency(
    *,
    patients: Annotated[int, typer.Option(min=1, metavar="N", help="Live patients.")] = 20,
    duration: Annotated[float, typer.Option(min=10, metavar="S", help="Seconds of record time of each.")] = 60.0,
    record: Record = None,
    data: Data = None,
    json: Json = None,
) -> None:
    """Measure how soon a verdict can be read after its last sample, at real pace and with few patients.

    For samples on their way to a browser see live.
    """
    bench_capacity(
        patients=patients, duration=duration, speed="1", chunk_ms=250, detectors=1, record=record, data=data, json=json
    )


@bench.command("core")
def bench_core(
    *,
    patients: Annotated[int, typer.Option(min=1, metavar="N", help="Live patients.")] = 200,
    duration: Annotated[float, typer.Option(min=30, metavar="S", help="Seconds of signal of each.")] = 40.0,
    chunk_ms: Annotated[int, typer.Option(min=100, max=1000, metavar="MS", help="Length of a message.")] = 250,
    gather_ms: Annotated[
        int, typer.Option(min=10, max=5000, metavar="MS", help="What comes in so long is worked on at once.")
    ] = 100,
    record: Record = None,
    data: Data = None,
    models: Models = None,
    json: Json = None,
) -> None:
    """Tell where the detector's time and memory go, step by step, without Kafka."""
    from ecgstream.bench.core import CorePlan, run_core
    from ecgstream.recordings import load_records, names_of, records_folder
    from ecgstream.settings import ProcessSettings, load

    settings, _ = judging_settings(models)
    folder = records_folder(data, load(ProcessSettings))
    plan = CorePlan(
        records=load_records(names_of(record or [], folder), folder),
        models=settings.models,
        patients=patients,
        seconds=duration,
        chunk_s=chunk_ms / 1000,
        gather_s=gather_ms / 1000,
    )
    report(run_core(plan), json)


@bench.command("page")
def bench_page(
    *,
    patients: Annotated[int, typer.Option(min=1, metavar="N", help="Live patients on the ward page.")] = 50,
    duration: Annotated[float, typer.Option(min=10, metavar="S", help="Seconds that are measured.")] = 60.0,
    record: Record = None,
    data: Data = None,
    json: Json = None,
) -> None:
    """Watch a ward of live patients with a headless Chromium, on a broker of its own, and measure.

    Needs Playwright (pip install playwright) and a Chromium.
    """
    from ecgstream.bench.page import run_page
    from ecgstream.running import run

    report(run(run_page(plan_of(patients, duration, record or ["ds1"], data))), json)


@bench.command("live")
def bench_live(
    *,
    patients: Annotated[int, typer.Option(min=1, metavar="N", help="Live patients.")] = 50,
    clients: Annotated[int, typer.Option(min=0, metavar="N", help="Simulated browsers; one of ten is slow.")] = 200,
    duration: Annotated[float, typer.Option(min=10, metavar="S", help="Seconds that are measured.")] = 60.0,
    record: Record = None,
    data: Data = None,
    json: Json = None,
) -> None:
    """Let many simulated browsers watch live patients, on a broker of its own, and measure."""
    from ecgstream.bench.live import run_live
    from ecgstream.running import run

    report(run(run_live(plan_of(patients, duration, record or ["ds1"], data), clients=clients)), json)


@bench.command("monitoring")
def bench_monitoring(
    *,
    patients: Annotated[int, typer.Option(min=1, metavar="N", help="Live patients.")] = 500,
    duration: Annotated[float, typer.Option(min=10, metavar="S", help="Seconds that are measured.")] = 600.0,
    record: Record = None,
    data: Data = None,
    json: Json = None,
) -> None:
    """Scrape every service as Prometheus does, on a broker of its own: time, series, whether anything grows."""
    from ecgstream.bench.monitoring import run_monitoring
    from ecgstream.running import run

    report(run(run_monitoring(plan_of(patients, duration, record or ["ds1"], data))), json)


@bench.command("lethal")
def bench_lethal(
    *,
    phases: Annotated[int, typer.Option(min=1, metavar="N", help="Onsets of each kind, at random phases.")] = 200,
    seed: Annotated[int, typer.Option(metavar="S", help="The same seed brings the same onsets.")] = 0,
    records: Annotated[str, typer.Option(metavar="R,...", help="Asystoles are cut into these: ds1, or names.")] = "ds1",
    data: Data = None,
    json: Json = None,
) -> None:
    """Stop many hearts at random moments, and time the alarms: asystole, and the flutter of record 207."""
    from ecgstream.bench.lethal import LethalPlan, run_lethal
    from ecgstream.running import run

    folder, names = recordings_of(data, [records])
    report(run(run_lethal(LethalPlan(phases=phases, seed=seed, records=names, folder=folder))), json)


@bench.command("models")
def bench_models(
    *,
    records: Annotated[
        str, typer.Option(metavar="R,...", help="Annotated records to measure the accuracy on: ds1, ds2, or names.")
    ] = "ds1",
    keep: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Keep the int8 models here; 'evaluate --models' takes them.")
    ] = None,
    models: Models = None,
    data: Data = None,
    json: Json = None,
) -> None:
    """Time the networks beside a plain CNN, and hold them against their int8 forms. Data: DS1, to calibrate."""
    from ecgstream.bench.models import ModelBenchPlan, as_table, bench_networks
    from ecgstream.evaluation import Judging
    from ecgstream.recordings import records_folder
    from ecgstream.running import print_result
    from ecgstream.settings import ProcessSettings, load

    settings, rules = judging_settings(models)
    judging = Judging(folder=records_folder(data, load(ProcessSettings)), settings=settings, rules=rules)
    plan = ModelBenchPlan(judging=judging, records=records, keep=keep)
    report = bench_networks(plan, report_line=lambda line: typer.echo(line, err=True))
    print_result([as_table(report)], report, json)


@bench.command("gateway")
def bench_gateway(
    *,
    devices: Annotated[int, typer.Option(min=1, metavar="N", help="Devices, each on its own WebSocket.")] = 500,
    duration: Annotated[float, typer.Option(min=5, metavar="S", help="Seconds that are measured.")] = 60.0,
    chunk_ms: Annotated[int, typer.Option(min=100, max=1000, metavar="MS", help="Length of a message.")] = 250,
    record: Record = None,
    data: Data = None,
    json: Json = None,
) -> None:
    """Let many devices send to a gateway at real pace, on a broker of its own, and time their acknowledgements."""
    from ecgstream.bench.gateway_load import GatewayLoadPlan, run_gateway_load
    from ecgstream.recordings import load_records
    from ecgstream.running import run

    folder, names = recordings_of(data, record or [])
    plan = GatewayLoadPlan(devices=devices, duration_s=duration, chunk_s=chunk_ms / 1000)
    report(run(run_gateway_load(plan, load_records(names, folder))), json)


@bench.command("score")
def bench_score(
    *,
    record: Annotated[
        str | None, typer.Option(metavar="R", help="A record's name.  [default: 208, else the excerpt of it]")
    ] = None,
    length: Annotated[
        float | None,
        typer.Option(min=5, metavar="S", help="Instead: the command's time and memory for a file of so many seconds."),
    ] = None,
    models: Models = None,
    data: Data = None,
    json: Json = None,
) -> None:
    """Time the scoring of a record's file, and hold its verdicts against those of a live stream."""
    from ecgstream.bench.score_file import bench_score_file
    from ecgstream.bench.scoring import bench_score as measured

    folder, (name,) = recordings_of(data, [record] if record else [])
    settings, rules = judging_settings(models)
    if length is not None:
        report(bench_score_file(name, folder, length_s=length, models=settings.models), json)
        return
    report(measured(name, folder, settings, rules), json)


@bench.command("scale")
def bench_scale(
    *,
    patients: Annotated[int, typer.Option(min=1, metavar="N", help="Live patients.")] = 10_000,
    core_patients: Annotated[
        int, typer.Option(min=1, metavar="N", help="Patients that a core of a detector carries: see bench capacity.")
    ] = 500,
    cell_patients: Annotated[
        int, typer.Option(min=1, metavar="N", help="Patients of one cell: brokers and services of its own.")
    ] = 50_000,
    chunk_ms: Annotated[int, typer.Option(min=100, max=1000, metavar="MS", help="Length of a message.")] = 250,
    replication: Annotated[int, typer.Option(min=1, max=5, help="Replicas of each partition.")] = 3,
    broker_mb_s: Annotated[float, typer.Option(min=1, help="MB/s that a broker takes in, and passes on.")] = 100.0,
    core_month: Annotated[float, typer.Option(min=0, help="Price of a core, a month.")] = 15.0,
    disk_month: Annotated[float, typer.Option(min=0, help="Price of a GB of disk, a month.")] = 0.1,
    record: Record = None,
    data: Data = None,
    json: Json = None,
) -> None:
    """Plan an installation: partitions, cores, brokers, network, disk and price, and what the end of one core moves."""
    from dataclasses import replace

    from detector.scorer import Scorer
    from ecg.wfdb_files import load_record
    from ecgstream.bench.scale import ScalePlan, plan_scale, sizes_of
    from models import SHIPPED

    plan = ScalePlan(
        patients=patients,
        cell_patients=max(cell_patients, core_patients),
        core_patients=core_patients,
        chunk_ms=chunk_ms,
        replication=replication,
        broker_mb_s=broker_mb_s,
        core_month=core_month,
        disk_month=disk_month,
    )
    folder, (name, *_) = recordings_of(data, record or [])
    whole = load_record(name, folder)
    beginning = replace(whole, samples=whole.part(0, round(120 * whole.fs_hz)))
    report(plan_scale(plan, sizes_of(beginning, chunk_ms=chunk_ms, scorer=Scorer(SHIPPED))), json)


@bench.command("paper")
def bench_paper(
    *,
    pages: Annotated[int, typer.Option(min=2, metavar="N", help="Pages, every second one aged.")] = 48,
    seed: Annotated[int, typer.Option(metavar="S", help="Decides records, layouts, styles and ageing.")] = 1,
    without: Annotated[int, typer.Option(min=0, metavar="N", help="Pictures that hold no ECG.")] = 100,
    pictures: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR", help="Instead: a folder of pictures, with NAME.truth.csv where the truth is known."
        ),
    ] = None,
    models: Models = None,
    data: Data = None,
    json: Json = None,
) -> None:
    """Read pages drawn from records of DS1, clean and aged, and measure what came back."""
    from ecgstream.bench.paper import bench_paper as measured
    from ecgstream.bench.paper import bench_pictures
    from ecgstream.recordings import records_folder

    process = bench_settings()
    if pictures is not None:
        report(bench_pictures(pictures), json)
        return
    settings, rules = judging_settings(models)
    report(measured(records_folder(data, process), settings, rules, count=pages, seed=seed, without=without), json)
