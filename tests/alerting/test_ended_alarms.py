"""Ended alarms leave the topic once, after their time, whatever crashes."""

from hypothesis import given
from hypothesis import strategies as st

from alerting.ended_alarms import ALARMS_A_RECORD, MAX_ENDED, EndedAlarms

RETENTION_MS = 1000


class Kept:
    """A queue, and the records that were committed of it."""

    def __init__(self) -> None:
        self.records: dict[bytes, bytes] = {}
        self.removed: list[str] = []
        self.restart()

    def restart(self) -> None:
        self.queue = EndedAlarms(RETENTION_MS)
        self.queue.load(self.records)
        self.pending: list[str] = []

    def commit(self) -> None:
        for key, value in self.queue.changes():
            if value is None:
                self.records.pop(key, None)
            else:
                self.records[key] = value
        self.removed += self.pending
        self.pending = []


@given(st.lists(st.sampled_from(["end", "end", "wait", "look", "commit", "crash"]), max_size=200))
def test_each_leaves_once_in_order(steps: list[str]) -> None:
    kept, now_ms, committed, added = Kept(), 0, 0, 0
    for step in steps:
        match step:
            case "end":
                for _ in range(30):
                    kept.queue.add(f"a{added}", now_ms)
                    added += 1
            case "wait":
                now_ms += 400
            case "look":
                kept.pending += kept.queue.due(now_ms)
            case "commit":
                kept.commit()
                committed = added
            case _:
                kept.restart()
                added = committed
    for _ in range(200):
        kept.pending += kept.queue.due(now_ms + RETENTION_MS)
    kept.commit()
    assert kept.removed == [f"a{number}" for number in range(added)]
    assert kept.records == {}
    assert len(kept.queue) == 0


def test_none_leaves_before_its_time_and_an_end_rewrites_one_record() -> None:
    queue = EndedAlarms(RETENTION_MS)
    for number in range(10 * ALARMS_A_RECORD):
        queue.add(f"a{number}", number)
    assert queue.due(RETENTION_MS - 1) == []
    assert queue.due(RETENTION_MS) == ["a0"]
    queue.changes()
    queue.add("b", 5000)
    ((_, value),) = queue.changes()
    assert value is not None
    assert len(value) < ALARMS_A_RECORD * 20


def test_of_too_many_the_oldest_leave_early() -> None:
    queue = EndedAlarms(RETENTION_MS)
    for number in range(MAX_ENDED + 2):
        queue.add(f"a{number}", 0)
    assert queue.due(0) == ["a0", "a1"]
