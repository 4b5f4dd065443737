import json

import pytest

from detector.progress import BadProgressError, dump, load
from detector.stream import PatientStream
from detector.ward import PARTITION_KEY, Ward
from tests.detector.streams import chunk, cut, signal


def test_silent_patient_is_parked_and_comes_back_clean() -> None:
    samples = signal(60, 100.0, 2)
    chunks = cut(samples, [25], fs_hz=100.0)
    steady, parked = Ward(), Ward()
    expected, found = [], []
    for offset, part in enumerate(chunks):
        expected += [(d.window, d.segment.tobytes()) for d in steady.accept(part, offset, now_s=offset)[1]]
        found += [(d.window, d.segment.tobytes()) for d in parked.accept(part, offset, now_s=offset)[1]]
        if offset % 37 == 0:
            assert [patient for patient, _ in parked.park_silent(now_s=offset + 60, silent_s=60)] == ["p"]
            assert parked.live == 0
    assert found == expected


def test_who_talks_is_not_parked() -> None:
    ward = Ward()
    ward.accept(chunk(signal(1, 100.0, 1), 0, 50, fs_hz=100.0), 0, now_s=0)
    assert list(ward.park_silent(now_s=59.9, silent_s=60)) == []
    assert ward.live == 1


def test_parked_patient_does_not_hold_the_partition_back() -> None:
    ward = Ward()
    for offset in range(4):
        ward.accept(chunk(signal(1, 100.0, 1), offset * 25, offset * 25 + 25, fs_hz=100.0), offset, now_s=0)
    ward.next_offset = 4
    assert json.loads(ward.partition_record())["resume_offset"] == 0
    list(ward.park_silent(now_s=100, silent_s=60))
    assert json.loads(ward.partition_record())["resume_offset"] == 4


def test_parked_record_is_small() -> None:
    # A transaction must hold many of them, and a message at most 1 MB.
    stream = PatientStream.begin(chunk(signal(20, 1000.0, 2), 0, 1000, fs_hz=1000.0))
    for offset, part in enumerate(cut(signal(20, 1000.0, 2), [1000], fs_hz=1000.0)):
        stream.accept(part, offset)
    stream.park()
    assert len(dump(stream)) < 120_000


@pytest.mark.parametrize("record", [b"", b"no json", b"[]", b"{}", b'{"version": 99}'])
def test_unreadable_progress_says_so(record: bytes) -> None:
    with pytest.raises(BadProgressError, match="progress"):
        load("p", record)


def test_partition_key_is_no_patient() -> None:
    ward, resume = Ward.restored({PARTITION_KEY: b'{"resume_offset": 7, "next_offset": 9}'})
    assert resume == 7
    assert ward.live == 0
    assert ward.reported_before == 9
