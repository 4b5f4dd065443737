"""Noise in whole records: what experts call noise, what the Noise Stress Test adds, and what is an ECG."""

import numpy as np
import numpy.typing as npt
import pytest

from ecg.annotations import read_annotations
from ecg.data import data_directory
from ecg.labels import rhythm_intervals
from ecg.records import Record, exact_rate
from ecg.segments import Prepared, Preprocessing, prepare_segments
from ecg.wfdb_files import list_records, load_record, read_noise
from ecg.windows import WINDOW_S, Grid
from training.data import segments_of
from training.databases.challenge2017 import read_classes
from training.disturbances import Recording, noisy


def prepared(record: Record, windows: npt.NDArray[np.int64] | None = None) -> Prepared:
    """All windows of a record, or some; of one lead or of two."""
    grid = Grid(exact_rate(record.fs_hz))
    numbers = np.arange(grid.window_of(len(record.samples))) if windows is None else windows
    ends = np.array([grid.end(int(number)) for number in numbers], np.int64)
    return prepare_segments(
        segments_of(record, ends),
        fs_hz=record.fs_hz,
        gain=record.gain,
        baseline=record.baseline,
        settings=Preprocessing(),
    )


@pytest.mark.data("challenge2017")
def test_strips_that_experts_call_noise_are_told_from_all_others() -> None:
    folder = data_directory() / "challenge2017"
    classes = read_classes(folder)
    noise: dict[str, list[bool]] = {letter: [] for letter in "NAO~"}
    for letter, found in noise.items():
        for name in [name for name in list_records(folder) if classes.get(name) == letter][:60]:
            of = prepared(load_record(name, folder))
            found.append(bool((~of.usable).mean() >= 0.5))
    share = {letter: np.mean(found) for letter, found in noise.items()}
    assert share["~"] >= 0.6
    assert max(share["N"], share["A"]) <= 0.05
    assert share["O"] <= 0.1


@pytest.mark.data("mitdb")
@pytest.mark.parametrize("name", ["101", "106", "109", "116", "119", "201", "203", "207", "208", "223"])
def test_what_is_in_records_of_ds1_is_no_noise(name: str) -> None:
    # 207 holds flutter and bundle branch block, 203 and 201 atrial fibrillation, the others ectopic beats by hundreds.
    of = prepared(load_record(name, data_directory() / "mitdb"))
    assert of.noisy.mean() <= 0.03


@pytest.mark.data("mitdb")
def test_a_pacemaker_is_no_noise() -> None:
    assert prepared(load_record("107", data_directory() / "mitdb")).noisy.mean() <= 0.01


@pytest.mark.data("mitdb", "nstdb")
@pytest.mark.parametrize(("snr_db", "at_least", "at_most"), [(24, 0, 0.02), (12, 0, 0.1), (0, 0.5, 1), (-6, 0.7, 1)])
def test_muscle_noise_is_noise_when_it_drowns_the_beats(snr_db: float, at_least: float, at_most: float) -> None:
    record = load_record("116", data_directory() / "mitdb")
    recording = Recording(record=record, annotations=read_annotations(data_directory() / "mitdb" / "116"))
    heard = noisy(recording, read_noise(data_directory() / "nstdb" / "ma"), snr_db).record
    share = prepared(heard, np.arange(10, 110)).noisy.mean()
    assert at_least <= share <= at_most


@pytest.mark.data("vfdb")
def test_lethal_rhythms_are_no_noise() -> None:
    folder = data_directory() / "vfdb"
    noise = {"fibrillation": [0, 0], "tachycardia": [0, 0]}
    for name in list_records(folder):
        record = load_record(name, folder)
        kinds = np.full(int(record.seconds // WINDOW_S), "", object)
        for rhythm in rhythm_intervals(read_annotations(folder / name)):
            kind = {"(VF": "fibrillation", "(VFIB": "fibrillation", "(VFL": "fibrillation", "(VT": "tachycardia"}
            if rhythm.name in kind:
                end_s = record.seconds if rhythm.end is None else rhythm.end / record.fs_hz
                first, last = -(-rhythm.start // (WINDOW_S * record.fs_hz)), end_s // WINDOW_S
                kinds[int(first) : int(last)] = kind[rhythm.name]
        lethal = np.flatnonzero(kinds != "")
        if not len(lethal):
            continue
        of = prepared(record, lethal)
        for kind, noisy_one in zip(kinds[lethal], of.noisy, strict=True):
            noise[kind][0] += int(noisy_one)
            noise[kind][1] += 1
    assert noise["fibrillation"][0] / noise["fibrillation"][1] <= 0.04
    assert noise["tachycardia"][0] / noise["tachycardia"][1] <= 0.02
