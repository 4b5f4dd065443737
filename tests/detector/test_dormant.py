"""Patients who are away: what they cost, and that nobody can tell that they were."""

import tracemalloc
from collections.abc import Callable

import pytest

from detector.partition_state import PARTITION_KEY, RETURN_S, PartitionState
from tests.detector.progress_log import ProgressLog
from tests.detector.streams import chunk, facts, signal

PATIENTS = 2_000
MOST_BYTES = 1_000


def parked() -> tuple[PartitionState, dict[bytes, bytes]]:
    """A state of which everybody has fallen silent, and the records that are to be written."""
    state, samples = PartitionState(), signal(2, 100.0, 2)
    records: dict[bytes, bytes] = {}
    for number in range(PATIENTS):
        part = chunk(samples, 0, 150, fs_hz=100.0, patient=f"patient-{number:05}")
        state.accept(part, number, now_s=0)
        state.next_offset = number + 1
        records |= {name.encode(): record for name, record in state.park_silent(now_s=60, now_ns=0, silent_s=60)}
    assert (state.live, len(records)) == (0, PATIENTS)
    assert min(len(record) for record in records.values()) > MOST_BYTES
    return state, records | {PARTITION_KEY: state.partition_record()}


def parked_and_committed() -> PartitionState:
    state, records = parked()
    ProgressLog().commit(state, records)
    return state


def restarted() -> PartitionState:
    _, records = parked()
    state, _ = ProgressLog(records).restored()
    return state


@pytest.mark.parametrize("ward_of", [parked_and_committed, restarted])
def test_who_is_away_costs_less_than_a_kilobyte(ward_of: Callable[[], PartitionState]) -> None:
    tracemalloc.start()
    try:
        before, _ = tracemalloc.get_traced_memory()
        state = ward_of()
        after, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    each = (after - before) / PATIENTS
    print(f"{each:.0f} bytes for each patient who is away")  # noqa: T201  # shown with -s
    assert each < MOST_BYTES
    assert state.awaited("patient-00007", PATIENTS) is not None


def test_a_record_is_kept_until_it_is_known_where_it_lies_and_that_alone_lets_go_of_it() -> None:
    state, log, samples = PartitionState(), ProgressLog(), signal(20, 100.0, 2)
    state.accept(chunk(samples, 0, 700, fs_hz=100.0), 0, now_s=0)
    ((_, while_followed),) = state.changed()
    ((_, first),) = state.park_silent(now_s=60, now_ns=1, silent_s=60)
    state.written("p", while_followed, 3)  # an earlier transaction
    state.written("p", first, -1)  # the broker did not tell
    assert state.awaited("p", 1) is None
    straight = state.accept(chunk(samples, 700, 1400, fs_hz=100.0), 1, now_s=61).due
    assert straight
    ((_, second),) = state.park_silent(now_s=121, now_ns=2, silent_s=60)
    state.written("p", first, 4)
    assert state.awaited("p", 2) is None
    log.commit(state, {b"p": second})
    assert state.awaited("p", 2) == 0
    assert state.awaited("p", 0) is None, "the record holds what is read again: nothing is fetched for it"
    with pytest.raises(RuntimeError, match="has to be fetched first"):
        state.accept(chunk(samples, 1400, 1700, fs_hz=100.0), 2, now_s=122)
    returned = log.accept(state, chunk(samples, 1400, 1700, fs_hz=100.0), 2, now_s=122).due
    steady = PartitionState()
    expected = [
        facts(due)
        for offset, (start, end) in enumerate([(0, 700), (700, 1400), (1400, 1700)])
        for due in steady.accept(chunk(samples, start, end, fs_hz=100.0), offset, now_s=0).due
        if offset
    ]
    assert [facts(due) for due in [*straight, *returned]] == expected


def test_after_a_crash_nobody_is_fetched_who_returns_at_once_and_no_record_is_kept_of_who_does_not() -> None:
    state, samples = PartitionState(), signal(20, 100.0, 2)
    for offset, name in enumerate(("back", "away")):
        state.accept(chunk(samples, 0, 700, fs_hz=100.0, patient=name), offset, now_s=0)
    log = ProgressLog({name.encode(): record for name, record in state.changed()})
    restarted, _ = log.restored()
    assert list(restarted.forget(now_ns=0, forget_s=3600)) == []
    log.accept(restarted, chunk(samples, 700, 1400, fs_hz=100.0, patient="back"), 2, now_s=1)
    assert log.fetched == 0
    assert list(restarted.forget(now_ns=round((RETURN_S - 1) * 1e9), forget_s=3600)) == []
    assert restarted.awaited("away", 3) is None
    assert list(restarted.forget(now_ns=round(RETURN_S * 1e9), forget_s=3600)) == []
    assert restarted.awaited("away", 3) is not None
    log.accept(restarted, chunk(samples, 700, 1400, fs_hz=100.0, patient="away"), 3, now_s=2)
    assert (restarted.live, log.fetched) == (2, 1)
