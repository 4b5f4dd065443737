"""Checks on records of DS1: what is there is seen in time, and nothing else."""

from functools import lru_cache

import numpy as np
import pytest

from ecg.data import data_directory
from ecg.lethal import CHECK_S, judge_check
from ecg.records import MISSING, Int16Array, Record
from ecg.segments import segment_samples
from ecg.usual_swing import UsualSwing
from ecg.wfdb_files import read_wfdb
from tests.ecg.checks import measured

pytestmark = pytest.mark.data
FS = 360


@lru_cache
def record(name: str) -> Record:
    return read_wfdb(data_directory() / "mitdb" / name)


def seen(of: Record, samples: Int16Array) -> dict[int, str]:
    """By second, what a check that ends there shows; without what is usual of the QRS's shape."""
    count = len(samples) // FS - CHECK_S + 1
    before = segment_samples(of.fs_hz) - CHECK_S * FS
    padded = np.concatenate([np.full((before, samples.shape[1]), MISSING, np.int16), samples])
    length = before + CHECK_S * FS
    segments = np.stack([padded[second * FS : second * FS + length] for second in range(count)])
    checks = measured(segments, fs_hz=of.fs_hz, gain=of.gain, baseline=of.baseline)
    usual = UsualSwing()
    found: dict[int, str] = {}
    for second, check in enumerate(checks, CHECK_S):
        usual, sign = judge_check(check, usual, None)
        if sign is not None:
            found[second] = sign.kind
    return found


@pytest.mark.parametrize("name", ["101", "108", "116", "119", "201", "208", "223"])
def test_nothing_is_seen_where_nothing_kills(name: str) -> None:
    # 116, 208 and 223 lose a lead for some seconds; 108 is noisy; 201 has pauses of more than 2 s.
    of = record(name)
    assert seen(of, of.samples) == {}


@pytest.mark.parametrize("name", ["101", "108", "118", "124", "207", "220"])
@pytest.mark.parametrize("cut_s", [20.0, 21.3, 23.9])
def test_a_signal_cut_to_its_noise_floor_is_asystole_from_four_seconds_on(name: str, cut_s: float) -> None:
    of, cut = record(name), round(cut_s * FS)
    samples = of.samples[: 36 * FS].copy()
    noise = np.random.default_rng(1).normal(0, 2, samples[cut:].shape)  # 10 uV
    samples[cut:] = np.rint(samples[cut - 1] + noise)
    found = seen(of, samples)
    first = int(np.ceil(cut_s + CHECK_S))
    assert set(found.values()) == {"asystole"}
    assert set(range(first, 37)) <= found.keys()
    assert min(found) >= cut_s + CHECK_S - 1.5, "not before the last beat is four seconds away"


def test_a_pulled_lead_is_no_asystole() -> None:
    of = record("101")
    samples = of.samples[: 40 * FS].copy()
    samples[20 * FS :] = 2047
    assert seen(of, samples) == {}


@pytest.mark.parametrize("onset_s", [40.7, 54.8, 242.1, 269.5])  # as annotated
@pytest.mark.parametrize("phase", [0.0, 0.37, 0.81])
def test_the_flutter_of_record_207_is_seen_within_five_seconds_of_its_onset(onset_s: float, phase: float) -> None:
    of = record("207")
    start = round((onset_s - 20 + phase) * FS)
    found = seen(of, of.samples[start : start + 24 * FS])
    # What began before has its seconds, too.
    first = min(second for second in found if second > 20 - phase)
    assert found[first] == "ventricular_flutter"
    assert first - (20 - phase) <= 5.0
