"""The progress topic of one partition for a partition's state that is driven without a runner."""

from collections.abc import Callable, Mapping

from bus.progress_store import ProgressRecord
from bus.samples import Chunk
from detector.partition_state import PARTITION_KEY, PartitionState
from detector.patient_streams import Accepted
from ecg.windows import HOP_S


class ProgressLog:
    """Takes records, and does for a state what runner and transform do: nothing stays in it that it should not keep.

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

    def commit(self, state: PartitionState, records: Mapping[bytes, bytes]) -> None:
        """Write records of a state (b"" deletes) and tell it where they lie."""
        for key, value in records.items():
            offset = self._write(key, value)
            if value and key != PARTITION_KEY:
                state.written(key.decode(), value, offset)

    def restored(self, *, hop_s: int = HOP_S) -> tuple[PartitionState, int | None]:
        """A state after a restart, and the offset to resume the input at."""
        return PartitionState.restored(self._last, hop_s=hop_s)

    def elsewhere(self, translated: Callable[[bytes, bytes], bytes]) -> "ProgressLog":
        """Another topic with the same records, as a restore translates them."""
        return ProgressLog({key: translated(key, record.value) for key, record in self._last.items()})

    def accept(self, state: PartitionState, chunk: Chunk, offset: int, *, now_s: float, at_ms: int = 0) -> Accepted:
        """Let the state accept a chunk, with the record that it waits for."""
        lies_at = state.awaited(chunk.patient, offset)
        if lies_at is not None:
            state.fetched(chunk.patient, self._values[lies_at])
            self.fetched += 1
        return state.accept(chunk, offset, now_s=now_s, at_ms=at_ms)

    def _write(self, key: bytes, value: bytes) -> int:
        offset = len(self._values)
        self._values.append(value)
        if value:
            self._last[key] = ProgressRecord(offset=offset, value=value)
        else:
            self._last.pop(key, None)
        return offset
