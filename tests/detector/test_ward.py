import json

import pytest

from detector.patient_streams import PatientStreams
from detector.progress import BadProgressError, dump, load, moved
from detector.stream import PatientStream
from detector.ward import PARK_AT_ONCE, PARTITION_KEY, Ward
from tests.detector.progress_log import ProgressLog
from tests.detector.streams import chunk, cut, signal, windows


def test_silent_patient_is_parked_and_comes_back_clean() -> None:
    samples = signal(60, 100.0, 2)
    chunks = cut(samples, [25], fs_hz=100.0)
    steady, parked, log = Ward(), Ward(), ProgressLog()
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
    steady, first = Ward(), Ward()
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


@pytest.mark.parametrize("away", ["expired", "moved"])
def test_what_was_deleted_before_it_was_read_shows_as_the_gap_it_is(away: str) -> None:
    chunks = cut(signal(120, 100.0, 2), [25], fs_hz=100.0)
    ward = Ward()
    before = [
        d for offset, part in enumerate(chunks[:130]) for d in windows(ward.accept(part, offset, now_s=offset).due)
    ]
    judged = before[-1].window  # after 32.5 s
    ((name, record),) = ward.changed()  # followed, not parked: its last seconds would have to be read again
    log = ProgressLog({name.encode(): moved(record) if away == "moved" else record})
    restarted, _ = log.restored()
    found = [
        due
        for offset, part in enumerate(chunks[300:])  # from 75 s on
        for due in windows(log.accept(restarted, part, offset if away == "moved" else 300 + offset, now_s=offset).due)
    ]
    told_s = sum(due.gap_before_s + due.missing_samples / 100.0 for due in found)
    # All but what was read, and the windows that were given out before, up to the last window's end.
    unread_s = (found[-1].window - judged) * 5.0 - sum(len(part.samples) for part in chunks[300:]) / 100.0
    assert found[0].gap_before_s > 0
    assert told_s == pytest.approx(unread_s, abs=5.0)


def test_who_talks_is_not_parked() -> None:
    ward = Ward()
    ward.accept(chunk(signal(1, 100.0, 1), 0, 50, fs_hz=100.0), 0, now_s=0)
    assert list(ward.park_silent(now_s=59.9, now_ns=0, silent_s=60)) == []
    assert ward.live == 1


def test_parked_patient_does_not_hold_the_partition_back() -> None:
    ward = Ward()
    for offset in range(4):
        ward.accept(chunk(signal(1, 100.0, 1), offset * 25, offset * 25 + 25, fs_hz=100.0), offset, now_s=0)
    ward.next_offset = 4
    assert json.loads(ward.partition_record())["resume_offset"] == 0
    list(ward.park_silent(now_s=100, now_ns=0, silent_s=60))
    assert json.loads(ward.partition_record())["resume_offset"] == 4


def test_who_stays_away_is_forgotten_also_after_a_restart() -> None:
    ward = Ward()
    ward.accept(chunk(signal(1, 100.0, 1), 0, 50, fs_hz=100.0), 0, now_s=0)
    ward.next_offset = 1
    records = {name.encode(): record for name, record in ward.park_silent(now_s=60, now_ns=0, silent_s=60)}
    restarted, _ = ProgressLog(records | {PARTITION_KEY: ward.partition_record()}).restored()
    assert list(restarted.forget(now_ns=3_599_000_000_000, forget_s=3600)) == []
    assert list(restarted.forget(now_ns=3_600_000_000_000, forget_s=3600)) == ["p"]
    assert list(restarted.forget(now_ns=9_600_000_000_000, forget_s=3600)) == []


def test_nobody_is_forgotten_of_whom_something_would_be_reread() -> None:
    ward = Ward()
    samples = signal(1, 100.0, 1)
    ward.accept(chunk(samples, 0, 50, fs_hz=100.0, patient="slow"), 0, now_s=0)
    ward.accept(chunk(samples, 0, 50, fs_hz=100.0), 1, now_s=0)
    ward.accept(chunk(samples, 50, 100, fs_hz=100.0, patient="slow"), 2, now_s=90)
    ward.next_offset = 3
    assert [patient for patient, _ in ward.park_silent(now_s=100, now_ns=0, silent_s=60)] == ["p"]
    assert list(ward.forget(now_ns=10**18, forget_s=60)) == []
    list(ward.park_silent(now_s=200, now_ns=0, silent_s=60))
    assert sorted(ward.forget(now_ns=10**18, forget_s=60)) == ["p", "slow"]


def test_a_ward_that_falls_silent_is_parked_bit_by_bit() -> None:
    ward = Ward()
    samples = signal(1, 100.0, 1)
    for number in range(PARK_AT_ONCE + 5):
        ward.accept(chunk(samples, 0, 50, fs_hz=100.0, patient=f"p{number}"), number, now_s=0)
    assert len(list(ward.park_silent(now_s=60, now_ns=0, silent_s=60))) == PARK_AT_ONCE
    assert len(list(ward.park_silent(now_s=60, now_ns=0, silent_s=60))) == 5


def test_parked_record_is_small() -> None:
    # A transaction must hold many of them, and a message at most 1 MB.
    stream = PatientStream.begin(chunk(signal(20, 1000.0, 2), 0, 1000, fs_hz=1000.0))
    for offset, part in enumerate(cut(signal(20, 1000.0, 2), [1000], fs_hz=1000.0)):
        stream.accept(part, offset)
    patient = PatientStreams([stream])
    patient.park()
    assert len(dump(patient)) < 120_000


@pytest.mark.parametrize("record", [b"", b"no json", b"[]", b"{}", b'{"version": 99}'])
def test_unreadable_progress_says_so(record: bytes) -> None:
    with pytest.raises(BadProgressError, match="progress"):
        load("p", record)


def test_partition_key_is_no_patient() -> None:
    ward, resume = ProgressLog({PARTITION_KEY: b'{"resume_offset": 7, "next_offset": 9}'}).restored()
    assert resume == 7
    assert ward.live == 0
    assert ward.reported_before == 9
