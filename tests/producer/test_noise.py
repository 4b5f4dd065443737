import numpy as np
import pytest

from ecg.data import data_directory
from ecg.errors import EcgStreamError
from ecg.records import Record, to_millivolts
from ecg.wfdb_files import read_noise, read_wfdb, toy_record
from producer.noise import noise_for


def hiss(*, fs_hz: float = 360.0, leads: int = 1, loudness: int = 300) -> Record:
    noise = np.random.default_rng(1).normal(0, loudness, (40_000, leads)).astype(np.int16)
    return Record(
        name="hiss",
        fs_hz=fs_hz,
        leads=("noise1", "noise2")[:leads],
        samples=noise,
        gain=(200.0,) * leads,
        baseline=(0,) * leads,
    )


def test_twenty_decibels_more_are_a_tenth_of_the_noise() -> None:
    clean = toy_record()
    assert noise_for(clean, hiss(), 0.0).std() == pytest.approx(10 * noise_for(clean, hiss(), 20.0).std(), rel=1e-5)


def test_how_loud_the_noise_was_recorded_makes_no_difference() -> None:
    clean = toy_record()
    loud, soft = noise_for(clean, hiss(loudness=3000), 6.0), noise_for(clean, hiss(loudness=300), 6.0)
    assert loud.std() == pytest.approx(soft.std(), rel=0.01)


def test_noise_comes_at_the_rate_of_the_record() -> None:
    assert noise_for(toy_record(), hiss(fs_hz=180), 6.0).shape == (80_000, 1)


def test_silence_on_either_side_is_refused() -> None:
    with pytest.raises(EcgStreamError, match="noise record hiss is silent on lead 0"):
        noise_for(toy_record(), hiss(loudness=0), 6.0)
    flat = Record(
        name="flat", fs_hz=360.0, leads=("II",), samples=np.zeros((3600, 1), np.int16), gain=(200.0,), baseline=(0,)
    )
    with pytest.raises(EcgStreamError, match="record flat, lead II, shows no beats"):
        noise_for(flat, hiss(), 6.0)


@pytest.mark.data("mitdb", "nstdb")
def test_record_118_with_em_at_0_db_is_what_the_noise_stress_test_publishes() -> None:
    folder = data_directory()
    clean, published = read_wfdb(folder / "mitdb" / "118"), read_wfdb(folder / "nstdb" / "118e00")
    added_mv = noise_for(clean, read_noise(folder / "nstdb" / "em"), 0.0)
    # nst lets five minutes pass, then adds noise for two minutes, less an offset against a step.
    noisy = slice(301 * 360, 419 * 360)
    theirs_mv = (
        to_millivolts(published.samples, published.gain, published.baseline)
        - to_millivolts(clean.samples, clean.gain, clean.baseline)
    )[noisy]
    for lead in range(2):
        theirs, ours = theirs_mv[:, lead].astype(np.float64), added_mv[noisy, lead].astype(np.float64)
        assert np.corrcoef(theirs, ours)[0, 1] > 0.9999
        assert theirs.std() / ours.std() == pytest.approx(1.0, abs=0.03)
