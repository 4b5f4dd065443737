from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bus.samples import Chunk
from ecg.records import MISSING
from tests.web.live.chunks import FS_HZ, START_NS, chunk, cut
from web.live.frames import ANEW, HOLE, Frame, decode
from web.live.patient import Arrived, LivePatient
from web.live.traces import Trace, Variant, caught_up, factor_of

lengths = st.lists(st.integers(1, 120), min_size=1, max_size=6)
variants = st.sampled_from([Variant(), Variant("first"), Variant("first", 125.0), Variant("all", 100.0)])


def frames_of(chunks: list[Chunk], variant: Variant) -> list[Frame]:
    live, trace, found = LivePatient.empty("p1"), Trace(variant), []
    for each in chunks:
        arrived = live.take_chunk(each, 7)
        assert arrived is not None
        encoded = trace.frame(arrived)
        if encoded is not None:
            (frame,) = decode(encoded.frame)
            assert encoded.samples == len(frame.samples)
            found.append(frame)
    return found


def whole(frames: list[Frame]) -> tuple[float, np.ndarray]:
    for one, after in pairwise(frames):
        assert after.start_index == one.start_index + len(one.samples)
        assert not after.flags
    return frames[0].start_index, np.concatenate([frame.samples for frame in frames])


@given(lengths, variants)
def test_a_trace_is_the_same_however_it_was_cut(cuts: list[int], variant: Variant) -> None:
    first, samples = whole(frames_of(cut(720, cuts), variant))
    expected_first, expected = whole(frames_of(cut(720, [720]), variant))
    assert first == expected_first
    assert (samples == expected).all()


@pytest.mark.parametrize(
    ("variant", "fs_hz", "leads"),
    [(Variant("first", 125.0), 180.0, ("MLII",)), (Variant("all", 100.0), 120.0, ("V1", "MLII"))],
)
def test_a_thinned_trace_follows_the_signal_at_its_times(
    variant: Variant, fs_hz: float, leads: tuple[str, ...]
) -> None:
    frames = frames_of(cut(3600, [90]), variant)
    first, samples = whole(frames)
    assert (frames[0].fs_hz, frames[0].leads) == (fs_hz, leads)
    factor = round(FS_HZ / fs_hz)
    assert frames[0].start_ms == pytest.approx(START_NS / 1e6 + first * 1000 / fs_hz, abs=0.01)
    columns = [("V1", "MLII").index(lead) for lead in leads]
    raw = chunk(0, 3600).samples[:, columns][round(first) * factor :: factor][: len(samples)]
    assert np.abs(samples - raw).max() <= 10  # of 350 units: the slow part passes, the fast one (19 Hz) all but does


def test_thinning_takes_out_what_would_be_mirrored() -> None:
    at = np.arange(3600)
    hum = np.rint(500 * np.sin(2 * np.pi * 110 * at / FS_HZ)).astype(np.int16)[:, None].repeat(2, axis=1)
    _, samples = whole(frames_of([chunk(0, 3600, samples=hum)], Variant("all", 120.0)))
    assert np.abs(samples).max() < 25  # a twentieth


def test_missing_samples_stay_missing_where_they_are() -> None:
    samples = chunk(0, 720).samples.copy()
    samples[300:360] = MISSING
    first, thinned = whole(frames_of([chunk(0, 720, samples=samples)], Variant("all", 120.0)))
    at_hz = (np.arange(len(thinned)) + first) * 3
    missing = (thinned == MISSING).all(axis=1)
    assert missing[(at_hz >= 300) & (at_hz < 360)].all()
    assert not missing[(at_hz < 291) | (at_hz >= 369)].any()


def test_a_hole_is_marked_and_what_lies_before_it_does_not_leak() -> None:
    frames = frames_of([chunk(0, 360), chunk(720, 360)], Variant("first", 120.0))
    assert [frame.flags & HOLE for frame in frames] == [HOLE, HOLE]
    alone = frames_of([chunk(720, 360)], Variant("first", 120.0))
    assert (frames[1].samples == alone[0].samples).all()
    assert frames[1].start_index == alone[0].start_index == 243  # a whole number of thinned samples behind the filter


def test_a_mark_is_not_lost_with_a_frame_that_is_too_short() -> None:
    restarted = [chunk(0, 360), *(chunk(360 + 5 * number, 5, base_ns=START_NS + 10**12) for number in range(72))]
    frames = frames_of(restarted, Variant("first", 120.0))
    assert [frame.flags for frame in frames[:3]] == [HOLE, HOLE | ANEW, 0]


@settings(max_examples=40)
@given(lengths, variants, st.integers(1, 20))
def test_who_comes_later_sees_the_last_seconds_and_goes_on_without_a_hole(
    cuts: list[int], variant: Variant, after: int
) -> None:
    chunks = cut(2000, cuts)
    live = LivePatient.empty("p1")
    before, later = chunks[: -(after % len(chunks)) or None], chunks[len(chunks) - after % len(chunks) :]
    for each in before:
        live.take_chunk(each, 7)
    trace, past = caught_up(live.recent, variant)
    frames = [frame for encoded in past for frame in decode(encoded.frame)]
    assert {frame.sent_ms for frame in frames} <= {0.0}
    for each in later:
        arrived = live.take_chunk(each, 7)
        assert arrived is not None
        encoded = trace.frame(arrived)
        frames += [] if encoded is None else decode(encoded.frame)
    first, samples = whole(frames)
    expected_first, expected = whole(frames_of(chunks, variant))
    assert (samples == expected[round(first - expected_first) :]).all()


def test_a_stretch_after_a_hole_is_a_frame_of_its_own() -> None:
    arrived = [
        Arrived(chunk(0, 360), 0, 1),
        Arrived(chunk(360, 360), 0, 2),
        Arrived(chunk(1000, 360), HOLE, 3),
    ]
    _, past = caught_up(arrived, Variant())
    assert [encoded.samples for encoded in past] == [720, 360]


def test_a_rate_is_never_below_the_one_asked_for() -> None:
    assert [factor_of(Variant("all", asked), 360.0) for asked in (None, 1000.0, 360.0, 200.0, 180.0, 125.0, 20.0)] == [
        *(1, 1, 1, 1, 2, 2, 8)
    ]
