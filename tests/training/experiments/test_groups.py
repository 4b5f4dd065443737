"""A finished run looked at in other ways: one series of recordings left out, other rules for classing beats."""

from pathlib import Path

import pytest
from rich.console import Console

import training.experiments.groups
import training.train
from ecg.errors import EcgStreamError
from tests.ecgstream.commands import status_of
from tests.training.in_this_process import in_this_process
from tests.training.recordings import write_record
from tests.training.test_train import BEAT_S, TINY
from training.experiments.beat_rules import RULES, compare_rules
from training.experiments.beat_rules import table as table_of_rules
from training.experiments.groups import compare_groups, table
from training.records import TrainingRecords
from training.train import train

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
        figures = compare_groups(records, run, cache=run / "windows", noise=folder, settings=TINY, console=QUIET)
    fitted = {path.name for path in (run / "fits").glob("*.npz")} - before
    assert len(fitted) == 4  # both networks, twice
    assert [(of.group, of.learned_from) for of in figures] == [
        ("1xx", "the other series"),
        ("1xx", "four folds of five"),
        ("2xx", "the other series"),
        ("2xx", "four folds of five"),
    ]
    assert all(of.records == 1 and of.windows > 5 and of.auroc is not None for of in figures)
    assert table(figures).row_count == 4


def test_every_rule_for_beats_is_tried_on_patients_that_it_has_not_seen(folder: Path, run: Path) -> None:
    records = TrainingRecords(directory=folder, names=("101", "203"))
    figures = compare_rules(records, run, cache=run / "windows", noise=folder, settings=TINY, console=QUIET)
    assert [of.rule for of in figures] == [rule.name for rule in RULES]
    ventricular = [of for of in figures if of.beat_class == "V"]
    assert all(of.se is not None and set(of.per_patient) == {"101", "203"} for of in ventricular)
    # There is no supraventricular beat to learn from, none to find, and so none that is called one.
    assert all(of.se is of.ppv is of.f1 is None for of in figures if of.beat_class == "S")
    assert table_of_rules(figures).row_count == len(RULES)


def test_records_of_one_series_are_refused(folder: Path, tmp_path: Path) -> None:
    records = TrainingRecords(directory=folder, names=("101",))
    with pytest.raises(EcgStreamError, match=r"no finished training run|of one series"):
        compare_groups(records, tmp_path, cache=tmp_path, noise=folder, settings=TINY, console=QUIET)


def test_the_command_refuses_what_is_no_finished_run(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = tmp_path / "run"
    assert status_of(["compare", "groups", str(run), "--data", str(folder), "--records", "101,203"]) == 1
    assert "run `ecgstream train` first" in capsys.readouterr().err
