import numpy as np
import pytest
from sleepecg.heartbeats import detect_heartbeats

from ecg.beats import find_beats, find_beats_in, heart_rate_bpm
from ecg.filters import band_pass, resample
from ecg.records import to_millivolts
from ecg.wfdb_files import toy_record


def test_beats_of_the_real_excerpt() -> None:
    record = toy_record()
    lead = to_millivolts(record.samples, record.gain, record.baseline)[:, 0]
    filtered = band_pass(resample(lead, record.fs_hz, to_hz=100.0), 100.0)
    beats = find_beats(filtered, 100.0)
    # The database's annotators count 509 in this stretch of record 208.
    assert len(beats) == pytest.approx(509, rel=0.03)
    # 105 beats/min is the median of the annotated RR intervals there.
    assert heart_rate_bpm(beats / 100.0) == pytest.approx(105, rel=0.05)


def test_beats_of_many_leads_are_those_of_each() -> None:
    record = toy_record()
    lead = to_millivolts(record.samples, record.gain, record.baseline)[:, 0]
    filtered = band_pass(resample(lead, record.fs_hz, to_hz=100.0), 100.0)
    leads = np.stack([filtered[first : first + 1500] for first in range(0, 24_000, 500)])
    leads[3] = 0
    leads[4, :200] = leads[4, 200]
    known_from = [700 if number % 5 == 0 else 0 for number in range(len(leads))]
    found = find_beats_in(leads, 100.0, known_from=known_from)
    for beats, one, start in zip(found, leads, known_from, strict=True):
        assert np.array_equal(beats, find_beats(one[start:], 100.0) + start)
    assert [len(beats) for beats in found[3:5]] == [0, len(found[4])]


@pytest.mark.parametrize("flat", [0, 1, 250])
@pytest.mark.parametrize("fs_hz", [100.0, 360.0])
def test_beats_are_those_of_the_whole_package(fs_hz: float, flat: int) -> None:
    record = toy_record()
    lead = to_millivolts(record.samples, record.gain, record.baseline)[:, 0]
    filtered = band_pass(resample(lead, record.fs_hz, to_hz=fs_hz), fs_hz)[: round(60 * fs_hz)]
    filtered[: flat + 1] = filtered[flat]
    assert find_beats(filtered, fs_hz).tolist() == detect_heartbeats(filtered, fs_hz).tolist()


@pytest.mark.parametrize("signal", [np.zeros(1000), np.ones(1000), np.random.default_rng(0).normal(size=50)])
def test_flat_or_short_signal_has_no_beats(signal: np.ndarray) -> None:
    assert len(find_beats(signal.astype(np.float32), 100.0)) == 0


@pytest.mark.parametrize(("times_s", "rate"), [([], None), ([1.0, 2.0], None), ([0.0, 0.8, 1.6, 2.4, 5.0], 75.0)])
def test_heart_rate_is_the_median(times_s: list[float], rate: float | None) -> None:
    assert heart_rate_bpm(times_s) == rate


def test_no_interval_across_a_hole_is_a_heartbeat() -> None:
    times_s = [0.0, 0.8, 1.6, 3.2, 4.8, 6.4]
    assert heart_rate_bpm(times_s) == 37.5
    assert heart_rate_bpm(times_s, holes_s=[(2.3, 2.4), (4.0, 4.1), (5.6, 5.7)]) == 75.0
    assert heart_rate_bpm(times_s, holes_s=[(0.7, 0.75), (2.3, 2.4), (4.0, 4.1), (5.6, 5.7)]) is None
