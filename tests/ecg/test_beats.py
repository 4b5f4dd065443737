import numpy as np
import pytest

from ecg.beats import find_beats, heart_rate_bpm
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
