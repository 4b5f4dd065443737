from fractions import Fraction
from functools import lru_cache

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ecg.filters import band_pass, notch, resample
from ecg.records import Float32Array
from ecg.second_filter import (
    BAND_S,
    FILTERED_HZ,
    FINALS,
    PART_S,
    STEP_S,
    FilteredSignal,
    RawPart,
    layout_of,
    levelled,
    product,
    take_steps,
)
from ecg.wfdb_files import toy_record
from ecg.windows import Grid

SECONDS = 30
SECOND = FILTERED_HZ
HUM_HZ = 50.0


@lru_cache
def lead_at(fs_hz: float) -> Float32Array:
    """The real excerpt, mV, at another sampling rate."""
    record = toy_record()
    millivolts = (record.samples[: (SECONDS + 1) * 360, 0] - record.baseline[0]) / record.gain[0]
    return np.asarray(resample(millivolts.astype(np.float32)[None], record.fs_hz, to_hz=fs_hz)[0], np.float32)


def part(lead: Float32Array, rate: Fraction, second: int, *, missing: slice | None = None) -> RawPart:
    """The raw signal of the step that ends with a second; what lies before the stream is missing."""
    grid = Grid(rate)
    layout = layout_of(rate, second % rate.denominator)
    hole = np.zeros(len(lead), np.bool_)
    if missing is not None:
        hole[missing] = True
    at = np.arange(grid.second(second - PART_S), grid.second(second))
    inside = np.clip(at, 0, None)
    return RawPart(
        millivolts=lead[inside][None, None].copy(), missing=((at < 0) | hole[inside])[None, None], layout=layout
    )


def stepped(
    lead: Float32Array,
    fs_hz: float,
    *,
    mains_hz: float | None = None,
    missing: slice | None = None,
    until: int = SECONDS,
) -> list[FilteredSignal]:
    """The signal of a stream after each second."""
    rate = Fraction(fs_hz).limit_denominator(1000)
    parts = [part(lead, rate, second, missing=missing) for second in range(1, until + 1)]
    (after,) = take_steps([FilteredSignal.before(1)], parts, rate=rate, mains_hz=mains_hz)
    return after


def same(one: Float32Array, other: Float32Array) -> bool:
    """Equal but for the last bit, which a BLAS may round by a row's place; every kernel tried here gives all bits."""
    return np.allclose(one, other, rtol=1e-5, atol=1e-5, equal_nan=True)


def distance(one: Float32Array, other: Float32Array) -> float:
    """Root mean square of the difference, as a share of the second signal's."""
    return float(np.sqrt(np.square(one - other).mean() / np.square(other).mean()))


@pytest.mark.parametrize("fs_hz", [100.0, 125.0, 128.0, 250.0, 250.5, 256.0, 359.871, 360.0, 500.0, 999.9, 1000.0])
def test_it_is_the_zero_phase_filter_over_the_whole_signal(fs_hz: float) -> None:
    lead = lead_at(fs_hz)
    grid = Grid(Fraction(fs_hz).limit_denominator(1000))
    whole = resample(lead[None, : grid.second(SECONDS)], fs_hz, to_hz=FILTERED_HZ)[:, : SECONDS * SECOND]
    expected = band_pass(whole, FILTERED_HZ)[0]
    found = stepped(lead, fs_hz)[-1].segment()[0]
    # The final seconds within, then the three that are not: the filter has only one side to look at, here as there.
    assert distance(found[: FINALS * SECOND], expected[-15 * SECOND : -4 * SECOND]) < 0.006
    assert distance(found[FINALS * SECOND :], expected[-4 * SECOND :]) < 0.006


def test_what_the_steps_give_is_what_whoever_begins_later_gets() -> None:
    lead = lead_at(360.0)
    rate = Fraction(360)
    whole = stepped(lead, 360.0)[-1]
    parts = [part(lead, rate, second) for second in range(SECONDS - 16, SECONDS + 1)]
    ((*_, late),) = take_steps([FilteredSignal.before(1)], parts, rate=rate, mains_hz=None)
    assert same(late.segment(), whole.segment())
    assert same(late.resampled, whole.resampled)


