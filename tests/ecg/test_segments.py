import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ecg.records import MAX_GAIN, MIN_GAIN, MISSING, Int16Array
from ecg.segments import CLIP, MODEL_SAMPLES, Prepared, Preprocessing, prepare_segments, segment_samples
from ecg.wfdb_files import toy_record


def segments(count: int, *, columns: int = 2) -> Int16Array:
    """Segments of the real excerpt, one every 5 s; the second column is the first, upside down."""
    samples = toy_record().samples[:, 0]
    length = segment_samples(360.0)
    cut = np.stack([samples[n * 1800 : n * 1800 + length] for n in range(count)])
    return np.stack([cut, -cut][:columns], axis=2)


def prepared(raw: Int16Array, *, mains_hz: float | None = None) -> Prepared:
    record = toy_record()
    count, _, columns = raw.shape
    return prepare_segments(
        raw,
        fs_hz=360.0,
        gain=np.full((count, columns), record.gain[0]),
        baseline=np.full((count, columns), record.baseline[0]),
        settings=Preprocessing(mains_hz=mains_hz),
    )


def test_inputs_are_normalised_and_bounded() -> None:
    result = prepared(segments(5))
    assert result.inputs.shape == (5, 2, MODEL_SAMPLES)
    assert result.inputs.dtype == np.float32
    assert np.abs(result.inputs).max() <= CLIP
    assert result.inputs.std(axis=2) == pytest.approx(1.0, abs=0.1)
    assert (result.judged == 0).all()


def test_gain_changes_nothing() -> None:
    raw = segments(2)
    usual = prepared(raw).inputs
    record = toy_record()
    louder = prepare_segments(
        raw,
        fs_hz=360.0,
        gain=np.full((2, 2), record.gain[0] / 3),
        baseline=np.full((2, 2), record.baseline[0]),
        settings=Preprocessing(),
    ).inputs
    assert np.abs(usual - louder).max() < 1e-4


@settings(max_examples=20)
@given(order=st.permutations(range(6)), first=st.integers(0, 5))
def test_a_row_does_not_depend_on_its_batch(order: list[int], first: int) -> None:
    raw = segments(6)
    raw[1, :3000] = MISSING
    raw[2, -400:-300, 0] = MISSING
    raw[3, -1800:, 0] = 5
    together = prepared(raw).inputs
    shuffled = prepared(raw[order]).inputs
    # A BLAS may round the last bit by a row's place.
    np.testing.assert_allclose(shuffled, together[order], atol=1e-5)
    np.testing.assert_allclose(prepared(raw[first : first + 1]).inputs[0], together[first], atol=1e-5)


def test_unknown_context_is_zero_and_does_not_ring() -> None:
    raw = segments(1)
    whole = prepared(raw).inputs
    raw[0, : -5 * 360] = MISSING
    result = prepared(raw)
    assert result.valid_from[0] == 1000
    assert not result.inputs[0, :, :1000].any()
    known, usual = result.inputs[0, 0, 1000:], whole[0, 0, 1000:]
    assert np.corrcoef(known, usual)[0, 1] > 0.98


def test_short_hole_is_bridged_and_flagged_long_one_cuts() -> None:
    raw = segments(3)
    raw[0, -900:-864] = MISSING  # 0.1 s in the window
    raw[1, -900:-540] = MISSING  # 1 s in the window
    raw[2, -3600:-3000] = MISSING  # 1.7 s in the context
    result = prepared(raw)
    assert result.judged.tolist() == [0, -1, 0]
    assert result.quality[0].flags(0) == ("gap",)
    assert not result.inputs[1].any()
    assert result.valid_from[2] == MODEL_SAMPLES - round(3000 / 3.6)


def test_holes_are_told_where_a_beat_may_hide_in_them() -> None:
    raw = segments(1)
    assert (prepared(raw).holes, prepared(raw).whole.tolist()) == (((),), [True])
    raw[0, -1800:-1796, 0] = MISSING  # 11 ms
    raw[0, -400:-364, 1] = MISSING
    assert (prepared(raw).holes, prepared(raw).whole.tolist()) == (((),), [False])
    raw[0, -900:-864, 0] = MISSING
    assert prepared(raw).holes == (((1250, 1260),),)


