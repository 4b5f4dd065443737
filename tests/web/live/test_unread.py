"""Messages of patients whom nobody watches: what is shown in the end is what reading each at once would have shown."""

import asyncio

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bus.partitioning import partition_of
from bus.samples import Chunk, encode, sender_of
from tests.web.live.chunks import chunk
from tests.web.live.test_taking import NOW_MS, PARTITIONS, Taking
from tests.web.live.test_watching import received
from web.live.traces import Variant
from web.live.unread import Unread
from web.live.watching import LiveClient, Watch

QUARTER = 90
ALL = Watch(None, Variant())
OF_P1 = Watch(frozenset({"p1"}), Variant())


def sent(taking: Taking, one: Chunk, *, after_ms: int = 0, value: bytes | None = None) -> None:
    """Hand the hub a message that was sent so long after the first."""
    message = taking.received("ecg.samples", one.patient.encode(), encode(one) if value is None else value)
    there = partition_of(one.patient.encode(), PARTITIONS)
    taking.hub._take_samples(message._replace(partition=there, timestamp_ms=NOW_MS + after_ms))


def stretch(taking: Taking, patient: str = "p1") -> list[tuple[int, int]]:
    """Where the samples of the last seconds begin and end."""
    taking.hub.ward.read(patient)
    return [(each.chunk.start_index, each.chunk.end_index) for each in taking.hub.ward.patients[patient].recent or ()]


def test_of_patients_whom_nobody_watches_only_the_first_message_is_read() -> None:
    taking = Taking()
    for number in range(40):
        sent(taking, chunk(number * QUARTER, QUARTER), after_ms=250 * number)
    live = taking.hub.ward.patients["p1"]
    assert live.latest is not None
    assert live.latest.chunk.end_index == QUARTER
    assert live.unread is not None
    assert len(live.unread.messages) == 39
    summary = taking.hub.ward.summary("p1")
    last = chunk(39 * QUARTER, QUARTER)
    assert (summary.last_sample_ns, summary.last_wall_ms) == (last.end_ns, NOW_MS + 250 * 39)
    assert stretch(taking) == [(number * QUARTER, (number + 1) * QUARTER) for number in range(40)]


@pytest.mark.parametrize("watch", [OF_P1, ALL])
async def test_who_begins_to_watch_sees_the_last_seconds_at_once_and_what_follows(watch: Watch) -> None:
    taking = Taking()
    for number in range(8):
        sent(taking, chunk(number * QUARTER, QUARTER), after_ms=250 * number)
    client = LiveClient(taking.metrics)
    await taking.hub.watch(client, watch)
    assert await received(client) == [("p1", 0, 8 * QUARTER)]
    sent(taking, chunk(8 * QUARTER, QUARTER), after_ms=2000)
    taking.hub._after_samples()
    assert await received(client) == [("p1", 8 * QUARTER, QUARTER)]
    taking.hub.watchers.leave(client)
    assert not taking.hub.watchers.watches("p1")


async def test_what_comes_while_many_patients_are_read_is_left_out_of_nothing() -> None:
    taking = Taking()
    patients = [f"p{number:02}" for number in range(50)]
    for number in range(4):
        for patient in patients:
            sent(taking, chunk(number * QUARTER, QUARTER, patient=patient), after_ms=250 * number)
    client = LiveClient(taking.metrics)
    watching = asyncio.create_task(taking.hub.watch(client, ALL))
    await asyncio.sleep(0)
    assert not watching.done()
    for patient in patients:
        sent(taking, chunk(4 * QUARTER, QUARTER, patient=patient), after_ms=1000)
    await watching
    assert await received(client) == [(patient, 0, 5 * QUARTER) for patient in patients]


def test_another_device_is_seen_though_nobody_watches() -> None:
    taking = Taking()
    for number in range(12):
        sent(taking, chunk(number * QUARTER, QUARTER), after_ms=250 * number)
        sent(taking, chunk(number * QUARTER, QUARTER, device="patch", base_ns=10**18), after_ms=250 * number)
    taking.hub.ward.changed_at(NOW_MS + 250 * 12)
    assert taking.hub.ward.patients["p1"].devices == ("holter", "patch")


