import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ecg.noise import MAX_NOISE, QUIET_SWING_MV, noise_probability
from ecg.records import Float32Array

FS_HZ = 100
SEGMENT, WINDOW = 1500, 500


def beats(*intervals_s: float, width_s: float = 0.025, height_mv: float = 1.0, kinds: int = 1) -> Float32Array:
    """15 s of beats whose intervals are these, again and again; of several kinds, the last is wide and inverted."""
    t_s = np.arange(SEGMENT) / FS_HZ
    signal = np.random.default_rng(0).normal(0, 0.01, SEGMENT)
    at_s, number = 0.3, 0
    while at_s < SEGMENT / FS_HZ:
        strange = number % kinds == kinds - 1 and kinds > 1
        wide_s, high_mv = (3 * width_s, -1.3 * height_mv) if strange else (width_s, height_mv)
        signal += high_mv * np.exp(-(((t_s - at_s) / wide_s) ** 2))
        at_s += intervals_s[number % len(intervals_s)]
        number += 1
    return np.asarray(signal - signal.mean(), np.float32)


def noise(seed: int = 0, deviation_mv: float = 0.3) -> Float32Array:
    """15 s of muscle noise."""
    return np.random.default_rng(seed).normal(0, deviation_mv, SEGMENT).astype(np.float32)


def probability(*segments: Float32Array, known_from: int = 0) -> list[float]:
    known = np.full(len(segments), known_from, np.int64)
    found: list[float] = noise_probability(np.stack(segments), known, window=WINDOW).tolist()
    return found


@pytest.mark.parametrize(
    "segment",
    [
        beats(0.8),
        beats(1.7),  # 35/min
        beats(0.35),  # 171/min
        beats(0.61, 0.83, 1.02, 0.55, 0.9, 0.71, 0.66, 1.1),  # as in atrial fibrillation
        beats(0.5, 1.0, kinds=2),  # bigeminy
        beats(0.8, height_mv=0.2),
        beats(0.8, height_mv=5.0),
        beats(0.8, width_s=0.005, height_mv=3.0),  # a pacemaker's spikes
    ],
    ids=["normal", "slow", "fast", "irregular", "bigeminy", "small", "tall", "spikes"],
)
def test_what_repeats_is_no_noise(segment: Float32Array) -> None:
    assert probability(segment)[0] < 0.1


def test_what_neither_repeats_nor_rests_is_noise() -> None:
    assert min(probability(*(noise(seed) for seed in range(20)))) > MAX_NOISE


def test_a_wave_without_rest_is_no_noise() -> None:
    t_s = np.arange(SEGMENT) / FS_HZ
    # A fibrillation: its frequency and its height wander.
    phase = 2 * np.pi * np.cumsum(4.5 + 0.8 * np.sin(2 * np.pi * 0.31 * t_s)) / FS_HZ
    wave = (0.4 + 0.2 * np.sin(2 * np.pi * 0.23 * t_s)) * np.sin(phase)
    assert probability(wave.astype(np.float32)) == [0.0]


def test_a_line_that_hardly_moves_is_quiet() -> None:
    assert probability(noise(deviation_mv=QUIET_SWING_MV / 8), np.zeros(SEGMENT, np.float32)) == [0.0, 0.0]


def test_only_the_window_is_judged() -> None:
    before, after = beats(0.8), beats(0.8)
    before[: SEGMENT - WINDOW] = noise()[: SEGMENT - WINDOW]
    after[-WINDOW:] = noise()[-WINDOW:]
    clean, noisy = probability(before, after)
    assert clean < 0.1
    assert noisy > MAX_NOISE


@given(known_from=st.integers(0, SEGMENT))
def test_what_is_not_known_tells_nothing(known_from: int) -> None:
    one, other = beats(0.8), beats(0.8)
    one[:known_from] = 0
    other[:known_from] = 0
    found = probability(one, known_from=known_from)
    assert np.isfinite(found).all()
    if known_from <= SEGMENT - WINDOW:
        assert found[0] < 0.1


@given(rows=st.lists(st.integers(0, 7), min_size=1, max_size=9))
def test_each_row_depends_on_itself_alone(rows: list[int]) -> None:
    every = np.stack(
        [beats(0.8), noise(), beats(0.5, 1.0, kinds=2), noise(1), *(0.2 * noise(s) + beats(0.9) for s in range(4))]
    )
    alone = [probability(row)[0] for row in every]
    assert probability(*every[rows]) == [alone[row] for row in rows]


def test_a_rapid_check_has_nothing_before_it() -> None:
    known = np.zeros(2, np.int64)
    found = noise_probability(np.stack([beats(0.8)[:400], noise()[:400]]), known, window=400)
    assert found[0] < 0.1
    assert found[1] > MAX_NOISE