def test_a_context_that_lacks_much_is_no_context() -> None:
    raw = segments(1)
    for start in range(0, 4940, 90):
        raw[0, start : start + 18, 0] = MISSING  # 50 ms of every 250
    result = prepared(raw)
    assert result.judged.tolist() == [0]
    assert 950 < result.valid_from[0] <= 1000
    assert not result.inputs[0, 0, : result.valid_from[0]].any()


def test_what_lacks_too_much_is_told_from_what_is_flat() -> None:
    raw = np.concatenate([segments(1)] * 3)
    raw[0] = 5
    raw[1] = MISSING
    raw[2, -1800:, 0] = 5
    raw[2, -900:, 1] = MISSING
    assert prepared(raw).judged.tolist() == [-1, -1, -1]
    assert prepared(raw).lacking.tolist() == [False, True, True]


def test_dead_first_lead_gives_way_to_the_second() -> None:
    raw = segments(1)
    raw[0, -1800:, 0] = 3
    result = prepared(raw)
    assert result.judged[0] == 1
    assert "lead_off" in result.quality[0].flags(0)
    assert not result.inputs[0, 1].any()
    np.testing.assert_allclose(result.inputs[0, 0], prepared(segments(1)).inputs[0, 1], atol=1e-5)


def test_one_lead_leaves_the_second_input_empty() -> None:
    result = prepared(segments(2, columns=1))
    assert not result.inputs[:, 1].any()
    assert result.inputs[:, 0].any()


def test_nothing_received_is_judged_by_no_lead() -> None:
    raw = np.full((1, segment_samples(360.0), 2), MISSING, np.int16)
    result = prepared(raw)
    assert result.judged[0] == -1
    assert np.isfinite(result.inputs).all()


@pytest.mark.parametrize("fs_hz", [100.0, 128.0, 250.5, 257.0, 999.9, 1000.0])
def test_every_rate_gives_one_shape(fs_hz: float) -> None:
    raw = np.random.default_rng(0).integers(-300, 300, (2, segment_samples(fs_hz), 1)).astype(np.int16)
    result = prepare_segments(
        raw, fs_hz=fs_hz, gain=np.full((2, 1), 200.0), baseline=np.zeros((2, 1), np.int64), settings=Preprocessing()
    )
    assert result.inputs.shape == (2, 2, MODEL_SAMPLES)


def test_mains_hum_is_notched_out_on_request() -> None:
    raw = segments(1).astype(np.float64)
    hum = 100 * np.sin(2 * np.pi * 50 * np.arange(raw.shape[1]) / 360)
    humming = (raw + hum[:, None]).astype(np.int16)
    clean = prepared(segments(1)).inputs
    assert np.abs(prepared(humming, mains_hz=50).inputs - clean).mean() < 0.05


@settings(max_examples=60)
@given(
    pieces=st.lists(
        st.tuples(st.sampled_from([MISSING, -32767, -1, 0, 17, 32767, "noise", "steps"]), st.integers(1, 3000)),
        min_size=1,
        max_size=6,
    ),
    gain=st.sampled_from([MIN_GAIN, 200.0, MAX_GAIN]),
    baseline=st.sampled_from([0, 1024, 2**31 - 1, -(2**31)]),
)
def test_whatever_a_device_sends_gives_finite_inputs(
    pieces: list[tuple[int | str, int]], gain: float, baseline: int
) -> None:
    generator = np.random.default_rng(0)
    values: list[int] = []
    for what, count in pieces:
        if what == "noise":
            values += generator.integers(-32767, 32767, count).tolist()
        elif what == "steps":
            values += [32767, -32767] * count
        else:
            values += [int(what)] * count
    length = segment_samples(360.0)
    raw = np.resize(np.array(values, np.int16), length).reshape(1, length, 1)
    result = prepare_segments(
        raw, fs_hz=360.0, gain=np.array([[gain]]), baseline=np.array([[baseline]]), settings=Preprocessing(mains_hz=50)
    )
    assert np.abs(result.inputs).max() <= CLIP
    quality = result.quality[0]
    for measured in (quality.missing, quality.flat, quality.clipped, quality.noise):
        assert -1e-6 <= measured[0] <= 1 + 1e-6
