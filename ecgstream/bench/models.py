"""Time that the networks take a window, beside a plain CNN in the same run, in float32 and in int8."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from rich.console import Group
from rich.table import Table

from detector.manifest import ModelFile, load_manifest
from detector.sessions import open_session
from ecg.labels import DS1
from ecg.records import Float32Array
from ecgstream.bench.capacity import machine
from ecgstream.evaluation import Judging, annotated_records, judge_offline
from training.evaluate import evaluate
from training.figures import Evaluation

BATCHES = (1, 8, 32, 64)
NETWORKS = ("cnn", "autoencoder")
ROUNDS = 20  # every contender in each round, so that what else runs on the machine strikes all alike
ROUND_WINDOWS = 64  # that each contender judges in a round, in batches
DIGITS = 4
PLAIN, FLOAT = "plain_cnn", "float32"

Run = Callable[[], object]
Times = dict[str, dict[str, float]]  # network -> batch size -> ms a window


def time_networks(networks: Mapping[str, tuple[Path, ModelFile]], *, rounds: int) -> Times:
    """Milliseconds of processor time a window, on one thread: the least of several rounds.

    Processor time, not wall time, and the round that was disturbed least: what else runs on the machine is not what
    is measured.

    Parameters
    ----------
    networks : by name, the folder of each and what its manifest says of it
    rounds : how often each is timed
    """
    random = np.random.default_rng(0)
    times: Times = {name: {} for name in networks}
    for batch in BATCHES:
        runs = {name: _run(folder, model, batch, random) for name, (folder, model) in networks.items()}
        best = dict.fromkeys(networks, np.inf)
        for _ in range(rounds):
            for name, run in runs.items():
                best[name] = min(best[name], _seconds(run, ROUND_WINDOWS // batch))
        for name in networks:
            times[name][str(batch)] = round(1000 * best[name] / (ROUND_WINDOWS // batch * batch), DIGITS)
    return times


def _run(folder: Path, model: ModelFile, batch: int, random: np.random.Generator) -> Run:
    session = open_session(folder, model, 1)
    inputs: Float32Array = random.standard_normal((batch, *model.input_shape)).astype(np.float32)
    wanted = {model.input_name: inputs}

    def run() -> object:
        return session.run(list(model.outputs), wanted)

    run()  # the first one allocates
    return run


def _seconds(run: Run, count: int) -> float:
    start = time.thread_time()  # the networks run on the thread that calls them
    for _ in range(count):
        run()
    return time.thread_time() - start


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelBenchPlan:
    """Plan of a run.

    Attributes
    ----------
    judging : the models, and how records are judged
    records : to measure the accuracy on
    calibrate_on : training records whose segments give the ranges of the int8 networks
    rounds : how often each network is timed
    keep : where the int8 models stay, a folder a form; None throws them away
    """

    judging: Judging
    records: str
    calibrate_on: tuple[str, ...] = DS1
    rounds: int = ROUNDS
    keep: Path | None = None


def bench_networks(plan: ModelBenchPlan, *, report_line: Callable[[str], None]) -> dict[str, Any]:
    """Time the networks of a directory, quantise them, and hold float32 and int8 against each other on records.

    Without the packages of the extra ``train`` there is neither a plain CNN nor int8.

    Parameters
    ----------
    plan : what is measured
    report_line : is told what is going on
    """
    with TemporaryDirectory() as folder:
        made = Path(folder)
        variants = {FLOAT: plan.judging.settings.models}
        contenders: dict[str, tuple[Path, ModelFile]] = {}
        if find_spec("onnx") is None:
            report_line("onnx is not installed: no plain CNN and no int8; pip install 'ecgstream[train]'")
        else:
            from training.experiments.plain_cnn import write_plain_cnn

            contenders[PLAIN] = made, write_plain_cnn(made)
            report_line("quantising")
            variants |= _quantised(plan, plan.keep or made)
        for variant, directory in variants.items():
            manifest = load_manifest(directory)
            contenders |= {f"{variant}/{name}": (directory, getattr(manifest, name)) for name in NETWORKS}
        report_line("timing the networks")
        times = time_networks(contenders, rounds=plan.rounds)
        evaluations = {}
        for variant, directory in variants.items():
            report_line(f"judging records by {variant}")
            settings = plan.judging.settings.model_copy(update={"models": directory})
            evaluations[variant] = _evaluated(replace(plan.judging, settings=settings), plan.records)
    both = {
        variant: {
            batch: round(sum(times[f"{variant}/{name}"][batch] for name in NETWORKS), DIGITS)
            for batch in map(str, BATCHES)
        }
        for variant in variants
    }
    plain = times.pop(PLAIN, None)
    return {
        "parameters": {name: model.parameters for name, (_, model) in contenders.items()},
        "ms_per_window": times | {f"{variant}/both": of for variant, of in both.items()} | {PLAIN: plain},
        "ratio_to_plain_cnn": plain
        and {variant: {batch: round(of[batch] / plain[batch], 2) for batch in of} for variant, of in both.items()},
        "accuracy": {
            variant: evaluation.model_dump(mode="json", exclude={"per_record"})
            for variant, evaluation in evaluations.items()
        },
        "machine": machine(),
    }


def _quantised(plan: ModelBenchPlan, place: Path) -> dict[str, Path]:
    from training.quantise_models import Form, calibration_segments, quantise
    from training.records import TrainingRecords

    segments = calibration_segments(TrainingRecords(directory=plan.judging.folder, names=plan.calibrate_on))
    found = {}
    for form in Form:
        found[f"int8-{form.value}"] = target = place / f"int8-{form.value}"
        quantise(plan.judging.settings.models, target, segments, form=form)
    return found


def _evaluated(judging: Judging, records: str) -> Evaluation:
    annotations, _ = annotated_records(records, judging.folder)
    judged = judge_offline(tuple(annotations), judging, done=lambda _: None)
    thresholds = load_manifest(judging.settings.models).thresholds
    return evaluate(judged.verdicts, annotations, thresholds=thresholds, alerts=judged.alerts)


def as_table(report: dict[str, Any]) -> Group:
    """The report as tables for people."""
    speed = Table(title="ms of processor time a window, one thread, by batch")
    for column in ("network", "parameters", *map(str, BATCHES), "both against a plain CNN, batch of 32"):
        speed.add_column(column, justify="left" if column == "network" else "right")
    ratios = report["ratio_to_plain_cnn"] or {}
    for name, times in report["ms_per_window"].items():
        if times:
            variant, _, network = name.partition("/")
            ratio = ratios.get(variant, {}).get("32") if network == "both" else None
            parameters = report["parameters"].get(name)
            row = (f"{times[str(batch)]:.3f}" for batch in BATCHES)
            speed.add_row(name, str(parameters or ""), *row, f"{ratio:.2f}" if ratio else "")
    worth = Table(title="what they are worth on the records")
    for column in ("networks", "CNN AUROC", "autoencoder AUROC", "fused AUROC", "F1", "V Se", "V +P", "S Se", "S +P"):
        worth.add_column(column, justify="left" if column == "networks" else "right")
    for variant, of in report["accuracy"].items():
        windows, beats = of["windows"], of["beats"]
        figures = (
            *(windows[score]["auroc"] for score in ("cnn", "autoencoder", "fused")),
            windows["fused"]["f1"],
            *(beats[kind][rate] for kind in ("veb", "sveb") for rate in ("se", "ppv")),
        )
        worth.add_row(variant, *("-" if value is None else f"{value:.4f}" for value in figures))
    return Group(speed, worth)
