"""The progress topic of one partition for a ward that is driven without a runner."""

from collections.abc import Mapping

from bus.progress_store import ProgressRecord
from bus.samples import Chunk
from detector.patient_streams import Accepted
from detector.ward import PARTITION_KEY, Ward


class ProgressLog:
    """Takes records, and does for a ward what runner and transform do: nothing is in the ward that it should not keep.

    Parameters
    ----------
    records : what lies on the topic at first
    """

    def __init__(self, records: Mapping[bytes, bytes] | None = None) -> None:
        self._values: list[bytes] = []
        self._last: dict[bytes, ProgressRecord] = {}
        self.fetched = 0
        for key, value in (records or {}).items():
            self._write(key, value)

    def commit(self, ward: Ward, records: Mapping[bytes, bytes]) -> None:
        """Write records of a ward (b"" deletes) and tell it where they lie."""
        for key, value in records.items():
            offset = self._write(key, value)
            if value and key != PARTITION_KEY:
                ward.written(key.decode(), value, offset)

    def restored(self) -> tuple[Ward, int | None]:
        """A ward after a restart, and the offset to resume the input at."""
        return Ward.restored(self._last)

    def accept(self, ward: Ward, chunk: Chunk, offset: int, *, now_s: float, at_ms: int = 0) -> Accepted:
        """Let the ward accept a chunk, with the record that it waits for."""
        lies_at = ward.awaited(chunk.patient, offset)
        if lies_at is not None:
            ward.fetched(chunk.patient, self._values[lies_at])
            self.fetched += 1
        return ward.accept(chunk, offset, now_s=now_s, at_ms=at_ms)

    def _write(self, key: bytes, value: bytes) -> int:
        offset = len(self._values)
        self._values.append(value)
        if value:
            self._last[key] = ProgressRecord(offset=offset, value=value)
        else:
            self._last.pop(key, None)
        return offset
