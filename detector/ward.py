"""The patients of one input partition: who is followed, who is parked, and where to resume."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import replace
from itertools import islice

from bus import topics
from bus.quarantine import Quarantine
from bus.samples import Chunk
from detector import progress
from detector.progress import Dormant
from detector.stream import Due, PatientStream

# Not a patient id: "/" may not stand in one.
PARTITION_KEY = b"/partition"
SERVICE = "detector"
PARK_AT_ONCE = 100  # half a millisecond each


class Ward:
    """The state of one input partition.

    A patient is *live* while chunks come: its stream is in memory. Before its first chunk after a restart, and once
    it has fallen silent, it is *dormant*: its progress record holds all.

    Parameters
    ----------
    partitions : how many partitions the input has; None where dead letters need not find their patient's
    """

    def __init__(self, *, partitions: int | None = None) -> None:
        self._live: dict[str, PatientStream] = {}
        self._dormant: dict[str, Dormant] = {}
        self._heard_s: dict[str, float] = {}
        self._changed: set[str] = set()
        self.next_offset = 0
        self.switched = 0  # how often a patient's stream gave way to another
        # Messages before this offset had their dead letters written, or were counted in the quarantine.
        self.reported_before = 0
        self.quarantine = Quarantine(topic=topics.DEAD_LETTERS, service=SERVICE, partitions=partitions)

    @classmethod
    def restored(cls, records: Mapping[bytes, bytes], *, partitions: int | None = None) -> tuple["Ward", int | None]:
        """The ward as its progress records tell, and the offset to resume the input at (None: the beginning).

        Raises
        ------
        BadProgressError : when a record is none of this version
        """
        ward = cls(partitions=partitions)
        resume = None
        for key, record in records.items():
            if key == PARTITION_KEY:
                fields = json.loads(record)
                resume = ward.next_offset = int(fields["resume_offset"])
                ward.reported_before = int(fields["next_offset"])
                ward.quarantine.load(fields.get("refused", ()))
            else:
                ward._dormant[key.decode()] = Dormant.of(record)
        return ward, resume

    @property
    def live(self) -> int:
        """How many patients are followed."""
        return len(self._live)

    def accept(self, chunk: Chunk, offset: int, *, now_s: float) -> tuple[PatientStream | None, list[Due]]:
        """Take a chunk in; the stream it belongs to now, and the windows and looks it made due.

        A chunk that the patient's progress record holds already belongs to no stream: it is None.

        Parameters
        ----------
        chunk, offset : the chunk and its offset in the partition; the caller raises ``next_offset``
        now_s : monotonic seconds, to know later from whom nothing new came
        """
        stream = self._live.get(chunk.patient)
        if stream is None:
            dormant = self._dormant.get(chunk.patient)
            if dormant is not None:
                if offset < dormant.resume_offset:
                    return None, []
                del self._dormant[chunk.patient]
                stream = progress.load(chunk.patient, dormant.record)
            else:
                stream = PatientStream.begin(chunk)
                self._changed.add(chunk.patient)
            self._live[chunk.patient] = stream
            self._heard_s[chunk.patient] = now_s
        due: list[Due] = []
        if not stream.continues(chunk, offset):
            due += stream.end(offset)
            stream = self._live[chunk.patient] = PatientStream.begin(chunk, after=stream)
            self._changed.add(chunk.patient)
            self.switched += 1
        window, high = stream.next_window, stream.ring.high
        due += stream.accept(chunk, offset)
        if stream.next_window != window:
            self._changed.add(chunk.patient)
        if stream.ring.high > high:
            # A device that sends nothing but what it has sent is silent: all it sends would have to be reread.
            self._heard_s[chunk.patient] = now_s
        return stream, due

    def told(self, patient: str) -> None:
        """Note that something was told of a look at the patient: it must not be told again after a crash."""
        self._changed.add(patient)

    def changed(self) -> Iterator[tuple[str, bytes]]:
        """Whose window or stream is another since the last call, or of whom a look told something: patient and record.

        To be written with what was given out since; without them, a crash would lead to a partition record that
        has left messages behind which the patient's record still needs.
        """
        changed, self._changed = self._changed, set()
        for patient in sorted(changed):
            yield patient, progress.dump(self._live[patient])

    def park_silent(self, *, now_s: float, now_ns: int, silent_s: float) -> Iterator[tuple[str, bytes]]:
        """Make dormant from whom nothing new came for ``silent_s`` seconds; patient and progress record of each.

        No more than ``PARK_AT_ONCE`` of them: a whole ward that falls silent must not stop the event loop.
        """
        silent = (p for p, heard_s in self._heard_s.items() if now_s - heard_s >= silent_s)
        for patient in list(islice(silent, PARK_AT_ONCE)):
            del self._heard_s[patient]
            stream = self._live.pop(patient)
            self._changed.discard(patient)
            stream.park()
            dormant = self._dormant[patient] = Dormant.of(progress.dump(stream, parked_ns=now_ns))
            yield patient, dormant.record

    def forget(self, *, now_ns: int, forget_s: float) -> Iterator[str]:
        """Forget who has been silent for ``forget_s`` seconds; their progress records are to be deleted.

        Who comes back after that begins a new stream. To be followed by a partition record in the same transaction:
        nobody is forgotten of whom a message would be reread from there, since it would be judged once more.
        """
        resume = self._resume_offset()
        for patient, dormant in list(self._dormant.items()):
            if dormant.parked_ns is None:  # followed until a crash, and what it sent has expired since
                self._dormant[patient] = replace(dormant, parked_ns=now_ns)
            elif now_ns - dormant.parked_ns >= forget_s * 1e9 and dormant.seen <= resume:
                del self._dormant[patient]
                yield patient

    def partition_record(self) -> bytes:
        """Where to resume the partition: to be written in every transaction."""
        resume = self._resume_offset()
        record: dict[str, object] = {
            "resume_offset": resume,
            "next_offset": max(self.next_offset, self.reported_before),
        }
        if refused := self.quarantine.dump():
            record["refused"] = refused
        return json.dumps(record).encode()

    def _resume_offset(self) -> int:
        return min([self.next_offset, *(stream.resume_offset for stream in self._live.values())])
