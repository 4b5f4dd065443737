"""The patients of one input partition: who is followed, who is parked, and where to resume."""

import json
from collections.abc import Iterator, Mapping

from bus.samples import Chunk
from detector import progress
from detector.stream import DueWindow, PatientStream

# Not a patient id: "/" may not stand in one.
PARTITION_KEY = b"/partition"


class Ward:
    """The state of one input partition.

    A patient is *live* while chunks come: its stream is in memory. Before its first chunk after a restart, and once
    it has fallen silent, it is *dormant*: its progress record holds all.
    """

    def __init__(self) -> None:
        self._live: dict[str, PatientStream] = {}
        self._dormant: dict[str, bytes] = {}
        self._heard_s: dict[str, float] = {}
        self._changed: set[str] = set()
        self.next_offset = 0
        self.reported_before = 0  # messages before this offset had their dead letters sent

    @classmethod
    def restored(cls, records: Mapping[bytes, bytes]) -> tuple["Ward", int | None]:
        """The ward as its progress records tell, and the offset to resume the input at (None: the beginning)."""
        ward = cls()
        resume = None
        for key, record in records.items():
            if key == PARTITION_KEY:
                fields = json.loads(record)
                resume = ward.next_offset = int(fields["resume_offset"])
                ward.reported_before = int(fields["next_offset"])
            else:
                ward._dormant[key.decode()] = record
        return ward, resume

    @property
    def live(self) -> int:
        """How many patients are followed."""
        return len(self._live)

    def accept(self, chunk: Chunk, offset: int, *, now_s: float) -> tuple[PatientStream | None, list[DueWindow]]:
        """Take a chunk in; the stream it belongs to now, and the windows it made due.

        A chunk that the patient's progress record holds already belongs to no stream: it is None.

        Parameters
        ----------
        chunk, offset : the chunk and its offset in the partition; the caller raises ``next_offset``
        now_s : monotonic seconds, to know later from whom nothing new came
        """
        stream = self._live.get(chunk.patient)
        if stream is None:
            record = self._dormant.get(chunk.patient)
            if record is not None:
                if offset < progress.resume_offset(record):
                    return None, []
                del self._dormant[chunk.patient]
                stream = progress.load(chunk.patient, record)
            else:
                stream = PatientStream.begin(chunk)
                self._changed.add(chunk.patient)
            self._live[chunk.patient] = stream
            self._heard_s[chunk.patient] = now_s
        if not stream.continues(chunk, offset):
            stream = self._live[chunk.patient] = PatientStream.begin(chunk, after=stream)
            self._changed.add(chunk.patient)
        window, high = stream.next_window, stream.ring.high
        due = stream.accept(chunk, offset)
        if stream.next_window != window:
            self._changed.add(chunk.patient)
        if stream.ring.high > high:
            # A device that sends nothing but what it has sent is silent: all it sends would have to be reread.
            self._heard_s[chunk.patient] = now_s
        return stream, due

    def changed(self) -> Iterator[tuple[str, bytes]]:
        """Whose window or stream is another since the last call: patient and progress record of each.

        To be written with the windows given out since; without them, a crash would lead to a partition record that
        has left messages behind which the patient's record still needs.
        """
        changed, self._changed = self._changed, set()
        for patient in sorted(changed):
            yield patient, progress.dump(self._live[patient])

    def park_silent(self, *, now_s: float, silent_s: float) -> Iterator[tuple[str, bytes]]:
        """Make dormant from whom nothing new came for ``silent_s`` seconds; patient and progress record of each."""
        for patient in [p for p, heard_s in self._heard_s.items() if now_s - heard_s >= silent_s]:
            del self._heard_s[patient]
            stream = self._live.pop(patient)
            self._changed.discard(patient)
            stream.park()
            record = self._dormant[patient] = progress.dump(stream)
            yield patient, record

    def partition_record(self) -> bytes:
        """Where to resume the partition: to be written in every transaction."""
        resume = min([self.next_offset, *(stream.resume_offset for stream in self._live.values())])
        return json.dumps(
            {"resume_offset": resume, "next_offset": max(self.next_offset, self.reported_before)}
        ).encode()
