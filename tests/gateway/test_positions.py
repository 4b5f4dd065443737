from collections import Counter

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from bus.samples import Chunk
from gateway.positions import MOST_HOLES, Positions, part_of
from tests.gateway.chunks import chunk

SENT = st.lists(st.tuples(st.integers(0, 120), st.integers(1, 40)), min_size=1, max_size=40)


def stretches(parts: "list[Chunk] | tuple[Chunk, ...]") -> list[tuple[int, int]]:
    return [(part.start_index, part.end_index) for part in parts]


@given(sent=SENT)
def test_whatever_comes_in_whatever_order_each_sample_is_stored_once(sent: list[tuple[int, int]]) -> None:
    positions, times = Positions(), Counter[int]()
    for number, (start, count) in enumerate(sent):
        came = chunk(start, count)
        if number and not positions.is_certain_of(came):
            positions.reach_back_to(came)
        for part in positions.not_stored(came):
            assert np.array_equal(part.samples[:, 0], np.arange(part.start_index, part.end_index))
            assert part.base_ns == came.base_ns
            times.update(range(part.start_index, part.end_index))
            positions.add(part)
        assert not list(positions.not_stored(came))
    assert set(times) == {index for start, count in sent for index in range(start, start + count)}
    assert set(times.values()) == {1}


@given(sent=SENT, cut=st.integers(0, 40))
def test_who_reads_the_topic_knows_what_who_wrote_it_knew(sent: list[tuple[int, int]], cut: int) -> None:
    positions, topic = Positions(), list[Chunk]()
    for start, count in sent:
        came = chunk(start, count)
        positions.reach_back_to(came)
        for part in positions.not_stored(came):
            positions.add(part)
            topic.append(part)
    read = Positions(topic)
    came = chunk(cut, 50)
    for each in (read, positions):
        each.reach_back_to(came)
    assert stretches(list(read.not_stored(came))) == stretches(list(positions.not_stored(came)))
    assert read.next_index == positions.next_index


def test_a_hole_is_told_and_filled() -> None:
    positions = Positions([chunk(0, 50)])
    assert positions.lost_before(chunk(80, 20)) == 30
    positions.add(chunk(80, 20))
    assert stretches(list(positions.not_stored(chunk(40, 60)))) == [(50, 80)]


def test_what_lies_before_all_that_was_read_is_not_certain_until_it_is_looked_for() -> None:
    positions = Positions([chunk(100, 50)])
    assert not positions.is_certain_of(chunk(50, 50))
    positions.reach_back_to(chunk(50, 50))
    assert positions.is_certain_of(chunk(50, 50))
    assert stretches(list(positions.not_stored(chunk(50, 60)))) == [(50, 100)]


def test_a_device_that_begins_anew_has_another_stream_and_the_old_one_is_not_mistaken_for_it() -> None:
    positions = Positions([chunk(0, 500)])
    anew = chunk(0, 50, origin_ns=10**18 + 10**10)
    assert stretches(list(positions.not_stored(anew))) == [(0, 50)]
    positions.add(anew)
    assert positions.next_index == 50
    assert not list(positions.not_stored(chunk(450, 50)))


def test_a_clock_that_jumps_goes_on_with_its_stream_and_what_was_before_the_jump_is_still_known() -> None:
    positions = Positions([chunk(0, 50)])
    jumped = chunk(50, 50, origin_ns=10**18 + 10**9)
    assert not positions.is_certain_of(jumped)
    positions.add(jumped)
    assert positions.next_index == 100
    assert positions.is_certain_of(jumped)
    assert not list(positions.not_stored(chunk(0, 50)))


def test_a_device_of_nothing_but_holes_takes_bounded_memory() -> None:
    positions = Positions(chunk(10 * number, 1) for number in range(10 * MOST_HOLES))
    newest = positions.newest
    assert newest is not None
    assert len(newest.holes) == MOST_HOLES
    assert newest.next_index == 100 * MOST_HOLES - 9


def test_a_part_has_the_time_of_its_first_sample() -> None:
    part = part_of(chunk(100, 50), 110, 120)
    assert (part.start_ns, part.samples[:, 0].tolist()) == (10**18 + 110 * 4_000_000, list(range(110, 120)))
