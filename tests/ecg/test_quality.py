import numpy as np
import pytest

from ecg.quality import LeadQuality, lead_quality
from ecg.records import MISSING, Int16Array

FS_HZ = 100.0


def ecg_like(seed: int = 0) -> Int16Array:
    """Five seconds with a sharp beat every 0.8 s over a little noise."""
    generator = np.random.default_rng(seed)
    t_s = np.arange(500) / FS_HZ
    beats = sum(np.exp(-(((t_s - at) / 0.025) ** 2)) for at in np.arange(0.4, 5, 0.8))
    return np.asarray(200 * beats + generator.normal(0, 3, 500), np.int16)


def quality_of(*windows: Int16Array) -> LeadQuality:
    raw = np.stack(windows)
    filled = np.where(raw == MISSING, 0, raw)
    filtered = (filled / 200).astype(np.float32)
    return lead_quality(raw, FS_HZ, filtered=filtered, known_from=np.zeros(len(raw), np.int64), window=500)


def test_good_signal_has_no_flag() -> None:
    quality = quality_of(ecg_like())
    assert quality.flags(0) == ()
    assert quality.usable[0]


def test_constant_lead_is_off() -> None:
    quality = quality_of(np.full(500, 7, np.int16))
    assert quality.flat[0] == 1
    assert "lead_off" in quality.flags(0)
    assert not quality.usable[0]


def test_mostly_flat_is_flat() -> None:
    window = ecg_like()
    window[:350] = 5
    quality = quality_of(window)
    assert quality.flat[0] == pytest.approx(0.7, abs=0.05)
    assert "flat" in quality.flags(0)
    assert not quality.usable[0]


def test_clipping_is_seen_and_a_sharp_peak_is_none() -> None:
    clipped = np.clip(ecg_like() * 3, -100, 100).astype(np.int16)
    quality = quality_of(clipped, ecg_like())
    assert "clipped" in quality.flags(0)
    assert quality.clipped[1] == 0


def test_missing_is_counted() -> None:
    window = ecg_like()
    window[100:200] = MISSING
    quality = quality_of(window)
    assert quality.missing[0] == pytest.approx(0.2)
    assert "gap" in quality.flags(0)
    assert not quality.usable[0]


def test_muscle_noise_is_noisy_and_beats_are_not() -> None:
    noise = np.random.default_rng(1).normal(0, 200, 500).astype(np.int16)
    quality = quality_of(ecg_like(), noise)
    assert quality.noise[0] < 0.1
    assert quality.noise[1] > 0.9
    assert quality.flags(1) == ("noisy",)
    assert quality.noisy.tolist() == [False, True]
    # It was received, and it moves: what it lacks is beats.
    assert quality.usable[1]


def test_each_window_is_judged_alone() -> None:
    off = np.full(500, 7, np.int16)
    together, alone = quality_of(off, ecg_like()), quality_of(ecg_like())
    for name in ("missing", "flat", "clipped", "noise"):
        assert getattr(together, name)[1] == getattr(alone, name)[0]
