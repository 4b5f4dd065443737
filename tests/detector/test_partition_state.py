import json
from dataclasses import replace

import pytest

from bus.offsets import Offsets
from detector.partition_state import PARK_AT_ONCE, PARTITION_KEY, PartitionState
from detector.patient_streams import PatientStreams
from detector.progress import BadProgressError, dump, load, moved, translated
from detector.stream import PatientStream
from tests.detector.progress_log import ProgressLog
from tests.detector.streams import chunk, cut, signal, windows


def test_silent_patient_is_parked_and_comes_back_clean() -> None:
    samples = signal(60, 100.0, 2)
    chunks = cut(samples, [25], fs_hz=100.0)
    steady, parked, log = PartitionState(), PartitionState(), ProgressLog()
    expected, found = [], []
    for offset, part in enumerate(chunks):
        expected += [(d.window, d.segment.tobytes()) for d in windows(steady.accept(part, offset, now_s=offset).due)]
        found += [(d.window, d.segment.tobytes()) for d in windows(log.accept(parked, part, offset, now_s=offset).due)]
        if offset % 37 == 0:
            ((name, record),) = parked.park_silent(now_s=offset + 60, now_ns=0, silent_s=60)
            assert (name, parked.live) == ("p", 0)
            if offset % 2:  # else it returns before its record is committed
                log.commit(parked, {b"p": record})
    assert found == expected
    assert log.fetched == 3


def test_a_parked_patient_goes_on_in_another_partition_as_if_nothing_were() -> None:
    samples = signal(60, 100.0, 2)
    chunks = cut(samples, [25], fs_hz=100.0)
    steady, first = PartitionState(), PartitionState()
    expected = [
        (d.window, d.segment.tobytes())
        for offset, part in enumerate(chunks)
        for d in windows(steady.accept(part, offset, now_s=offset).due)
    ]
    found = [
        (d.window, d.segment.tobytes())
        for offset, part in enumerate(chunks[:101])
        for d in windows(first.accept(part, 1000 + offset, now_s=offset).due)
    ]
    ((name, record),) = first.park_silent(now_s=1000, now_ns=0, silent_s=60)
    log = ProgressLog({name.encode(): moved(record)})
    second, _ = log.restored()
    found += [
        (d.window, d.segment.tobytes())
        for offset, part in enumerate(chunks[101:])  # the other partition's offsets begin anew
        for d in windows(log.accept(second, part, offset, now_s=offset).due)
    ]
    assert found == expected


@pytest.mark.parametrize("strays", [0, 1, 3])
def test_a_followed_patient_goes_on_where_its_messages_came_to_lie(strays: int) -> None:
    messages = cut(signal(60, 100.0, 2), [25], fs_hz=100.0)
    for number in range(strays):  # a message of another clock: it waits beside the stream
        stray = messages[100 + number]
        messages.insert(128 + 2 * number, replace(stray, start_ns=stray.start_ns + 3_600_000_000_000))
    old = [1000 + 3 * number for number in range(len(messages))]
    steady, first = PartitionState(), PartitionState()
    expected = [
        (d.window, d.segment.tobytes())
        for offset, part in zip(old, messages, strict=True)
        for d in windows(steady.accept(part, offset, now_s=offset).due)
    ]
    found = [
        (d.window, d.segment.tobytes())
        for offset, part in zip(old[:133], messages, strict=False)
        for d in windows(first.accept(part, offset, now_s=offset).due)
    ]
    ((name, record),) = first.changed()
    restored = [offset for offset in old if offset >= json.loads(record)["resume_offset"]]
    assert len(restored) < len(old)
    log = ProgressLog({name.encode(): translated(record, Offsets(restored))})
    second, _ = log.restored()
    found += [
        (d.window, d.segment.tobytes())
        for offset, part in enumerate(messages[-len(restored) :])
        for d in windows(log.accept(second, part, offset, now_s=offset).due)
    ]
    assert found == expected


@pytest.mark.parametrize("away", ["expired", "moved"])
def test_what_was_deleted_before_it_was_read_shows_as_the_gap_it_is(away: str) -> None:
    chunks = cut(signal(120, 100.0, 2), [25], fs_hz=100.0)
    state = PartitionState()
    before = [
        d for offset, part in enumerate(chunks[:130]) for d in windows(state.accept(part, offset, now_s=offset).due)
    ]
    judged = before[-1].window  # after 32.5 s
    ((name, record),) = state.changed()  # followed, not parked: its last seconds would have to be read again
    log = ProgressLog({name.encode(): moved(record) if away == "moved" else record})
    restarted, _ = log.restored()
    found = [
        due
        for offset, part in enumerate(chunks[300:])  # from 75 s on
        for due in windows(log.accept(restarted, part, offset if away == "moved" else 300 + offset, now_s=offset).due)
    ]
    heard_s = sum(due.gap_before_s + due.missing_samples / 100.0 for due in found)
    # All but what was read, and the windows that were given out before, up to the last window's end.
    unread_s = (found[-1].window - judged) * 5.0 - sum(len(part.samples) for part in chunks[300:]) / 100.0
    assert found[0].gap_before_s > 0
    assert heard_s == pytest.approx(unread_s, abs=5.0)


