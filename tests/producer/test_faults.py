from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bus.samples import Chunk, decode, encode
from ecg.records import MISSING, Int16Array, Record
from producer.faults import Strikes, clock_jumps, duplicates, gaps, lead_off, missing, noisy, reordered
from producer.injection import with_faults
from producer.settings import FaultSettings
from producer.streams import Patient, cut
from tests.producer.records import record

FS_HZ = 360.0
HOUR = record(360 * 600)
chunk_lengths = st.sampled_from([100, 250, 333, 1000])


def chunks(chunk_ms: int = 250, whole: Record = HOUR) -> Iterator[Chunk]:
    return cut(Patient(id="p", record=whole), chunk_ms=chunk_ms, start_ns=10**18)


def strikes(per_hour: float = 120.0, *, seed: int = 1, longest_s: float = 5.0) -> Strikes:
    return Strikes(seed=seed, patient="p", name="x", per_hour=per_hour, longest_s=longest_s)


def laid_out(stream: Iterable[Chunk]) -> tuple[Int16Array, set[int]]:
    """The samples by index (MISSING where none came), and the indices that came."""
    samples = np.full_like(HOUR.samples, MISSING)
    came: set[int] = set()
    for chunk in stream:
        samples[chunk.start_index : chunk.end_index] = chunk.samples
        came.update(range(chunk.start_index, chunk.end_index))
    return samples, came


PLACED: list[Callable[[Iterable[Chunk]], Iterator[Chunk]]] = [
    lambda stream: gaps(stream, strikes()),
    lambda stream: missing(stream, strikes()),
    lambda stream: lead_off(stream, strikes(), shown_as="rail"),
    lambda stream: lead_off(stream, strikes(), shown_as="missing"),
    lambda stream: noisy(stream, np.random.default_rng(0).normal(0, 1, (999, 2)).astype(np.float32)),
]


@pytest.mark.parametrize("fault", PLACED)
def test_a_fault_strikes_the_same_samples_whatever_the_chunk_length(
    fault: Callable[[Iterable[Chunk]], Iterator[Chunk]],
) -> None:
    reference, came = laid_out(fault(chunks(250)))
    assert not np.array_equal(reference, HOUR.samples)
    for chunk_ms in (100, 333, 1000):
        samples, also_came = laid_out(fault(chunks(chunk_ms)))
        np.testing.assert_array_equal(samples, reference)
        assert also_came == came


def test_gaps_cut_out_whole_stretches_and_the_rest_keeps_its_place_and_time() -> None:
    kept = list(gaps(chunks(), strikes()))
    expected = sum(
        min(round(end * FS_HZ), len(HOUR.samples)) - round(start * FS_HZ)
        for start, end, _ in _within(strikes(), len(HOUR.samples))
    )
    assert len(HOUR.samples) - sum(len(chunk.samples) for chunk in kept) == expected
    for chunk in kept:
        assert chunk.start_ns == 10**18 + round(chunk.start_index * 10**9 / 360)
        np.testing.assert_array_equal(chunk.samples, HOUR.samples[chunk.start_index : chunk.end_index])


def _within(drawn: Strikes, samples: int) -> Iterator[tuple[float, float, float]]:
    for strike in drawn.draw():
        if round(strike[0] * FS_HZ) >= samples:
            return
        yield strike


def test_missing_samples_are_sent_as_no_sample_on_every_lead() -> None:
    struck = list(missing(chunks(), strikes()))
    samples, came = laid_out(struck)
    assert len(came) == len(HOUR.samples)
    lost = samples[:, 0] == MISSING
    assert 0 < lost.mean() < 0.5
    np.testing.assert_array_equal(lost, samples[:, 1] == MISSING)
    np.testing.assert_array_equal(samples[~lost], HOUR.samples[~lost])


@pytest.mark.parametrize(("shown_as", "value"), [("rail", 2000), ("missing", MISSING)])
def test_one_lead_goes_off_at_a_time(shown_as: str, value: int) -> None:
    samples, _ = laid_out(lead_off(chunks(), strikes(), shown_as=shown_as))  # type: ignore[arg-type]  # parametrized
    off = samples != HOUR.samples
    assert np.all(samples[off] == value)
    assert not np.any(off[:, 0] & off[:, 1])
    assert off[:, 0].any()
    assert off[:, 1].any()


def test_the_record_itself_is_never_written_to() -> None:
    before = HOUR.samples.copy()
    for _ in missing(lead_off(chunks(), strikes(), shown_as="rail"), strikes()):
        pass
    np.testing.assert_array_equal(HOUR.samples, before)


