"""Offsets of messages that were copied to another topic, and progress that names them."""

from bisect import bisect_left
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

NEVER = -1  # the offset of what has not come
_BEHIND_ALL = 1 << 62


class Offsets:
    """Translation of a partition's old offsets into those at which its messages lie now.

    Parameters
    ----------
    restored : the old offsets of the messages that were restored, ascending; the n-th has offset n now
    """

    def __init__(self, restored: Sequence[int] = ()) -> None:
        self._restored = restored

    def next(self, offset: int) -> int:
        """Return where the first message at or behind an old offset lies now."""
        return bisect_left(self._restored, offset)

    def last(self, offset: int) -> int:
        """Return where the last message at or before an old offset lies now.

        Where there is none, a number below -1, the less the earlier: which came first is still known, also after
        another translation. -1, by which nothing is meant, stays.
        """
        if offset == NEVER:
            return NEVER
        if (place := self.next(offset + 1) - 1) >= 0:
            return place
        first = self._restored[0] if self._restored else _BEHIND_ALL
        return offset - first - (offset >= 0)  # one less where there was no step over -1 yet

    def there(self, offset: int) -> bool:
        """Return whether the message of an old offset was restored."""
        place = self.next(offset)
        return place < len(self._restored) and self._restored[place] == offset


@dataclass(frozen=True, slots=True, kw_only=True)
class ProgressBackup:
    """The way a service's progress is saved and translated.

    Attributes
    ----------
    service : its name, as its consumer group has it
    progress_topic : as ``bus.topics`` names it
    partition_key : the key of the record about the partition itself
    needed : from that record, by topic, the first message that the service still has to read, be it again
    translated : a record by its key, with the offsets of each topic of ``needed``, for where the messages lie now
    """

    service: str
    progress_topic: str
    partition_key: bytes
    needed: Callable[[bytes | None], Mapping[str, int]]
    translated: Callable[[bytes, bytes, Mapping[str, Offsets]], bytes]