def test_who_talks_is_not_parked() -> None:
    state = PartitionState()
    state.accept(chunk(signal(1, 100.0, 1), 0, 50, fs_hz=100.0), 0, now_s=0)
    assert list(state.park_silent(now_s=59.9, now_ns=0, silent_s=60)) == []
    assert state.live == 1


def test_parked_patient_does_not_hold_the_partition_back() -> None:
    state = PartitionState()
    for offset in range(4):
        state.accept(chunk(signal(1, 100.0, 1), offset * 25, offset * 25 + 25, fs_hz=100.0), offset, now_s=0)
    state.next_offset = 4
    assert json.loads(state.partition_record())["resume_offset"] == 0
    list(state.park_silent(now_s=100, now_ns=0, silent_s=60))
    assert json.loads(state.partition_record())["resume_offset"] == 4


def test_who_stays_away_is_forgotten_also_after_a_restart() -> None:
    state = PartitionState()
    state.accept(chunk(signal(1, 100.0, 1), 0, 50, fs_hz=100.0), 0, now_s=0)
    state.next_offset = 1
    records = {name.encode(): record for name, record in state.park_silent(now_s=60, now_ns=0, silent_s=60)}
    restarted, _ = ProgressLog(records | {PARTITION_KEY: state.partition_record()}).restored()
    assert list(restarted.forget(now_ns=3_599_000_000_000, forget_s=3600)) == []
    assert list(restarted.forget(now_ns=3_600_000_000_000, forget_s=3600)) == ["p"]
    assert list(restarted.forget(now_ns=9_600_000_000_000, forget_s=3600)) == []


def test_nobody_is_forgotten_of_whom_something_would_be_reread() -> None:
    state = PartitionState()
    samples = signal(1, 100.0, 1)
    state.accept(chunk(samples, 0, 50, fs_hz=100.0, patient="slow"), 0, now_s=0)
    state.accept(chunk(samples, 0, 50, fs_hz=100.0), 1, now_s=0)
    state.accept(chunk(samples, 50, 100, fs_hz=100.0, patient="slow"), 2, now_s=90)
    state.next_offset = 3
    assert [patient for patient, _ in state.park_silent(now_s=100, now_ns=0, silent_s=60)] == ["p"]
    assert list(state.forget(now_ns=10**18, forget_s=60)) == []
    list(state.park_silent(now_s=200, now_ns=0, silent_s=60))
    assert sorted(state.forget(now_ns=10**18, forget_s=60)) == ["p", "slow"]


def test_a_partition_that_falls_silent_is_parked_bit_by_bit() -> None:
    state = PartitionState()
    samples = signal(1, 100.0, 1)
    for number in range(PARK_AT_ONCE + 5):
        state.accept(chunk(samples, 0, 50, fs_hz=100.0, patient=f"p{number}"), number, now_s=0)
    assert len(list(state.park_silent(now_s=60, now_ns=0, silent_s=60))) == PARK_AT_ONCE
    assert len(list(state.park_silent(now_s=60, now_ns=0, silent_s=60))) == 5


def test_parked_record_is_small() -> None:
    # A transaction must hold many of them, and a message at most 1 MB.
    stream = PatientStream.begin(chunk(signal(20, 1000.0, 2), 0, 1000, fs_hz=1000.0))
    for offset, part in enumerate(cut(signal(20, 1000.0, 2), [1000], fs_hz=1000.0)):
        stream.accept(part, offset)
    patient = PatientStreams([stream])
    patient.park()
    assert len(dump(patient, {})) < 120_000


@pytest.mark.parametrize("record", [b"", b"no json", b"[]", b"{}", b'{"version": 99}'])
def test_unreadable_progress_says_so(record: bytes) -> None:
    with pytest.raises(BadProgressError, match="progress"):
        load("p", record)


def test_partition_key_is_no_patient() -> None:
    state, resume = ProgressLog({PARTITION_KEY: b'{"resume_offset": 7, "next_offset": 9}'}).restored()
    assert resume == 7
    assert state.live == 0
    assert state.reported_before == 9
