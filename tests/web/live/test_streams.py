"""Several devices under one patient id, and senders whose clocks and indices are not to be believed."""

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from bus.samples import INT64_MAX, Chunk
from tests.alerting.alerts import alert
from tests.web.live.chunks import FS_HZ, START_NS, chunk
from web.live.frames import ANEW
from web.live.patient import Arrived, LivePatient
from web.live.registry import DORMANT_MS, PatientRegistry, TooManyPatientsError
from web.live.share import DEFAULT_BYTES
from web.live.streams import MOST_STREAMS, SILENT_MS

NOW_MS = 1_700_000_100_000
HOUR_NS = 3600 * 10**9
LENGTH = 90  # samples of a message: a quarter of a second
QUARTER_MS = 250


def send(live: LivePatient, numbers: range, *, at_ms: int = NOW_MS, **changes: object) -> list[Arrived]:
    """Return what is shown of consecutive messages, one every quarter of a second."""
    arrived = (
        live.take_chunk(chunk(number * LENGTH, LENGTH, **changes), at_ms + number * QUARTER_MS)  # type: ignore[arg-type]
        for number in numbers
    )
    return [one for one in arrived if one is not None]


def test_the_traces_of_two_devices_are_never_one() -> None:
    live = LivePatient.empty("p1")
    for number in range(100):
        assert send(live, range(number, number + 1))
        assert not send(live, range(number, number + 1), device="patch", base_ns=START_NS + 5)
        # The same device, with two clocks.
        assert not send(live, range(number, number + 1), base_ns=START_NS + HOUR_NS)
    assert live.recent is not None
    assert {one.chunk.device for one in live.recent} == {"holter"}
    assert live.devices == ("holter", "patch", "holter")
    assert live.summary(silent=False).devices == live.devices
    # The shown one falls silent: the next one that goes on takes its place, whole messages and anew.
    later = send(live, range(100, 140), device="patch", base_ns=START_NS + 5)
    assert later[0].flags & ANEW
    assert later[0].chunk.start_index * 4 / FS_HZ * QUARTER_MS - 99 * QUARTER_MS > SILENT_MS
    assert live.summary(silent=False).device == "patch"


def test_the_device_that_an_alarm_rests_on_is_shown() -> None:
    ward = PatientRegistry()

    def both(numbers: range) -> None:
        for number in numbers:
            for device in ("holter", "patch"):
                ward.take_chunk(
                    chunk(number * LENGTH, LENGTH, device=device, base_ns=START_NS + len(device)),
                    NOW_MS + number * QUARTER_MS,
                )

    both(range(10))
    (changed,) = ward.changed_at(NOW_MS)
    assert (changed.device, changed.devices) == ("holter", ("holter", "patch"))
    ward.take_alert(alert(device="patch", priority="high"), sent_ms=NOW_MS)
    both(range(10, 12))
    (changed,) = ward.changed_at(NOW_MS)
    assert (changed.device, changed.devices) == ("patch", ("patch", "holter"))
    ward.take_alert(alert(device="patch", priority="high", sequence=1, phase="end"), sent_ms=NOW_MS)
    both(range(12, 14))
    (changed,) = ward.changed_at(NOW_MS)
    assert changed.device == "patch", "nothing changes without need"
    # One goes: it is told, without a message.
    for number in range(14, 80):
        ward.take_chunk(
            chunk(number * LENGTH, LENGTH, device="patch", base_ns=START_NS + 5), NOW_MS + number * QUARTER_MS
        )
    assert ward.changed_at(NOW_MS + 80 * QUARTER_MS)[0].devices == ()


hostile = st.builds(
    lambda index, start_ns, device, count: replace(
        chunk(0, count), start_index=index, start_ns=start_ns, device=device
    ),
    index=st.one_of(st.integers(0, INT64_MAX - 4000), st.sampled_from([0, 10**12, 3600 * 360])),
    start_ns=st.one_of(
        st.integers(0, INT64_MAX - 10**12),
        st.sampled_from([0, START_NS + 48 * HOUR_NS, START_NS - HOUR_NS, 4_607_452_800 * 10**9]),
    ),
    device=st.sampled_from(["holter", "patch", "x"]),
    count=st.integers(1, 3600),
)


@given(st.lists(st.tuples(st.integers(0, 39), hostile), max_size=30))
def test_no_message_breaks_a_trace_for_longer_than_a_moment(rogue: list[tuple[int, Chunk]]) -> None:
    live = LivePatient.empty("p1")
    send(live, range(2))
    for number in range(2, 40):
        for at, message in rogue:
            if at == number:
                live.take_chunk(message, NOW_MS + number * QUARTER_MS)
        send(live, range(number, number + 1))
    # Whatever came: good samples that go on are shown within some seconds.
    shown = send(live, range(40, 80))
    assert shown
    assert shown[-1].chunk.end_index == 80 * LENGTH
    assert shown[-1].chunk.start_ns == chunk(79 * LENGTH, LENGTH).start_ns
    assert len(live.streams.others) < MOST_STREAMS
    assert live.recent_bytes < 10**6


def test_a_lone_message_far_ahead_moves_nothing() -> None:
    for index, start_ns in (
        (10**12, START_NS + round(10**12 * 1e9 / FS_HZ)),
        (10**12, START_NS),
        (3600 * 360, START_NS + HOUR_NS),
        (900, 0),
    ):
        live = LivePatient.empty("p1")
        send(live, range(10))
        assert live.take_chunk(replace(chunk(0, LENGTH), start_index=index, start_ns=start_ns), NOW_MS) is None or (
            index == 900
        )
        assert [one.chunk.start_index for one in send(live, range(11, 20))] == [n * LENGTH for n in range(11, 20)]


def test_what_is_kept_of_a_patient_shrinks_with_their_number_and_ends_with_their_samples() -> None:
    few, many = PatientRegistry(), PatientRegistry(keep_bytes=DEFAULT_BYTES // 64)
    for ward in (few, many):
        for patient in range(100):
            for number in range(60):
                ward.take_chunk(chunk(number * LENGTH, LENGTH, patient=f"p{patient}"), NOW_MS)
    held = sum(each.recent_bytes for each in few.patients.values())
    assert held > 100 * 12 * FS_HZ * 2 * 2
    assert sum(each.recent_bytes for each in many.patients.values()) <= DEFAULT_BYTES // 64
    many.changed_at(NOW_MS + DORMANT_MS + 1)
    assert {each.recent for each in many.patients.values()} == {None}


def test_a_full_ward_takes_alarms_and_who_comes_when_others_are_dormant() -> None:
    ward = PatientRegistry(most=3)
    for patient in ("p1", "p2", "p3"):
        ward.take_chunk(chunk(0, LENGTH, patient=patient), NOW_MS)
    for number in range(1000):
        try:
            ward.take_chunk(chunk(0, LENGTH, patient=f"x{number}"), NOW_MS + number)
        except TooManyPatientsError:
            continue
        raise AssertionError("three were followed, all of them heard a moment ago")
    ward.take_alert(alert(id="p9/1/1/x", patient="p9"), sent_ms=NOW_MS + 1)
    assert set(ward.patients) == {"p1", "p2", "p3", "p9"}
    later_ms = NOW_MS + DORMANT_MS + 2
    for patient in ("p4", "p5", "p6"):
        ward.take_chunk(chunk(0, LENGTH, patient=patient), later_ms)
    assert set(ward.patients) == {"p9", "p4", "p5", "p6"}, "who has an open alarm stays"
