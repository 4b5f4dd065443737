"""Reading a patient's messages again after a restart, each into the stream that it went into, in that order."""

from collections import deque
from collections.abc import Iterator, Sequence

from detector.candidate import Candidate, HeldChunk
from detector.stream import PatientStream

Target = PatientStream | Candidate


class Rereading:
    """The messages that are awaited.

    Parameters
    ----------
    awaited : what takes in which messages, by offset, in the order in which it took them in
    resume_offset : the first message that is read again
    rest_into : what takes in all messages that nothing awaits; None to pass them over
    """

    def __init__(
        self,
        awaited: Sequence[tuple[Target, Sequence[int]]],
        *,
        resume_offset: int,
        rest_into: PatientStream | None = None,
    ) -> None:
        self._rest_into = rest_into
        self._queues = [(target, deque(offsets)) for target, offsets in awaited]
        self._wanted = {offset for _, offsets in awaited for offset in offsets}
        self._came: dict[int, HeldChunk] = {}
        self.resume_offset = resume_offset

    def put(self, held: HeldChunk) -> Iterator[tuple[Target, HeldChunk]]:
        """Take a message; what can be taken in now."""
        if held.offset not in self._wanted:
            if self._rest_into is not None:
                yield self._rest_into, held
            return
        self._came[held.offset] = held
        for target, queue in self._queues:
            while queue and queue[0] in self._came:
                yield target, self._came.pop(queue.popleft())

    def rest(self) -> Iterator[tuple[Target, HeldChunk]]:
        """Return what came and still waits for a message that is no more."""
        for target, queue in self._queues:
            for offset in queue:
                if offset in self._came:
                    yield target, self._came.pop(offset)
