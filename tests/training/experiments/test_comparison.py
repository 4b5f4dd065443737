import re
import shutil
from dataclasses import replace
from io import StringIO
from pathlib import Path
from typing import Any, get_args

import numpy as np
import onnxruntime as ort
import pytest
from rich.console import Console

import training.experiments.comparison
from detector.manifest import BeatReading, Calibration, Thresholds
from ecg.errors import EcgStreamError
from ecg.segments import PREPROCESSING_VERSION
from models import SHIPPED
from tests.ecgstream.commands import status_of
from tests.training.in_this_process import in_this_process
from tests.training.quick_export import quick_export
from tests.training.recordings import write_record
from training.beat_tuning import reading
from training.data import load_windows
from training.experiments.comparison import (
    FITS,
    ComparisonSettings,
    Fits,
    NetworkKind,
    comparison_jobs,
    fit_comparison,
    load_fits,
)
from training.experiments.comparison_scoring import COMPARISON, ROWS, Comparison, score_comparison
from training.experiments.comparison_table import TITLES, table
from training.experiments.contenders import ContenderJob, FitLog, SeedJob, run_contender
from training.experiments.early_stopping import StoppedFit
from training.fit import Fit
from training.records import SplitError, TrainingRecords
from training.run import RUN, Run
from training.train import TrainingSettings, jobs_of

# onnxscript and torch deprecate things of their own among themselves.
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")
TINY = ComparisonSettings(
    seeds=2,
    validation=("106",),
    fits={
        "lstm": StoppedFit(steps=4, batch=8, check_every=2),
        "transformer": StoppedFit(steps=4, batch=8, check_every=2),
        "dense": StoppedFit(steps=4, batch=8, check_every=2),
    },
    networks={"lstm": {"hidden": 8}, "transformer": {"channels": 8, "blocks": 2, "heads": 2}, "dense": {"hidden": 8}},
    shipped=TrainingSettings(
        folds=2,
        cnn=Fit(steps=3, batch=8),
        autoencoder=Fit(steps=3, batch=8),
        cnn_network={"shape_channels": 8, "rhythm_channels": 8},
        autoencoder_network={"channels": 8},
        workers=1,
    ),
    workers=1,
)
BEAT_S = np.arange(0.5, 59.5, 0.75)
LEARNT, TESTED = ("101", "106"), ("100", "202")


def _write(folder: Path, names: tuple[str, ...]) -> None:
    for seed, name in enumerate(names):
        symbols = ["V" if beat > 30 and number % 4 == seed % 2 else "N" for number, beat in enumerate(BEAT_S)]
        write_record(folder, name, beat_s=BEAT_S, symbols=symbols, seed=seed)


def _fit(folder: Path, run: Path) -> Fits:
    records = TrainingRecords(directory=folder, names=LEARNT)
    return fit_comparison(records, run, cache=run / "windows", noise=folder, settings=TINY, console=Console(quiet=True))


def _jobs(folder: Path, run: Path) -> list[SeedJob]:
    records = TrainingRecords(directory=folder, names=LEARNT)
    windows = load_windows(records, run / "windows")
    return comparison_jobs(windows, records, run, cache=run / "windows", noise=folder, settings=TINY)


def _contender(folder: Path, run: Path, name: str) -> ContenderJob:
    job = next(job for job in _jobs(folder, run) if job.name == name)
    assert isinstance(job, ContenderJob)
    return job


def _write_run(directory: Path) -> None:
    """A finished training run of which only the calibration is read; any does."""
    any_value: dict[str, Any] = {
        part: dict.fromkeys(model.model_fields, 0.5)
        for part, model in (("calibration", Calibration), ("thresholds", Thresholds))
    }
    run = Run(
        preprocessing_version=PREPROCESSING_VERSION,
        settings={},
        seed=0,
        records={},
        beat_records={},
        packages={},
        beat_map=reading(0.3, 0.8),
        beat_reading=BeatReading(biases=(0.0, 0.0, 0.0, 0.0)),
        figures={},
        faults={},
        **any_value,
    )
    (directory / RUN).write_text(run.model_dump_json(), encoding="utf-8")
    shutil.copyfile(SHIPPED / "beats.onnx", directory / "beats.onnx")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("records")
    _write(directory, (*LEARNT, "bw", "em", "ma"))
    return directory


