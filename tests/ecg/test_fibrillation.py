"""What is a wave of flutter or fibrillation and what is not, on signals made for it."""

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.signal import butter, sosfiltfilt

from ecg.fibrillation import FLUTTER_LEAKAGE, FLUTTER_LEAKAGE_ON, MAX_HZ, MIN_HZ, NO_WAVE, wave_leakage
from ecg.filters import band_pass
from ecg.records import Float32Array

FS_HZ = 100.0
LENGTHS = (400, 500)


def single(values: npt.NDArray[np.float64]) -> Float32Array:
    return np.asarray(np.atleast_2d(values), np.float32)


def sine(hz: float, samples: int = 500) -> Float32Array:
    return single(np.sin(2 * np.pi * hz * np.arange(samples) / FS_HZ + 0.3))


def coarse_fibrillation(seed: int, samples: int, count: int = 40) -> Float32Array:
    """Noise in a band 2 Hz wide about a frequency of 3 to 6.5 Hz: no two waves alike, none ever at rest."""
    generator = np.random.default_rng(seed)
    signals = []
    for centre_hz in generator.uniform(3, 6.5, count):
        band = butter(2, [centre_hz - 1, centre_hz + 1], "bandpass", fs=FS_HZ, output="sos")
        signals.append(sosfiltfilt(band, generator.normal(size=samples + 600))[300:-300])
    return single(np.array(signals))


def beats(rate_bpm: float, width_s: float, samples: int, seed: int = 0) -> Float32Array:
    """QRS complexes and T waves of 15 s, filtered as the detector does; the newest samples of them."""
    generator = np.random.default_rng(seed)
    time = np.arange(1500) / FS_HZ
    signal = generator.normal(scale=0.02, size=1500)
    for start_s in np.arange(0.3, 15, 60 / rate_bpm):
        signal += np.exp(-(((time - start_s) / (width_s / 4)) ** 2))
        signal -= 0.3 * np.exp(-(((time - start_s - width_s / 2) / (width_s / 4)) ** 2))
        signal += 0.25 * np.exp(-(((time - start_s - 0.25) / 0.06) ** 2))
    return band_pass(single(signal), FS_HZ)[:, -samples:]


@pytest.mark.parametrize("samples", LENGTHS)
@pytest.mark.parametrize("hz", [2.6, 3.5, 5.0, 7.0, 8.5])
def test_a_sine_of_flutter_leaves_little(hz: float, samples: int) -> None:
    assert wave_leakage(sine(hz, samples), FS_HZ)[0] < 0.35


@pytest.mark.parametrize("hz", [MIN_HZ - 0.4, 1.0, MAX_HZ + 1, 20.0])
def test_slower_and_faster_waves_are_none(hz: float) -> None:
    assert wave_leakage(sine(hz), FS_HZ)[0] == NO_WAVE


@pytest.mark.parametrize("samples", LENGTHS)
def test_coarse_fibrillation_is_seen_in_nearly_every_window(samples: int) -> None:
    leakage = np.concatenate([wave_leakage(coarse_fibrillation(seed, samples), FS_HZ) for seed in range(5)])
    seen = float((leakage < FLUTTER_LEAKAGE).mean())
    print(f"simulated fibrillation, {samples} samples: {seen:.3f} of windows")  # noqa: T201 - shown when it fails
    assert seen >= 0.93


@pytest.mark.parametrize("samples", LENGTHS)
@pytest.mark.parametrize(("rate_bpm", "width_s"), [(40, 0.1), (70, 0.1), (150, 0.08), (200, 0.08), (90, 0.2)])
def test_a_rhythm_with_beats_is_no_wave(rate_bpm: float, width_s: float, samples: int) -> None:
    assert wave_leakage(beats(rate_bpm, width_s, samples), FS_HZ)[0] >= FLUTTER_LEAKAGE_ON


def test_a_flat_line_and_its_noise_are_no_waves() -> None:
    generator = np.random.default_rng(1)
    frequency = np.fft.rfftfreq(1500, 1 / FS_HZ)
    assert wave_leakage(np.zeros((2, 500), np.float32), FS_HZ).tolist() == [NO_WAVE, NO_WAVE]
    for slope in (0, 1, 2):  # white, pink and brown noise
        spectrum = np.maximum(frequency, 0.1) ** (-slope / 2) * np.exp(2j * np.pi * generator.random((200, 751)))
        noise = band_pass(single(np.fft.irfft(spectrum, 1500, axis=1)), FS_HZ)[:, -500:]
        assert (wave_leakage(noise, FS_HZ) >= FLUTTER_LEAKAGE).all()


def test_one_artefact_in_a_quiet_signal_is_no_wave() -> None:
    signal = beats(70, 0.1, 500) * 0.1
    signal[:, 200:240] += 3 * np.sin(2 * np.pi * 5 * np.arange(40) / FS_HZ)
    assert wave_leakage(signal, FS_HZ)[0] == NO_WAVE


@settings(max_examples=50, deadline=None)
@given(doublings=st.integers(-8, 8), seed=st.integers(0, 1000), sign=st.sampled_from([-1, 1]))
def test_neither_gain_nor_polarity_nor_the_batch_changes_it(doublings: int, seed: int, sign: int) -> None:
    batch = np.concatenate([coarse_fibrillation(seed, 500, count=3), beats(80, 0.1, 500, seed), sine(1.0)])
    alone = np.concatenate([wave_leakage(row[None] * np.float32(sign * 2.0**doublings), FS_HZ) for row in batch])
    together = wave_leakage(batch, FS_HZ)
    assert np.allclose(alone, together, rtol=1e-5)
    assert together.min() >= 0
    assert together.max() <= 1