def test_what_turns_out_to_be_no_message_is_counted_and_the_rest_is_shown() -> None:
    taking = Taking()
    for number in range(6):
        one = chunk(number * QUARTER, QUARTER)
        sent(taking, one, after_ms=250 * number, value=encode(one)[:-1] if number == 5 else None)
    assert taking.hub.ward.summary("p1").last_sample_ns == chunk(0, QUARTER).end_ns
    assert stretch(taking)[-1] == (4 * QUARTER, 5 * QUARTER)
    assert taking.hub.ward.damaged == 1


def test_a_patient_who_falls_silent_unwatched_is_silent() -> None:
    taking = Taking()
    for number in range(3):
        sent(taking, chunk(number * QUARTER, QUARTER), after_ms=250 * number)
    taking.hub.ward.changed_at(NOW_MS + 1000)
    assert taking.hub.ward.summary("p1").state != "silent"
    taking.hub.ward.changed_at(NOW_MS + 11_000)
    assert taking.hub.ward.summary("p1").state == "silent"
    taking.hub.ward.changed_at(NOW_MS + 61_000)
    live = taking.hub.ward.patients["p1"]
    assert (live.unread, live.recent) == (None, None)
    assert live.latest is not None
    assert live.latest.chunk.end_index == 3 * QUARTER


def test_memory_of_unread_messages_is_bounded() -> None:
    unread = Unread(b"", 0)
    for number in range(1000):
        unread.add(bytes(300), number, most_bytes=20_000)
    assert unread.held_bytes <= 20_000
    assert (unread.lost, len(unread.messages)) == (True, 20)
    assert sender_of(b"") is None
    assert sender_of(b"nonsense that is no message") is None


@settings(max_examples=150, deadline=None)
@given(
    steps=st.lists(
        st.one_of(
            st.tuples(st.just("samples"), st.integers(-2, 30), st.sampled_from((20, 90, 360))),
            st.tuples(st.just("look"), st.just(0), st.just(0)),
            st.tuples(st.just("jump"), st.sampled_from((-(10**9), 10**10)), st.just(0)),
        ),
        max_size=40,
    )
)
def test_looking_at_any_time_shows_what_reading_at_once_would_have_shown(steps: list[tuple[str, int, int]]) -> None:
    read, kept = Taking(), Taking()
    index, base_ns, sent_ms = 0, 1_700_000_000_000_000_000, 0
    for what, by, count in steps:
        if what == "jump":
            base_ns += by
        elif what == "look":
            kept.hub.ward.read("p1")
        else:
            start = max(0, index + (by * QUARTER if by < 0 or by > 28 else 0))
            one = chunk(start, count, base_ns=base_ns)
            sent_ms += 100  # all within the seconds that are kept
            index = max(index, one.end_index)
            for taking in (read, kept):
                sent(taking, one, after_ms=sent_ms)
            read.hub.ward.read("p1")
    if not read.hub.ward.patients:
        return
    kept.hub.ward.read("p1")
    now, later = read.hub.ward.patients["p1"], kept.hub.ward.patients["p1"]
    assert (now.sent_ms, now.streams, now.devices) == (later.sent_ms, later.streams, later.devices)
    assert stretch(read) == stretch(kept)
    assert read.hub.ward.summary("p1") == kept.hub.ward.summary("p1")


def test_of_a_patient_long_unwatched_the_last_seconds_are_shown_and_what_follows_goes_on() -> None:
    taking = Taking()
    for number in range(200):
        sent(taking, chunk(number * QUARTER, QUARTER), after_ms=250 * number)
    shown = stretch(taking)
    assert shown[0][0] == (199 - 48) * QUARTER
    assert shown[-1][1] == 200 * QUARTER
    sent(taking, chunk(200 * QUARTER, QUARTER), after_ms=250 * 200)
    assert taking.hub.ward.patients["p1"].latest.flags == 0  # type: ignore[union-attr] # samples were read above
    assert stretch(taking)[-1][1] == 201 * QUARTER