def test_a_clock_jump_stays_and_changes_nothing_else() -> None:
    jumped = list(clock_jumps(chunks(), strikes(per_hour=60)))
    plain = list(chunks())
    off_ns = [after.start_ns - before.start_ns for after, before in zip(jumped, plain, strict=True)]
    steps = np.diff(off_ns)
    assert np.count_nonzero(steps) == len(list(_within(strikes(per_hour=60), plain[-1].start_index)))
    assert steps.max() > 0 > steps.min()
    assert np.abs(steps).max() <= 5e9
    for after, before in zip(jumped, plain, strict=True):
        np.testing.assert_array_equal(after.samples, before.samples)
        assert after.start_index == before.start_index


@given(st.integers(0, 2**32), st.floats(0, 1), chunk_lengths)
def test_duplicates_come_right_after_their_original(seed: int, share: float, chunk_ms: int) -> None:
    small = record(3600)
    doubled = [chunk.start_index for chunk in duplicates(chunks(chunk_ms, small), seed=seed, patient="p", share=share)]
    plain = [chunk.start_index for chunk in chunks(chunk_ms, small)]
    assert sorted(set(doubled)) == plain
    assert doubled == sorted(doubled)
    assert all(doubled.count(index) <= 2 for index in plain)
    if share == 1:
        assert len(doubled) == 2 * len(plain)
    if share == 0:
        assert doubled == plain


@given(st.integers(0, 2**32), st.floats(0, 1), chunk_lengths)
def test_reordering_moves_a_chunk_by_one_place_and_loses_none(seed: int, share: float, chunk_ms: int) -> None:
    small = record(3600)
    moved = [chunk.start_index for chunk in reordered(chunks(chunk_ms, small), seed=seed, patient="p", share=share)]
    plain = [chunk.start_index for chunk in chunks(chunk_ms, small)]
    assert sorted(moved) == plain
    assert all(abs(plain.index(index) - place) <= 1 for place, index in enumerate(moved))
    if share == 0:
        assert moved == plain
    if share == 1:
        assert moved[:2] == plain[1::-1]


def test_seed_patient_and_name_each_move_the_strikes() -> None:
    def first(strike: Strikes) -> tuple[float, float, float]:
        return next(strike.draw())

    base = strikes()
    assert first(base) == first(strikes())
    for other in (replace(base, seed=2), replace(base, patient="q"), replace(base, name="y")):
        assert first(other) != first(base)


def test_strikes_come_as_often_as_asked_and_apart() -> None:
    drawn = [strike for strike, _ in zip(strikes(per_hour=60).draw(), range(3000), strict=False)]
    starts, ends = np.array([one[0] for one in drawn]), np.array([one[1] for one in drawn])
    assert np.mean(starts[1:] - ends[:-1]) == pytest.approx(60.0, rel=0.1)
    assert np.all(starts[1:] >= ends[:-1])
    assert np.all((ends - starts >= 0.25) & (ends - starts <= 5.0))
    assert list(strikes(per_hour=0).draw()) == []


def test_noise_is_clipped_and_leaves_missing_samples_alone() -> None:
    whole = record(100)
    whole.samples[5] = MISSING
    loud = np.full((7, 2), 1000.0, np.float32)
    (chunk,) = noisy(chunks(1000, whole), loud)
    assert np.all(chunk.samples[5] == MISSING)
    assert np.all(np.delete(chunk.samples, 5, axis=0) == 32767)


def everything(seed: int) -> FaultSettings:
    return FaultSettings(
        _env_file=None,
        seed=seed,
        gaps_per_hour=120,
        missing_per_hour=120,
        lead_off_per_hour=60,
        duplicates=0.1,
        reordered=0.1,
        clock_jumps_per_hour=30,
    )


def test_all_faults_together_are_valid_messages_and_repeat_with_the_seed() -> None:
    def run(seed: int, patient: str = "p") -> list[bytes]:
        who = Patient(id=patient, record=HOUR)
        return [encode(chunk) for chunk in with_faults(cut(who, chunk_ms=250, start_ns=10**18), who, everything(seed))]

    sent = run(7)
    assert sent == run(7)
    assert sent != run(8)
    assert [decode(value).start_index for value in sent] != [decode(value).start_index for value in run(7, "q")]


def test_no_faults_by_default() -> None:
    who = Patient(id="p", record=record(3600))
    plain = FaultSettings(_env_file=None)
    struck = [encode(chunk) for chunk in with_faults(cut(who, chunk_ms=250, start_ns=0), who, plain)]
    assert struck == [encode(chunk) for chunk in cut(who, chunk_ms=250, start_ns=0)]
