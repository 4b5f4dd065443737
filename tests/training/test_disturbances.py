from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ecg.annotations import Annotations
from ecg.beats import find_beats
from ecg.errors import EcgStreamError
from ecg.filters import band_pass
from ecg.records import MISSING, Record, to_millivolts
from training.disturbances import (
    PACES,
    RATES_HZ,
    Disturbance,
    Recording,
    at_pace,
    at_rate,
    at_resolution,
    disturbances,
    disturbances_named,
    inverted,
    leads_swapped,
    leads_unnamed,
    noisy,
    one_lead,
)

FS_HZ = 360.0
SECONDS = 30
BEATS = np.arange(200, SECONDS * 360 - 200, 297)  # 73 a minute


def _recording(fs_hz: float = FS_HZ) -> Recording:
    positions = np.arange(int(SECONDS * fs_hz))
    beats = np.round(BEATS * fs_hz / FS_HZ).astype(np.int64)
    lead = sum(np.exp(-(((positions - beat) / (0.015 * fs_hz)) ** 2)) for beat in beats)
    samples = np.stack([1024 + 200 * np.asarray(lead), 900 + 100 * np.asarray(lead)], axis=1)
    return Recording(
        record=Record(
            name="made",
            fs_hz=fs_hz,
            leads=("MLII", "V1"),
            samples=np.round(samples).astype(np.int16),
            gain=(200.0, 100.0),
            baseline=(1024, 900),
        ),
        annotations=Annotations(sample=beats, symbol=("N",) * len(beats), aux=("",) * len(beats)),
    )


def _noise(seed: int = 0) -> Record:
    samples = np.random.default_rng(seed).integers(-200, 200, (int(20 * FS_HZ), 2)).astype(np.int16)
    return Record(name="em", fs_hz=FS_HZ, leads=("a", "b"), samples=samples, gain=(200.0, 200.0), baseline=(0, 0))


def _distance_s(recording: Recording) -> float:
    """How far the annotation that strays most lies from the nearest peak of the first lead, s."""
    record, beats = recording.record, recording.annotations.sample
    lead = to_millivolts(record.samples, record.gain, record.baseline)[:, 0]
    reach = round(0.1 * record.fs_hz)
    peaks = [beat - reach + int(np.argmax(np.abs(lead[beat - reach : beat + reach + 1]))) for beat in beats]
    return float(np.abs(np.array(peaks) - beats).max() / record.fs_hz)


@pytest.mark.parametrize("name", [*disturbances({})])
def test_annotations_stay_on_their_beats(name: str) -> None:
    heard = disturbances({})[name](_recording())
    assert _distance_s(heard) <= 1.01 / heard.record.fs_hz + 1.01 / FS_HZ


@settings(max_examples=25)
@given(st.floats(100, 1000), st.integers(100, 1000))
def test_any_rate_to_any_other_keeps_times(to_hz: float, fs_hz: int) -> None:
    recording = _recording(float(fs_hz))
    heard = at_rate(recording, to_hz)
    before_s = recording.annotations.sample / recording.record.fs_hz
    after_s = heard.annotations.sample / heard.record.fs_hz
    # The rate itself is taken as the nearest fraction with a denominator up to 1000.
    assert np.abs(before_s - after_s).max() <= 0.5 / to_hz + 1e-3
    assert heard.record.seconds == pytest.approx(recording.record.seconds, abs=2 / to_hz)
    assert _distance_s(heard) <= 1.5 / to_hz + 1.5 / fs_hz


def test_a_beat_detector_finds_the_beats_where_they_are_annotated() -> None:
    recording = _recording()
    for heard in (at_rate(recording, 128.0), at_pace(recording, PACES[0]), at_pace(recording, PACES[1])):
        record = heard.record
        lead = to_millivolts(record.samples, record.gain, record.baseline)[:, 0]
        found = find_beats(band_pass(lead, record.fs_hz), record.fs_hz)
        assert len(found) == len(BEATS)
        assert np.abs(found - heard.annotations.sample).max() <= 0.03 * record.fs_hz


def test_pace_changes_the_rate_of_beats_not_of_samples() -> None:
    slower = at_pace(_recording(), 1.15)
    assert slower.record.fs_hz == FS_HZ
    assert np.diff(slower.annotations.sample).mean() == pytest.approx(1.15 * 297, abs=0.1)
    assert slower.record.seconds == pytest.approx(1.15 * SECONDS, abs=0.01)
    # Rates at the limits stay what they are.
    assert at_pace(_recording(1000.0), 1.15).record.fs_hz == 1000.0


