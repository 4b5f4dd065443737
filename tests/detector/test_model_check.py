from pathlib import Path

from detector.model_check import MOST_DIFFERENCE, check_models, trial_segments
from models import SHIPPED
from tests.support.own_models import write_model


def test_shipped_models_fit_and_do_not_depend_on_batch_or_threads() -> None:
    check = check_models(SHIPPED)
    assert check.misfits == ()
    assert check.windows == 64
    assert set(check.differences) == {"batch", "order", "optimisation", "threads"}
    assert max(check.differences.values()) <= MOST_DIFFERENCE
    assert set(check.ms_per_window) == {1, 64}


def test_own_model_fits(tmp_path: Path) -> None:
    check = check_models(write_model(tmp_path))
    assert check.misfits == ()
    assert set(check.versions) == {"cnn"}


def test_model_that_mixes_its_batch_is_told_and_the_remedy_works(tmp_path: Path) -> None:
    (misfit, *_) = check_models(write_model(tmp_path, mixes=True)).misfits
    assert "it may by 1e-06: take out what mixes the windows of a batch" in misfit
    assert check_models(write_model(tmp_path, mixes=False)).misfits == ()


def test_model_that_does_not_fit_is_told_with_every_misfit(tmp_path: Path) -> None:
    check = check_models(write_model(tmp_path, leads=3, fs_hz=20, threshold=2.0))
    assert [misfit.split(" ")[0] for misfit in check.misfits] == ["fs_hz", "leads", "threshold"]


def test_windows_that_models_are_tried_on_hold_a_recording_and_made_ones() -> None:
    segments = trial_segments()
    assert segments.shape == (64, 2, 1500)
    assert len({segment.tobytes() for segment in segments}) == 64