@pytest.fixture(scope="module")
def run_directory(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    run = tmp_path_factory.mktemp("run")
    _write_run(run)
    with in_this_process(training.experiments.comparison), quick_export():
        fits = _fit(folder, run)  # no test record is there yet
    for fitted in fits.networks[:2]:
        shutil.copyfile(run / fitted.weights[0], run / f"{fitted.kind}.npz")  # as the training run left them
    _write(folder, TESTED)
    return run


@pytest.fixture(scope="module")
def comparison(folder: Path, run_directory: Path) -> Comparison:
    return score_comparison(run_directory, folder, TESTED)


def test_each_network_is_fitted_from_each_seed_and_exported(run_directory: Path) -> None:
    fits = load_fits(run_directory)
    assert {fitted.kind for fitted in fits.networks} == set(get_args(NetworkKind))
    for fitted in fits.networks:
        assert len({(run_directory / weights).read_bytes() for weights in fitted.weights}) == 2
        assert fitted.onnx_difference <= 1e-4
        assert fitted.held_out == (() if fitted.kind in {"cnn", "autoencoder"} else ("106",))
        session = ort.InferenceSession(run_directory / "onnx" / fitted.model.file)
        assert tuple(session.get_inputs()[0].shape[1:]) == fitted.model.input_shape


def test_a_fit_says_beside_its_weights_how_it_came_about(run_directory: Path) -> None:
    for fitted in load_fits(run_directory).networks:
        if fitted.kind in {"cnn", "autoencoder"}:
            continue
        log = FitLog.model_validate_json((run_directory / fitted.weights[1]).with_suffix(".json").read_bytes())
        assert log.settings["fit"]["seed"] == 1
        assert [check.step for check in log.curve] == [2, 4]
        assert log.best in log.curve
        assert log.validation_records == ("106",)
        assert 0 <= log.validation_auroc <= 1
        assert 0 < log.threshold < 1


def test_a_fit_that_is_not_finished_is_done_again_and_no_other(
    folder: Path, run_directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = _contender(folder, run_directory, "dense seed 1")
    with np.load(job.weights) as stored:
        weights = {name: stored[name] for name in stored.files}
    job.log.unlink()  # it is written last
    before = {path: path.stat().st_mtime_ns for path in (run_directory / "fits").iterdir()}
    exported = {fitted.kind: (fitted.model, fitted.onnx_difference) for fitted in load_fits(run_directory).networks}
    monkeypatch.setattr(training.experiments.comparison, "write_onnx", lambda *given, **_: exported[given[2]])
    fits = load_fits(run_directory)
    with in_this_process(training.experiments.comparison):
        assert _fit(folder, run_directory) == fits
    after = {path: path.stat().st_mtime_ns for path in (run_directory / "fits").iterdir()}
    assert {path for path, time_ns in after.items() if before.get(path) != time_ns} == {job.weights, job.log}
    with np.load(job.weights) as stored:
        for name, values in weights.items():
            # Half floats may add up a little differently from one run to the next.
            np.testing.assert_allclose(stored[name], values, atol=2e-3, err_msg=name)


def test_fits_have_names_and_files_of_their_own(folder: Path, run_directory: Path) -> None:
    jobs = _jobs(folder, run_directory)
    assert len({job.name for job in jobs}) == len({job.weights for job in jobs}) == len(jobs) == 10
    assert all(job.finished for job in jobs)


def test_the_first_seed_of_what_ships_is_the_fit_that_ships(folder: Path, run_directory: Path) -> None:
    records = TrainingRecords(directory=folder, names=LEARNT)
    windows = load_windows(records, run_directory / "windows")
    shipped = jobs_of(
        windows, records, run_directory, cache=run_directory / "windows", noise=folder, settings=TINY.shipped
    )
    fits = {job.weights for job in _jobs(folder, run_directory)}
    assert {job.weights for job in shipped if job.fold is None} < fits


def test_all_networks_are_scored_on_the_same_windows(comparison: Comparison, run_directory: Path) -> None:
    assert set(comparison.networks) == set(ROWS)
    assert (comparison.windows, comparison.patients, comparison.trained_on) == (24, 2, ())
    for figures in comparison.networks.values():
        assert len(figures.auroc.per_seed) == 2
        assert figures.auroc.mean == pytest.approx(np.mean([value or 0 for value in figures.auroc.per_seed]), abs=1e-6)
        assert figures.auroc.sd is not None
        assert figures.interval[0] <= figures.interval[1]
        assert figures.ms_per_window > 0
    networks = comparison.networks
    assert networks["fused"].parameters == networks["cnn"].parameters + networks["autoencoder"].parameters
    assert (networks["cnn"].trained_on, networks["lstm"].trained_on) == (2, 1)
    assert Comparison.model_validate_json((run_directory / COMPARISON).read_bytes()) == comparison


def test_the_table_has_a_line_for_each_network(comparison: Comparison) -> None:
    out = StringIO()
    Console(file=out, width=140).print(table(comparison))
    lines = out.getvalue().splitlines()
    for row, title in TITLES.items():
        (line,) = (line for line in lines if re.search(rf"│ {title} +│", line))
        assert f"{comparison.networks[row].auroc.mean:.4f} ± {comparison.networks[row].auroc.sd:.4f}" in line
    shown = " ".join(" ".join(lines).split())
    assert "24 windows of 2 records, 2 patients" in shown
    assert "Of the person of record 202 there is another recording" in shown


def test_records_that_the_networks_know_are_named(
    folder: Path, run_directory: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = tmp_path / "run"
    shutil.copytree(run_directory, run)
    found = tmp_path / "found.json"
    arguments = ["compare", "score", str(run), "--data", str(folder), "--records", "101,100", "--json", str(found)]
    assert status_of(arguments) == 0
    assert "learnt from 101: no test" in " ".join(capsys.readouterr().out.split())
    comparison = Comparison.model_validate_json(found.read_bytes())
    assert comparison.trained_on == ("101",)
    assert comparison == Comparison.model_validate_json((run / COMPARISON).read_bytes())


def test_fits_beside_another_run_are_not_scored(folder: Path, run_directory: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    shutil.copytree(run_directory, run)
    shutil.copyfile(run / "autoencoder.npz", run / "cnn.npz")
    with pytest.raises(EcgStreamError, match=r"cnn\.npz is not fits/cnn-all-.*: the run was trained anew"):
        score_comparison(run, folder, TESTED)


def test_records_of_one_kind_alone_cannot_be_scored(run_directory: Path, tmp_path: Path) -> None:
    write_record(tmp_path, "100", beat_s=BEAT_S, symbols=["N"] * len(BEAT_S))
    with pytest.raises(EcgStreamError, match="records 100 hold no normal or no abnormal window"):
        score_comparison(run_directory, tmp_path, ("100",))


def test_a_comparison_cannot_be_given_a_test_record(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(SplitError):
        fit_comparison(TrainingRecords(directory=folder, names=("101", "100")), tmp_path, cache=tmp_path, noise=folder)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("records", ["100", "101,202", "all"])
def test_the_fitting_command_refuses_test_records(
    records: str, folder: Path, run_directory: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run_directory.is_dir()  # the test records are there to be read
    run = tmp_path / "run"
    assert status_of(["compare", "fit", str(run), "--data", str(folder), "--records", records]) == 1
    assert "of the test set DS2" in capsys.readouterr().err
    assert not run.exists()


@pytest.mark.parametrize("held_out", [("119",), LEARNT], ids=["none of the records", "all of them"])
def test_some_records_are_validated_on_and_some_learnt_from(
    held_out: tuple[str, ...], folder: Path, run_directory: Path
) -> None:
    job = replace(_contender(folder, run_directory, "lstm seed 0"), held_out=held_out)
    with pytest.raises(EcgStreamError, match="give ds1"):
        run_contender(job)


def test_without_fits_there_is_nothing_to_score(tmp_path: Path) -> None:
    with pytest.raises(EcgStreamError, match=rf"{FITS} does not describe the fits"):
        load_fits(tmp_path)
