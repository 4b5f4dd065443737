import ast
import inspect
import os
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

import training.data
from detector.due import DueWindow
from detector.score import Score
from ecg.annotations import read_annotations
from ecg.second_filter import FilteredSignal
from ecg.segments import MODEL_FS_HZ, MODEL_SAMPLES, Preprocessing, prepare
from ecg.wfdb_files import read_wfdb
from ecg.windows import HOP_S
from tests.support.verdicts import verdicts_of
from tests.training.recordings import write_record
from training.data import CLASSES, FRAMES, FRAMES_HZ, UNKNOWN, cache_key, frame_classes, load_windows, windows_of
from training.records import TrainingRecords

BEAT_S = np.arange(0.5, 59.5, 0.75)
SYMBOLS = ["V" if number % 30 == 5 else "A" if number % 30 == 8 else "N" for number in range(len(BEAT_S))]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write_record(tmp_path, "101", beat_s=BEAT_S, symbols=SYMBOLS)
    return tmp_path


def test_each_annotated_beat_marks_the_frames_around_its_peak(folder: Path) -> None:
    record, annotations = read_wfdb(folder / "101"), read_annotations(folder / "101")
    windows = windows_of(record, annotations)
    for end_s, inputs, frames in zip(windows.end_s, windows.inputs, windows.frames, strict=True):
        start_s = end_s - MODEL_SAMPLES / MODEL_FS_HZ
        for beat_s, symbol in zip(BEAT_S, SYMBOLS, strict=True):
            frame = int((beat_s - start_s) * FRAMES_HZ)
            if 2 <= frame < FRAMES - 2:
                letter = {"A": "S"}.get(symbol, symbol)
                assert CLASSES[frames[frame]] == letter
                # The signal's peak lies in that frame or beside it.
                near = inputs[0, (frame - 5) * 4 : (frame + 6) * 4]
                assert abs(int(near.argmax()) / 4 - 5.5) <= 1.5
    assert (windows.frames != 0).mean() == pytest.approx(3 / (0.75 * FRAMES_HZ), rel=0.15)


def test_windows_are_labelled_by_their_newest_five_seconds(folder: Path) -> None:
    windows = windows_of(read_wfdb(folder / "101"), read_annotations(folder / "101"))
    for end_s, abnormal in zip(windows.end_s, windows.abnormal, strict=True):
        inside = [s for b, s in zip(BEAT_S, SYMBOLS, strict=True) if end_s - 5 <= b < end_s]
        assert abnormal == any(symbol in "VA" for symbol in inside)
    assert 0 < windows.abnormal.mean() < 1


def test_the_grid_is_the_detectors_and_phases_lie_between(folder: Path) -> None:
    windows = windows_of(read_wfdb(folder / "101"), read_annotations(folder / "101"))
    assert windows.end_s[windows.on_grid].tolist() == list(np.arange(5.0, 61.0, 5.0))
    assert set(np.diff(windows.end_s)) == {1.25}


def test_what_lies_before_the_record_is_zero(folder: Path) -> None:
    windows = windows_of(read_wfdb(folder / "101"), read_annotations(folder / "101"))
    first = windows.inputs[0]
    assert not first[:, :1000].any()
    assert first[:, 1000:].any()


def test_training_sees_what_the_detector_sees(folder: Path) -> None:
    seen: list[np.ndarray] = []

    class Watching:
        """Stands where the scorer stands, and keeps what the stream hands it."""

        hop_s = HOP_S
        preprocessing = Preprocessing()

        def score(self, due: list[DueWindow], signals: list[FilteredSignal]) -> list[Score]:
            for window, signal in zip(due, signals, strict=True):
                seen.append(prepare(window.segment[None], [signal], fs_hz=window.source.fs_hz).inputs[0])
            return []

    record = read_wfdb(folder / "101")
    with pytest.raises(RuntimeError, match="StopIteration"):
        verdicts_of(record, Watching())  # type: ignore[arg-type] # no verdicts are made
    windows = windows_of(record, read_annotations(folder / "101"))
    on_grid = windows.inputs[windows.on_grid]
    assert len(seen) == len(on_grid) == 12
    np.testing.assert_allclose(np.stack(seen), on_grid, atol=4e-3)  # half floats are kept


def test_flutter_and_unclassified_beats_teach_nothing(tmp_path: Path) -> None:
    beats = np.array([1.0, 2.0, 3.0, 4.0, 6.0, 7.0])
    write_record(tmp_path, "207", beat_s=beats, symbols=["N", "Q", "[", "]", "N", "N"], seconds=10)
    frames = frame_classes(read_annotations(tmp_path / "207"), 360.0, np.array([15 * 360]))[0]
    assert set(frames[:24]) == {0}
    assert CLASSES[frames[25]] == "N"
    assert frames[50] == UNKNOWN
    assert set(frames[75:100]) == {UNKNOWN}
    assert CLASSES[frames[150]] == "N"


def test_a_record_without_beats_has_empty_frames(tmp_path: Path) -> None:
    write_record(tmp_path, "101", beat_s=np.array([5.0]), symbols=["~"], seconds=10)
    assert not frame_classes(read_annotations(tmp_path / "101"), 360.0, np.array([3600])).any()


