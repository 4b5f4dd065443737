import numpy as np
import pytest

from ecg.filters import band_pass, resample
from ecg.records import MISSING, to_millivolts
from tests.web.live.chunks import FS_HZ, START_NS, signal
from tests.web.past.sampled import sampled, with_holes
from web.live.frames import HOLE, decode
from web.past.samples import between, filtered, frames, stretches


def test_each_unbroken_stretch_is_a_frame() -> None:
    found = sampled(with_holes(3600, slice(0, 100), slice(1000, 1720)))
    found.samples[500, 0] = MISSING  # of one lead alone: no break
    assert [(one.first, one.end) for one in stretches(found)] == [(100, 1000), (1720, 3600)]
    (one, two) = decode(b"".join(frames(found)))
    assert (one.flags, one.start_index, len(one.samples)) == (HOLE, 100.0, 900)
    assert one.start_ms == pytest.approx(START_NS / 1e6 + 100 * 1000 / FS_HZ, abs=0.001)
    assert (two.samples == found.samples[1720:]).all()
    assert list(frames(sampled(with_holes(100, slice(None))))) == []


def test_the_middle_of_samples_is_cut_out_by_time() -> None:
    found = between(sampled(signal(3600)), START_NS + 10**9, START_NS + 2 * 10**9)
    assert found.start_ns == START_NS + 10**9
    assert (found.samples == signal(360, start=360)).all()
    assert len(between(sampled(signal(3600)), START_NS - 10**9, START_NS + 10**12).samples) == 3600


def test_samples_are_filtered_as_the_detector_does_it_and_holes_stay() -> None:
    raw = sampled(with_holes(7200, slice(3600, 4320)))
    found = filtered(raw, mains_hz=None)
    assert (found.fs_hz, found.gain, found.baseline, len(found.samples)) == (100.0, (1000.0, 1000.0), (0, 0), 2000)
    millivolts = to_millivolts(raw.samples[:3600], raw.gain, raw.baseline)[:, 1]
    expected = band_pass(resample(millivolts, FS_HZ, to_hz=100.0), 100.0)
    assert np.abs(found.samples[:1000, 1] / 1000 - expected).max() < 0.001
    assert (found.samples[1000:1200] == MISSING).all()
    assert (found.samples[1200:] != MISSING).all()


def test_mains_hum_is_taken_out_where_the_detector_does() -> None:
    at = np.arange(7200)
    hum = np.rint(1000 + 200 * np.sin(2 * np.pi * 35 * at / FS_HZ)).astype(np.int16)[:, None].repeat(2, axis=1)
    passed = filtered(sampled(hum), mains_hz=None).samples[500:1500]
    taken = filtered(sampled(hum), mains_hz=35.0).samples[500:1500]
    assert np.abs(passed).max() > 20 * np.abs(taken).max()


def test_what_is_too_short_to_be_filtered_is_left_out() -> None:
    found = filtered(sampled(with_holes(3600, slice(300, 3600))), mains_hz=None)
    assert (found.samples == MISSING).all()
