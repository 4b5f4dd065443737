import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console

from detector.scorer import Scorer
from ecg.errors import EcgStreamError
from ecg.wfdb_files import toy_record
from tests.support.verdicts import verdicts_of
from tests.training.recordings import write_record
from training.data import load_windows
from training.export import export
from training.fit import Fit
from training.jobs import fit_windows
from training.records import SplitError, TrainingRecords
from training.run import load_run
from training.train import TrainingSettings, fold_names, jobs_of, train

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")
TINY = TrainingSettings(
    folds=2,
    cnn=Fit(steps=3, batch=8),
    autoencoder=Fit(steps=3, batch=8),
    cnn_network={"shape_channels": 8, "rhythm_channels": 8},
    autoencoder_network={"channels": 8},
    workers=1,
)
BEAT_S = np.arange(0.5, 59.5, 0.75)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("records")
    for seed, name in enumerate(("101", "106", "bw", "em", "ma")):
        # The second half has ventricular beats: both classes, and normal windows for the autoencoder.
        symbols = ["V" if beat > 30 and number % 4 == seed % 2 else "N" for number, beat in enumerate(BEAT_S)]
        write_record(directory, name, beat_s=BEAT_S, symbols=symbols, seed=seed)
    return directory


def _train(folder: Path, run: Path) -> None:
    records = TrainingRecords(directory=folder, names=("101", "106"))
    train(records, run, cache=run / "windows", noise=folder, settings=TINY, console=Console(quiet=True))


@pytest.fixture(scope="module")
def run_directory(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    run = tmp_path_factory.mktemp("run")
    _train(folder, run)
    return run


def test_a_run_ends_in_models_that_the_detector_takes(run_directory: Path, tmp_path: Path) -> None:
    exported = export(run_directory, tmp_path)
    assert max(exported.largest_difference.values()) <= 1e-4
    scorer = Scorer(tmp_path)
    verdicts = verdicts_of(toy_record(), scorer)
    assert len(verdicts) == 60
    assert all(verdict.fused is not None for verdict in verdicts)
    assert scorer.manifest.data["records"].keys() == {"101", "106"}


def test_a_finished_run_is_not_fitted_again(folder: Path, run_directory: Path) -> None:
    fits = {path: path.stat().st_mtime_ns for path in (run_directory / "fits").iterdir()}
    assert len(fits) == 2 * 6  # two folds and the one that ships, of both networks: weights and log
    log = json.loads(
        next(path for path in fits if path.name.startswith("cnn-0") and path.suffix == ".json").read_text()
    )
    assert set(log["records"]) | set(log["held_out"]) == {"101", "106"}
    assert log["parameters"] > 0
    before = load_run(run_directory)
    _train(folder, run_directory)
    assert {path: path.stat().st_mtime_ns for path in (run_directory / "fits").iterdir()} == fits
    assert load_run(run_directory).calibration == before.calibration


def test_a_run_tells_by_which_settings_it_was_fitted(run_directory: Path) -> None:
    assert TrainingSettings.of(load_run(run_directory)) == replace(TINY, workers=TrainingSettings().workers)


def test_the_same_job_gives_the_same_weights(folder: Path, run_directory: Path) -> None:
    records = TrainingRecords(directory=folder, names=("101", "106"))
    windows = load_windows(records, run_directory / "windows")
    jobs = jobs_of(windows, records, run_directory, cache=run_directory / "windows", noise=folder, settings=TINY)
    job = next(job for job in jobs if job.kind == "autoencoder" and job.fold == 0)
    with np.load(job.weights) as stored:
        before = {name: stored[name] for name in stored.files}
    network = fit_windows(job, [record for record in windows if record.name not in job.held_out])
    for name, weights in network.state_dict().items():
        # Half floats add up a little differently on another count of threads.
        np.testing.assert_allclose(weights, before[name], atol=2e-3, err_msg=name)


def test_folds_hold_every_record_once_and_jobs_hold_theirs_out(folder: Path, run_directory: Path) -> None:
    records = TrainingRecords(directory=folder, names=("101", "106"))
    windows = load_windows(records, run_directory / "windows")
    folds = fold_names(windows, 2)
    assert sorted(name for fold in folds for name in fold) == ["101", "106"]
    jobs = jobs_of(windows, records, run_directory, cache=run_directory, noise=folder, settings=TINY)
    assert [job.held_out for job in jobs if job.kind == "cnn"] == [(), *folds]
    assert len({job.weights for job in jobs}) == len(jobs)


@pytest.mark.parametrize("folds", [1, 3])
def test_folds_that_cannot_be_are_refused(folds: int, folder: Path, run_directory: Path) -> None:
    windows = load_windows(TrainingRecords(directory=folder, names=("101", "106")), run_directory / "windows")
    with pytest.raises(EcgStreamError, match=f"folds={folds}"):
        fold_names(windows, folds)


def test_training_cannot_be_given_a_test_record(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(SplitError):
        train(TrainingRecords(directory=folder, names=("101", "100")), tmp_path, cache=tmp_path, noise=folder)
    assert list(tmp_path.iterdir()) == []


def test_an_unfinished_run_cannot_be_exported(tmp_path: Path) -> None:
    with pytest.raises(EcgStreamError, match="no finished training run"):
        export(tmp_path, tmp_path / "models")
