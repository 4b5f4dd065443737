import builtins
import contextlib
import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import training.ecg5000.train
import training.onnx_file
from detector.single_beats import CNN_OUTPUTS, SingleBeatScorer, normalised
from ecg.errors import EcgStreamError
from tests.training.ecg5000.tables import table, write, write_tables
from tests.training.quick_export import quick_export
from training.ecg5000.data import TEST_FILE, TRAIN_FILE, TRAIN_ROWS, read_test, read_training
from training.ecg5000.export import beat_probes, export_beat_network, export_pair, report
from training.ecg5000.fit import BeatFit, fit_autoencoder, fit_classifier, folds_of
from training.ecg5000.networks import CLASSIFIERS, BeatAutoencoder, BeatCnn, MeanClassifier
from training.ecg5000.table import tables
from training.ecg5000.train import BeatTraining, Family, Measured, fit_family, measure_family
from training.onnx_file import TOLERANCE, largest_difference
from training.records import SplitError

# onnxscript and torch deprecate things of their own among themselves.
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")

TINY = BeatFit(epochs=3, folds=2)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("ecg5000")
    write_tables(made)
    return made


@contextlib.contextmanager
def _watched() -> Iterator[list[str]]:
    """The files that are opened meanwhile."""
    opened: list[str] = []
    real = io.open

    def watched(file: Any, *arguments: Any, **named: Any) -> Any:
        opened.append(str(file))
        return real(file, *arguments, **named)

    with pytest.MonkeyPatch.context() as patch:
        # Path.open and Path.read_bytes go by io.open, everything else by the builtin.
        patch.setattr(io, "open", watched)
        patch.setattr(builtins, "open", watched)
        yield opened


@pytest.fixture(scope="module")
def watched_fit(folder: Path) -> tuple[Family, list[str]]:
    """What was fitted, and the files that were opened for it."""
    with _watched() as opened:
        return fit_family(folder, BeatTraining(seeds=1, classifier=TINY, autoencoder=TINY)), opened


@pytest.fixture(scope="module")
def family(watched_fit: tuple[Family, list[str]]) -> Family:
    return watched_fit[0]


@pytest.fixture(scope="module")
def measured(family: Family, folder: Path) -> Measured:
    return measure_family(family, folder, draws=5)


def test_fitting_never_opens_the_test_table(watched_fit: tuple[Family, list[str]], folder: Path) -> None:
    family, opened = watched_fit
    assert any(path.endswith(TRAIN_FILE) for path in opened)
    assert not any(path.endswith(TEST_FILE) for path in opened)
    with _watched() as opened:
        measure_family(family, folder, draws=1)
    assert any(path.endswith(TEST_FILE) for path in opened)


def test_fitting_needs_no_test_table(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path / TRAIN_FILE, table(TRAIN_ROWS, 0))
    # The other classifiers read no table of their own.
    monkeypatch.setattr(training.ecg5000.train, "CLASSIFIERS", {"cnn": CLASSIFIERS["cnn"]})
    tiny = BeatFit(epochs=1, folds=2)
    family = fit_family(tmp_path, BeatTraining(seeds=1, classifier=tiny, autoencoder=tiny))
    with pytest.raises(EcgStreamError, match=TEST_FILE):
        measure_family(family, tmp_path)


def test_test_beats_cannot_be_fitted_on(folder: Path) -> None:
    test = read_test(folder, read_training(folder))
    with pytest.raises(SplitError, match="TestBeats cannot be fitted on"):
        fit_classifier(BeatCnn, test, TINY, seed=0, done=lambda: None)  # type: ignore[arg-type] # what the types forbid
    with pytest.raises(SplitError, match="TestBeats cannot be fitted on"):
        fit_autoencoder(test, TINY, seed=0, done=lambda: None)  # type: ignore[arg-type] # what the types forbid


def test_folds_hold_every_class_evenly() -> None:
    classes = np.repeat(range(5), (292, 177, 10, 19, 2))
    fold = folds_of(classes, 5, 0)
    for number in range(5):
        sizes = np.bincount(fold[classes == number], minlength=5)
        assert sizes.max() - sizes.min() <= 1


