"""P waves before the QRS, and none: simulated leads, alone and in any batch."""

import numpy as np
import numpy.typing as npt

from ecg.p_waves import MIN_BEATS, PWaves, p_waves_in
from ecg.records import Float32Array

FS_HZ = 100.0
SAMPLES = 1500


def lead(
    seed: int, *, p_mv: float, noise_mv: float = 0.02, beats: int = 16
) -> tuple[Float32Array, npt.NDArray[np.int64]]:
    """QRS complexes of 1 mV at irregular distances, each with a P wave of some height 160 ms before."""
    generator = np.random.default_rng(seed)
    at = (60 + np.cumsum(generator.uniform(60, 95, beats))).astype(np.int64)
    at = at[at < SAMPLES - 30]
    time = np.arange(SAMPLES)
    signal = generator.normal(0, noise_mv, SAMPLES)
    for peak in at:
        signal += np.exp(-(((time - peak) / 1.5) ** 2)) + p_mv * np.exp(-(((time - peak + 16) / 3) ** 2))
    return signal.astype(np.float32), at


def test_p_waves_are_alike_and_noise_is_not() -> None:
    for seed in range(5):
        (with_p,) = p_waves_in(*_one(lead(seed, p_mv=0.15)), FS_HZ)
        (without,) = p_waves_in(*_one(lead(seed, p_mv=0.0)), FS_HZ)
        assert with_p is not None
        assert without is not None
        assert with_p.alike > 0.7
        assert abs(without.alike) < 0.1
        assert without.rest < 0.04


def test_ventricular_beats_are_left_out() -> None:
    signal, at = lead(3, p_mv=0.15)
    wide = signal.copy()
    time = np.arange(SAMPLES)
    for peak in at[::4]:
        wide[peak - 28 : peak + 14] = -2 * np.exp(-(((time[peak - 28 : peak + 14] - peak) / 8.0) ** 2))
    (clean,), (mixed,) = p_waves_in(signal[None], [at], FS_HZ), p_waves_in(wide[None], [at], FS_HZ)
    assert clean is not None
    assert mixed is not None
    assert abs(mixed.alike - clean.alike) < 0.1


def test_few_beats_and_a_flat_lead_tell_nothing() -> None:
    signal, at = lead(0, p_mv=0.1)
    assert p_waves_in(signal[None], [at[: MIN_BEATS - 1]], FS_HZ) == [None]
    assert p_waves_in(np.zeros((1, SAMPLES), np.float32), [at], FS_HZ) == [None]
    assert p_waves_in(np.zeros((0, SAMPLES), np.float32), [], FS_HZ) == []


def test_any_batch_gives_the_same() -> None:
    leads = [lead(seed, p_mv=0.05 * (seed % 4), beats=3 + 2 * seed) for seed in range(10)]
    together = p_waves_in(np.stack([signal for signal, _ in leads]), [at for _, at in leads], FS_HZ)
    assert together == [p_waves_in(signal[None], [at], FS_HZ)[0] for signal, at in leads]


def test_the_scale_does_not_matter() -> None:
    signal, at = lead(1, p_mv=0.1)
    (one,), (other,) = p_waves_in(signal[None], [at], FS_HZ), p_waves_in(8 * signal[None], [at], FS_HZ)
    assert one is not None
    assert other is not None
    assert np.allclose(PWaves(*one), PWaves(*other), atol=2e-4)


def _one(made: tuple[Float32Array, npt.NDArray[np.int64]]) -> tuple[Float32Array, list[npt.NDArray[np.int64]]]:
    return made[0][None], [made[1]]
