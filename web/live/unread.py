"""Messages of a patient whom nobody watches: kept as they came, and read when somebody looks. Pure.

Most patients are watched by nobody most of the time, and of what comes of them all but the last seconds is never shown.
That a message goes on where the last one ended is seen without reading it by its beginning, which names patient and
device; whatever else it says is found out when it is read, in the order in which it came.
"""

from collections import deque
from dataclasses import dataclass, field
from typing import NamedTuple

from web.live.share import RECENT_S, bytes_of


class UnreadMessage(NamedTuple):
    """A samples message as it came, and when it was handed to Kafka, ms UTC."""

    value: bytes
    sent_ms: int


@dataclass(slots=True)
class Unread:
    """The messages of one device.

    Attributes
    ----------
    sender : with what each of them begins (``bus.samples.sender_of``)
    partition : in which they come
    messages : those of the last seconds
    held_bytes : memory that they take
    lost : whether older ones were dropped: what is read of the others goes on from nothing
    """

    sender: bytes
    partition: int
    messages: deque[UnreadMessage] = field(default_factory=deque)
    held_bytes: int = 0
    lost: bool = False

    def is_of_sender(self, value: bytes, partition: int) -> bool:
        """Return whether a message may wait with the others."""
        return partition == self.partition and value.startswith(self.sender)

    def add(self, value: bytes, sent_ms: int, *, most_bytes: int) -> None:
        """Keep a message; older ones make room.

        Parameters
        ----------
        sent_ms : when it was handed to Kafka, ms UTC
        most_bytes : of memory for all of them
        """
        self.messages.append(UnreadMessage(value, sent_ms))
        self.held_bytes += bytes_of(len(value))
        oldest_ms = sent_ms - RECENT_S * 1000
        while len(self.messages) > 1 and (self.messages[0].sent_ms < oldest_ms or self.held_bytes > most_bytes):
            self.held_bytes -= bytes_of(len(self.messages.popleft().value))
            self.lost = True
