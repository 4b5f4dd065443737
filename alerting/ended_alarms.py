"""Alarms that have ended, in the order of their ends: after a while each leaves the topic ``ecg.alerts``.

The topic keeps the last message of every alarm, so without this it would grow for ever. The queue lies in the progress
topic in records of some alarms each: an end rewrites one of them, whatever the length of the queue.
"""

from collections import deque
from collections.abc import Mapping

from pydantic import BaseModel, ConfigDict

from alerting.progress import ENDED_PREFIX

ALARMS_A_RECORD = 64
# About 150 bytes of memory each. What is beyond leaves the topic early: the alarm history has it, and Kafka itself
# keeps every message of the topic for seven days.
MAX_ENDED = 50_000
DUE_AT_ONCE = 100  # in a turn: a transaction must stay small


class _Record(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    ended: tuple[tuple[int, str], ...]  # when, ms UTC, and the alarm's id


class EndedAlarms:
    """The ended alarms of one partition.

    Parameters
    ----------
    retention_ms : for how long each stays on the topic
    """

    def __init__(self, retention_ms: int) -> None:
        self._retention_ms = retention_ms
        self._records: dict[int, deque[tuple[int, str]]] = {}  # by number, ascending
        self._filled = 0  # how many the last record has had
        self._count = 0
        self._changed: set[int] = set()

    def __len__(self) -> int:
        return self._count

    def load(self, records: Mapping[bytes, bytes]) -> None:
        """Take up what ``changes`` gave, by key.

        Raises
        ------
        pydantic.ValidationError : when a record is none
        """
        for key in sorted(records):
            ended = deque(_Record.model_validate_json(records[key]).ended)
            self._records[int(key.removeprefix(ENDED_PREFIX))] = ended
            self._count += len(ended)
        self._filled = ALARMS_A_RECORD  # how full the last one was is not known: begin another

    def add(self, alarm: str, now_ms: int) -> None:
        """Note that an alarm has ended."""
        if not self._records or self._filled >= ALARMS_A_RECORD:
            self._records[max(self._records, default=-1) + 1] = deque()
            self._filled = 0
        last = next(reversed(self._records))
        self._records[last].append((now_ms, alarm))
        self._filled += 1
        self._count += 1
        self._changed.add(last)

    def due(self, now_ms: int) -> list[str]:
        """Take the alarms out that are to leave the topic now, some at a time."""
        found: list[str] = []
        while self._records and len(found) < DUE_AT_ONCE:
            first = next(iter(self._records))
            ended = self._records[first]
            if ended:
                if now_ms - ended[0][0] < self._retention_ms and self._count <= MAX_ENDED:
                    break
                found.append(ended.popleft()[1])
                self._count -= 1
                self._changed.add(first)
            if not ended:
                del self._records[first]
        return found

    def changes(self) -> list[tuple[bytes, bytes | None]]:
        """The progress records that changed since the last call, by key; None for one that is gone."""
        changed, self._changed = sorted(self._changed), set()
        return [(ENDED_PREFIX + b"%012d" % number, self._dumped(number)) for number in changed]

    def _dumped(self, number: int) -> bytes | None:
        ended = self._records.get(number)
        return _Record(ended=tuple(ended)).model_dump_json().encode() if ended else None