def test_a_second_load_comes_from_the_cache(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    records = TrainingRecords(directory=folder, names=("101",))
    first = load_windows(records, tmp_path / "cache")[0]

    def refuse(*_: object) -> None:
        raise AssertionError("the record was read again")

    monkeypatch.setattr(training.data, "windows_of", refuse)
    again = load_windows(records, tmp_path / "cache")[0]
    np.testing.assert_array_equal(first.inputs, again.inputs)
    np.testing.assert_array_equal(first.frames, again.frames)


def test_a_changed_annotation_makes_windows_anew_and_drops_the_old(folder: Path, tmp_path: Path) -> None:
    records = TrainingRecords(directory=folder, names=("101",))
    before = load_windows(records, tmp_path / "cache")[0]
    write_record(folder, "101", beat_s=BEAT_S, symbols=["N"] * len(BEAT_S))
    after = load_windows(records, tmp_path / "cache")[0]
    assert before.abnormal.any()
    assert not after.abnormal.any()
    assert len(list((tmp_path / "cache").iterdir())) == 1


@pytest.mark.parametrize("kept", [0.0, 0.001, 0.5, 0.999999])
def test_a_cut_file_in_the_cache_is_made_anew(kept: float, folder: Path, tmp_path: Path) -> None:
    records = TrainingRecords(directory=folder, names=("101",))
    cache = tmp_path / "cache"
    before = load_windows(records, cache)[0]
    (file,) = cache.iterdir()
    whole = file.read_bytes()
    file.write_bytes(whole[: int(kept * len(whole))])
    np.testing.assert_array_equal(load_windows(records, cache)[0].inputs, before.inputs)
    assert file.stat().st_size == len(whole)


def test_a_damaged_byte_in_the_cache_is_seen(folder: Path, tmp_path: Path) -> None:
    records = TrainingRecords(directory=folder, names=("101",))
    cache = tmp_path / "cache"
    before = load_windows(records, cache)[0]
    (file,) = cache.iterdir()
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(content)
    np.testing.assert_array_equal(load_windows(records, cache)[0].inputs, before.inputs)
    assert file.read_bytes() != content


def test_another_records_windows_stay(folder: Path, tmp_path: Path) -> None:
    write_record(folder, "101-excerpt", beat_s=BEAT_S, symbols=SYMBOLS)
    cache = tmp_path / "cache"
    load_windows(TrainingRecords(directory=folder, names=("101-excerpt",)), cache)
    (other,) = cache.iterdir()
    load_windows(TrainingRecords(directory=folder, names=("101",)), cache)
    assert other.is_file()
    assert len(list(cache.iterdir())) == 2


def test_processes_that_prepare_the_same_record_at_once_agree_and_leave_one_file(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    records = TrainingRecords(directory=folder, names=("101",))
    cache = tmp_path / "cache"
    others: list[training.data.RecordWindows] = []
    written: list[Path] = []

    def while_another_does_the_same(*inputs: Any) -> training.data.RecordWindows:
        if not others:
            with monkeypatch.context() as patch:
                patch.setattr(os, "getpid", lambda: 1)
                patch.setattr(training.data, "windows_of", windows_of)
                others.extend(load_windows(records, cache))
            written.extend(cache.iterdir())
        assert list(cache.iterdir()) == written  # what the other one wrote is there at any time
        return windows_of(*inputs)

    monkeypatch.setattr(training.data, "windows_of", while_another_does_the_same)
    (one,) = load_windows(records, cache)
    np.testing.assert_array_equal(one.inputs, others[0].inputs)
    assert list(cache.iterdir()) == written
    assert [file.suffix for file in written] == [".npz"]


def test_a_file_of_this_key_is_replaced_but_never_removed(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    records = TrainingRecords(directory=folder, names=("101",))
    cache = tmp_path / "cache"
    load_windows(records, cache)
    removed: list[Path] = []
    monkeypatch.setattr(training.data, "_read", lambda *_: None)  # it was not there when this process looked
    monkeypatch.setattr(Path, "unlink", lambda path, **_: removed.append(path))
    load_windows(records, cache)
    assert removed == []
    assert len(list(cache.iterdir())) == 1


def test_every_source_that_windows_are_made_by_is_in_the_key() -> None:
    made_by = {module.__name__ for module in training.data._MADE_BY}
    imported = set()
    modules: tuple[ModuleType, ...] = (training.data, *training.data._MADE_BY)
    for module in modules:
        tree = ast.parse(inspect.getsource(module))
        imported |= {node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) and node.module}
    # An error's wording changes no window; where records lie and which may be read does not either.
    assert {name for name in imported if name.startswith(("ecg.", "training."))} - made_by == {
        "ecg.errors",
        "ecg.excerpts",
        "training.databases.database",
        "training.records",
    }


def test_the_key_depends_on_data_preprocessing_and_code(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    records = TrainingRecords(directory=folder, names=("101",))
    plain = cache_key(records, "101")
    assert cache_key(records, "101") == plain
    with monkeypatch.context() as patch:
        patch.setattr(training.data, "PREPROCESSING_VERSION", "other")
        assert cache_key(records, "101") != plain
    with monkeypatch.context() as patch:
        patch.setattr(training.data, "_MADE_BY", ())
        assert cache_key(records, "101") != plain
    with monkeypatch.context() as patch:
        patch.setattr(training.data, "_source_hash", lambda file: f"{file} was edited")
        assert cache_key(records, "101") != plain
    with monkeypatch.context() as patch:
        patch.setattr(training.data, "version", lambda _: "a newer one")
        assert cache_key(records, "101") != plain
    (folder / "101.atr").write_bytes((folder / "101.atr").read_bytes() + b"\0\0")
    assert cache_key(records, "101") != plain
