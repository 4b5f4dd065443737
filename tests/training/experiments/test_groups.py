"""A finished run looked at in other ways: one series of recordings left out, other rules for classing beats."""

import shutil
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console

import training.experiments.groups
import training.train
from detector.beat_features import NAMES
from ecg.errors import EcgStreamError
from tests.ecgstream.commands import status_of
from tests.training.in_this_process import in_this_process
from tests.training.recordings import write_record
from tests.training.test_train import BEAT_S, TINY
from training.experiments.beat_ablation import GROUPS, compare_features
from training.experiments.beat_ablation import table as table_of_features
from training.experiments.groups import compare_groups, table
from training.records import TrainingRecords
from training.run import RUN, load_run
from training.train import train
from training.train_beats import train_beats
from training.tree_onnx import exported_trees

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")
QUIET = Console(quiet=True)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("records")
    for seed, name in enumerate(("101", "203", "bw", "em", "ma")):
        symbols = ["V" if beat > 30 and number % 4 == seed % 2 else "N" for number, beat in enumerate(BEAT_S)]
        write_record(directory, name, beat_s=BEAT_S, symbols=symbols, seed=seed)
    return directory


@pytest.fixture(scope="module")
def run(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("run")
    records = TrainingRecords(directory=folder, names=("101", "203"))
    with in_this_process(training.train):
        train(records, directory, cache=directory / "windows", noise=folder, settings=TINY, console=QUIET)
    return directory


def test_each_series_is_judged_by_networks_that_learned_from_the_other(folder: Path, run: Path) -> None:
    records = TrainingRecords(directory=folder, names=("101", "203"))
    before = {path.name for path in (run / "fits").iterdir()}
    with in_this_process(training.experiments.groups):
        figures = compare_groups(records, run, cache=run / "windows", noise=folder, workers=1, console=QUIET)
    fitted = {path.name for path in (run / "fits").glob("*.npz")} - before
    assert len(fitted) == 4  # both networks, twice
    assert [(of.group, of.learned_from) for of in figures] == [
        ("1xx", "the other series"),
        ("1xx", "the other folds"),
        ("2xx", "the other series"),
        ("2xx", "the other folds"),
    ]
    assert all(of.records == 1 and of.windows > 5 and of.auroc is not None for of in figures)
    assert table(figures).row_count == 4


def test_each_group_of_features_is_left_out_on_patients_that_nothing_has_learned_from(folder: Path, run: Path) -> None:
    records = TrainingRecords(directory=folder, names=("101", "203"))
    figures = compare_features(records, run, cache=run / "windows", noise=folder, draws=2, console=QUIET)
    assert [of.without for of in figures] == [group.name for group in GROUPS]  # there is no S beat in these records
    assert all((of.database, of.beat_class, of.patients, len(of.f1)) == ("mitdb", "V", 2, 2) for of in figures)
    assert all(0 <= f1 <= 1 for of in figures for f1 in (*of.f1, *of.median_f1))
    assert table_of_features(figures).row_count == len(GROUPS)
    left_out = [len(NAMES) - len(group.kept()) for group in GROUPS]
    assert left_out[0] == 0
    assert all(count > 0 for count in left_out[1:])


def test_trees_are_trained_for_networks_that_stay_as_they_are(folder: Path, run: Path, tmp_path: Path) -> None:
    copy = tmp_path / "run"
    shutil.copytree(run, copy)
    before = load_run(copy)
    kept = before.model_copy(update={"records": {"203": before.records["203"]}})
    (copy / RUN).write_text(kept.model_dump_json())
    seen = TrainingRecords(directory=folder, names=("101", "203"))
    with pytest.raises(EcgStreamError, match="have learned from 203"):
        train_beats(seen, copy, cache=run / "windows", console=QUIET)
    (copy / RUN).write_text(before.model_copy(update={"records": {}, "beat_records": {}}).model_dump_json())
    (copy / "beats.onnx").unlink()
    after = train_beats(seen, copy, cache=run / "windows", settings=TINY, console=QUIET)
    assert load_run(copy) == after
    assert set(after.beat_records) == {"101", "203"}
    assert after.figures["beats"]["mitdb"]["veb"]["se"] is not None
    assert (after.calibration, after.thresholds) == (before.calibration, before.thresholds)
    assert (copy / "cnn.npz").read_bytes() == (run / "cnn.npz").read_bytes()
    (found,) = exported_trees(copy)(np.full((1, len(NAMES)), np.nan))
    assert sum(found) == pytest.approx(1)


def test_records_of_one_series_are_refused(folder: Path, tmp_path: Path) -> None:
    records = TrainingRecords(directory=folder, names=("101",))
    with pytest.raises(EcgStreamError, match=r"no finished training run|of one series"):
        compare_groups(records, tmp_path, cache=tmp_path, noise=folder, console=QUIET)


def test_the_command_refuses_what_is_no_finished_run(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = tmp_path / "run"
    assert status_of(["compare", "groups", str(run), "--data", str(folder), "--records", "101,203"]) == 1
    assert "run `ecgstream train` first" in capsys.readouterr().err