@settings(max_examples=20)
@given(order=st.permutations(range(5)), first=st.integers(1, 29))
def test_a_stream_s_signal_does_not_depend_on_its_company_or_on_how_many_steps_are_taken_at_once(
    order: list[int], first: int
) -> None:
    rate = Fraction(360)
    leads = [lead_at(360.0) * (number + 1) for number in range(5)]
    before = [stepped(lead, 360.0, until=first)[-1] for lead in leads]
    together = [
        RawPart(
            millivolts=np.concatenate([part(leads[number], rate, second).millivolts for number in order]),
            missing=np.concatenate([part(leads[number], rate, second).missing for number in order]),
            layout=layout_of(rate, 0),
        )
        for second in range(first + 1, SECONDS + 1)
    ]
    found = take_steps([before[number] for number in order], together, rate=rate, mains_hz=None)
    for number, after in zip(order, found, strict=True):
        alone = stepped(leads[number], 360.0)[-1]
        assert same(after[-1].newest, alone.newest)
        assert same(after[-1].segment(), alone.segment())


def test_a_long_hole_is_known_to_be_none_and_a_short_one_is_bridged() -> None:
    lead = lead_at(360.0)
    bridged = stepped(lead, 360.0, missing=slice(25 * 360, 25 * 360 + 36))[-1]
    assert not np.isnan(bridged.resampled).any()
    holed = stepped(lead, 360.0, missing=slice(25 * 360, 26 * 360))[-1]
    unknown = np.flatnonzero(np.isnan(holed.resampled[0]))
    assert unknown.tolist() == list(range(2 * SECOND, 3 * SECOND))  # the 26th second, in the newest seven


def test_an_electrode_with_another_offset_leaves_no_step() -> None:
    lead = lead_at(360.0).copy()
    moved = lead.copy()
    moved[20 * 360 :] += 50.0  # mV
    hole = slice(19 * 360, 20 * 360)
    quiet, loud = (stepped(each, 360.0, missing=hole)[-1].segment()[0] for each in (lead, moved))
    assert distance(loud[-10 * SECOND :], quiet[-10 * SECOND :]) < 0.01


def test_mains_hum_is_notched_out_before_it_is_resampled() -> None:
    lead = lead_at(360.0)
    hum = 0.5 * np.sin(2 * np.pi * HUM_HZ * np.arange(len(lead)) / 360).astype(np.float32)
    cleaned = stepped(lead + hum, 360.0, mains_hz=HUM_HZ)[-1]
    expected = resample(notch(lead[None, : SECONDS * 360], 360.0, mains_hz=HUM_HZ), 360.0, to_hz=FILTERED_HZ)[0]
    within = slice(-(BAND_S - 1) * SECOND, -2 * SECOND)
    assert np.abs(cleaned.resampled[0][within] - expected[within]).max() < 0.02


def test_before_anything_is_known_there_is_silence() -> None:
    nothing = FilteredSignal.before(2)
    assert nothing.segment().shape == (2, 15 * SECOND)
    assert not nothing.segment().any()
    assert nothing.newest.shape == (2, STEP_S * SECOND)


def test_a_second_s_first_sample_may_lie_between_two() -> None:
    rate = Fraction(501, 2)
    even, odd = layout_of(rate, 0), layout_of(rate, 1)
    assert (even.phase, odd.phase) == (16, 0)  # three seconds before an even one begin at a half
    assert {even.count, odd.count} == {751, 752}


@given(values=st.lists(st.one_of(st.floats(-5, 5, width=32), st.just(float("nan"))), min_size=1, max_size=30))
def test_a_levelled_signal_is_all_known_and_ends_at_zero(values: list[float]) -> None:
    row = np.array([values], np.float32)
    level = levelled(row)
    assert np.isfinite(level).all()
    assert level[0, -1] == 0
    # Differences between neighbours that are both known stay as they were.
    both = ~np.isnan(row[0, 1:]) & ~np.isnan(row[0, :-1])
    assert np.diff(level[0])[both] == pytest.approx(np.diff(row[0])[both], abs=1e-5)


@given(count=st.integers(1, 40))
def test_a_row_s_product_is_the_same_in_any_company(count: int) -> None:
    generator = np.random.default_rng(count)
    rows = generator.standard_normal((count, 700)).astype(np.float32)
    matrix = generator.standard_normal((700, 400)).astype(np.float32)
    together = product(rows, matrix)
    for number in range(count):
        assert same(product(rows[number : number + 1], matrix)[0], together[number])