def test_a_held_out_beat_was_not_fitted_on(folder: Path) -> None:
    # A beat's own held-out output must not move when only its class is changed, if its fold's network never saw it.
    training = read_training(folder)
    first = fit_classifier(BeatCnn, training, BeatFit(epochs=1, folds=2), seed=0, done=lambda: None)
    fold = folds_of(training.classes, 2, 0)
    assert isinstance(first.network, MeanClassifier)
    learned = first.network.members[0]
    with torch.inference_mode():
        own = torch.log_softmax(learned(torch.from_numpy(training.beats)), dim=1).numpy()
    np.testing.assert_allclose(first.held_out[fold == 0], own[fold == 0], atol=1e-5)
    assert np.abs(first.held_out[fold == 1] - own[fold == 1]).max() > 1e-3


def test_the_autoencoder_learns_nothing_from_abnormal_beats(folder: Path) -> None:
    training = read_training(folder)
    spoilt = np.where(training.abnormal[:, None], 100.0, training.beats).astype(np.float32)
    other = type(training)(beats=spoilt, classes=training.classes, missing=0, constant=0, sha256=training.sha256)
    fits = [fit_autoencoder(beats, TINY, seed=3, done=lambda: None) for beats in (training, other)]
    normal = ~training.abnormal
    np.testing.assert_array_equal(fits[0].held_out[normal], fits[1].held_out[normal])


def test_the_same_seed_gives_the_same_networks(folder: Path) -> None:
    training = read_training(folder)
    fits = [fit_classifier(BeatCnn, training, BeatFit(epochs=1, folds=2), seed=5, done=lambda: None) for _ in "ab"]
    np.testing.assert_array_equal(fits[0].held_out, fits[1].held_out)


def test_what_is_learned_is_told(family: Family, measured: Measured) -> None:
    # Beats that a glance tells apart; a few epochs are enough to be far above the 0.58 of calling all normal.
    assert set(measured.figures) == {*CLASSIFIERS, "autoencoder", "combined"}
    assert measured.figures["cnn"]["accuracy"].mean > 0.9
    assert "class_accuracy" not in measured.figures["autoencoder"]
    shown = report(family, measured, seconds=1.0)
    assert "one patient" in shown["data"]["note"]
    assert json.loads(json.dumps(shown, allow_nan=False))["shipped"]["seed"] == 0
    from rich.console import Console

    console = Console(width=180, record=True, file=io.StringIO())
    console.print(tables(family, measured))
    text = console.export_text()
    assert "0.909" in text
    assert "say nothing about a new patient" in text


def test_the_threshold_is_a_share_of_held_out_normal_beats(family: Family) -> None:
    pair = family.shipped
    normal = pair.autoencoder.held_out[~family.training.abnormal]
    assert np.mean(normal < pair.thresholds.autoencoder_error) == pytest.approx(0.97, abs=0.005)


def test_the_exported_pair_scores_as_torch_did(family: Family, measured: Measured, tmp_path: Path) -> None:
    with quick_export():
        differences = export_pair(family, measured, tmp_path)
    assert max(differences.values()) <= TOLERANCE
    scorer = SingleBeatScorer(tmp_path)
    scores = scorer.score(measured.test.beats[:300])
    with torch.inference_mode():
        signals = torch.from_numpy(normalised(measured.test.beats[:300]))
        logits = family.shipped.classifier.network(signals)
        error = family.shipped.autoencoder.network(signals).error.numpy()
    np.testing.assert_array_equal(scores.classes, logits.argmax(dim=1).numpy())
    np.testing.assert_allclose(scores.error, error, rtol=1e-4)
    assert scorer.manifest.seed == family.shipped.seed


def test_other_weights_are_noticed(tmp_path: Path) -> None:
    torch.manual_seed(0)
    network = BeatCnn(channels=4).eval()
    with quick_export():
        described, difference = export_beat_network(network, tmp_path, "cnn", CNN_OUTPUTS)
    assert difference <= TOLERANCE
    with torch.no_grad():
        network.head.bias[2] += 0.01
    assert largest_difference(network, tmp_path, described, beat_probes()) > TOLERANCE


def test_a_file_that_differs_is_not_shipped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(training.onnx_file, "largest_difference", lambda *_: float("nan"))
    with quick_export(), pytest.raises(EcgStreamError, match="do not ship it"):
        export_beat_network(BeatAutoencoder(width=4), tmp_path, "autoencoder", {"error": (), "reconstruction": (140,)})
