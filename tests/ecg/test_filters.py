import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import signal

from ecg import filters
from ecg.errors import EcgStreamError
from ecg.filters import band_pass, low_pass, notch, resample
from ecg.records import Float32Array


def sine(hz: float, fs_hz: float, seconds: float = 20.0) -> Float32Array:
    t_s = np.arange(int(seconds * fs_hz)) / fs_hz
    return np.sin(2 * np.pi * hz * t_s).astype(np.float32)


def middle(samples: Float32Array) -> Float32Array:
    """Without the ends, where a filter has only one side to look at."""
    n = samples.shape[-1]
    return samples[..., n // 4 : -n // 4]


RATES_HZ = [100.0, 128.0, 250.0, 257.5, 360.0, 1000.0, 2000.0]


def wander(fs_hz: float, samples: int) -> Float32Array:
    """Three signals that begin and end anywhere."""
    steps = np.random.default_rng(samples).normal(size=(3, samples))
    return np.asarray(5 + steps.cumsum(axis=1) / np.sqrt(fs_hz), np.float32)


@pytest.mark.parametrize("seconds", [0.7, 7.0, 60.0])
@pytest.mark.parametrize("fs_hz", RATES_HZ)
def test_filters_are_those_of_scipy(fs_hz: float, seconds: float) -> None:
    samples = wander(fs_hz, int(seconds * fs_hz))
    pad = min(int(fs_hz), samples.shape[-1] - 1)
    band = signal.butter(2, filters.BAND_HZ, btype="bandpass", fs=fs_hz, output="sos")
    expected = signal.sosfiltfilt(band, samples, padlen=pad)
    assert np.abs(band_pass(samples, fs_hz) - expected).max() < 1e-6 * np.abs(expected).max()
    for mains_hz in (50.0, 60.0):
        if mains_hz < fs_hz / 2:
            sos = signal.tf2sos(*signal.iirnotch(mains_hz, filters.NOTCH_QUALITY, fs=fs_hz))
            expected = signal.sosfiltfilt(sos, samples, padlen=pad)
            assert np.abs(notch(samples, fs_hz, mains_hz=mains_hz) - expected).max() < 1e-6 * np.abs(expected).max()


@pytest.mark.parametrize("reach", [6, 200])
def test_low_pass_is_that_of_scipy(reach: int) -> None:
    window = signal.get_window(("kaiser", 5.0), 2 * reach + 1, fftbins=False)
    expected = signal.firwin(2 * reach + 1, 0.3, window=("kaiser", 5.0))
    assert np.abs(low_pass(reach, 0.3, window) - expected).max() < 1e-7


@pytest.mark.parametrize(("hz", "kept"), [(0.05, 0.0), (5.0, 1.0), (15.0, 1.0)])
def test_band_pass_keeps_the_ecg_and_drops_wander(hz: float, kept: float) -> None:
    filtered = middle(band_pass(sine(hz, 100.0, 60.0), 100.0))
    assert np.abs(filtered).max() == pytest.approx(kept, abs=0.05)


def test_band_pass_moves_nothing_in_time() -> None:
    pulse = np.zeros(1000, np.float32)
    pulse[500] = 1
    assert band_pass(pulse, 100.0).argmax() == 500


@pytest.mark.parametrize("mains_hz", [50.0, 60.0])
def test_notch_takes_mains_out_and_leaves_the_qrs_band(mains_hz: float) -> None:
    hum, ecg = sine(mains_hz, 360.0), sine(10.0, 360.0)
    cleaned = middle(notch(hum + ecg, 360.0, mains_hz=mains_hz))
    assert np.abs(cleaned - middle(ecg)).max() < 0.03


def test_notch_above_the_nyquist_rate_is_refused() -> None:
    with pytest.raises(EcgStreamError, match=r"mains_hz=60 .* fs_hz=100"):
        notch(sine(5.0, 100.0), 100.0, mains_hz=60.0)


@given(fs_hz=st.sampled_from([100.0, 125.0, 128.0, 250.0, 257.0, 360.0, 500.0, 1000.0]), hz=st.floats(0.5, 30.0))
def test_resampling_keeps_a_sine(fs_hz: float, hz: float) -> None:
    expected = sine(hz, 100.0)
    got = resample(sine(hz, fs_hz), fs_hz, to_hz=100.0)
    n = min(len(expected), len(got))
    assert abs(len(got) - len(expected)) <= 1
    assert np.abs(middle(got[:n]) - middle(expected[:n])).max() < 0.03


@pytest.mark.parametrize("fs_hz", [250.123, 333.333, 359.997, 999.999])
def test_an_odd_rate_takes_no_endless_filter(fs_hz: float, monkeypatch: pytest.MonkeyPatch) -> None:
    # A rate estimated from a time column, or by a hostile device: 999.999 Hz took 12 s and 1 GB.
    factors: list[int] = []

    def spied(up: int, down: int) -> object:
        factors.append(max(up, down))
        return design(min(up, 10_000), min(down, 10_000))

    design = filters._anti_alias
    monkeypatch.setattr(filters, "_anti_alias", spied)
    expected = sine(5.0, 100.0)
    got = resample(sine(5.0, fs_hz), fs_hz, to_hz=100.0)
    assert factors[0] <= filters.MAX_FACTOR
    n = min(len(expected), len(got))
    assert np.abs(middle(got[:n]) - middle(expected[:n])).max() < 0.03


def test_each_row_is_filtered_alone() -> None:
    rows = np.stack([sine(5.0, 360.0), sine(10.0, 360.0), np.zeros(7200, np.float32)])
    together = band_pass(resample(rows, 360.0, to_hz=100.0), 100.0)
    for row, filtered in zip(rows, together, strict=True):
        assert np.array_equal(band_pass(resample(row, 360.0, to_hz=100.0), 100.0), filtered)