def test_twice_upside_down_and_twice_swapped_is_as_before() -> None:
    recording = _recording()
    holed = recording.record.samples.copy()
    holed[5:9, 1] = MISSING
    recording = replace(recording, record=replace(recording.record, samples=holed))
    for twice in (inverted, leads_swapped):
        once = twice(recording)
        assert not np.array_equal(once.record.samples, holed)
        again = twice(once)
        assert np.array_equal(again.record.samples, holed)
        assert again.record.gain == recording.record.gain


def test_a_swap_keeps_names_and_millivolts() -> None:
    recording = _recording()
    heard = leads_swapped(recording).record
    before, after = (to_millivolts(r.samples, r.gain, r.baseline) for r in (recording.record, heard))
    assert heard.leads == ("MLII", "V1")
    assert np.array_equal(before[:, 0], after[:, 1])
    assert leads_unnamed(recording).record.leads == ("ECG1", "ECG2")


def test_one_lead_of_a_record_that_has_it() -> None:
    second = one_lead(_recording(), 1)
    assert (second.record.leads, second.record.gain, second.record.baseline) == (("V1",), (100.0,), (900,))
    with pytest.raises(EcgStreamError, match="no lead 2"):
        one_lead(second, 1)


def test_size_and_resolution_in_millivolts() -> None:
    recording = _recording()
    before = to_millivolts(recording.record.samples, recording.record.gain, recording.record.baseline)
    large = disturbances({})["size-2"](recording).record
    assert to_millivolts(large.samples, large.gain, large.baseline) == pytest.approx(2 * before)
    for bits, step_mv in ((16, 10 / 65536), (8, 10 / 256)):
        coarse = at_resolution(recording, bits).record
        after = to_millivolts(coarse.samples, coarse.gain, coarse.baseline)
        assert np.abs(after - before).max() <= step_mv / 2 + 1e-6
    assert len(np.unique(at_resolution(recording, 8).record.samples[:, 0])) <= 27


def test_noise_is_added_at_its_ratio_all_the_way() -> None:
    recording = _recording()
    added = []
    for snr_db in (24.0, 6.0):
        heard = noisy(recording, _noise(), snr_db).record
        mv = to_millivolts(heard.samples, heard.gain, heard.baseline)
        clean = to_millivolts(recording.record.samples, recording.record.gain, recording.record.baseline)
        added.append((mv - clean)[:, 0])
    # The quarter millivolt steps of nothing: beats of 1 mV, so 1 / sqrt(8) mV of signal.
    assert added[1].std() == pytest.approx(10 ** (-6 / 20) / np.sqrt(8), rel=0.1)
    assert added[1].std() / added[0].std() == pytest.approx(10 ** (18 / 20), rel=0.02)
    # The noise is shorter than the record: it goes on from its start.
    assert added[1][-int(FS_HZ) :].std() > 0.5 * added[1].std()


def test_missing_samples_stay_missing_in_their_place() -> None:
    recording = _recording()
    holed = recording.record.samples.copy()
    holed[3600:7200, 0] = MISSING
    for disturb in _all_of(_noise()):
        heard = disturb(replace(recording, record=replace(recording.record, samples=holed))).record
        gone = (heard.samples == MISSING).any(axis=1)
        if gone.any():  # not where only the other lead is left
            assert gone.mean() == pytest.approx(1 / 3, abs=0.01)
            assert np.flatnonzero(gone)[0] == pytest.approx(len(gone) / 3, abs=2)


def _all_of(noise: Record) -> list[Disturbance]:
    return list(disturbances({"em": noise}).values())


def test_names_and_groups() -> None:
    assert list(disturbances_named("rate", {})) == [f"rate-{rate:g}" for rate in RATES_HZ]
    assert list(disturbances_named("inverted, size-2", {})) == ["inverted", "size-2"]
    everything = disturbances_named("all", {"em": _noise()})
    assert {"em-24", "em-6", "rate-128", "swapped"} <= set(everything)
    with pytest.raises(EcgStreamError, match="upside-down"):
        disturbances_named("upside-down", {})
