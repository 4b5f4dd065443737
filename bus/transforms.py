"""The protocol between a service and the exactly-once runner (``bus.exactly_once``)."""

from collections.abc import Mapping, Sequence
from typing import Protocol

from bus.interfaces import Outgoing, Received
from bus.progress_store import ProgressRecord


class Transform(Protocol):
    """A service's work on its input. All methods are called from one task, never at the same time.

    Topics are named as ``bus.topics`` does; the runner puts the installation's prefix before them and takes it off.
    """

    input_topic: str
    progress_topic: str

    def open(self, partition: int, progress: Mapping[bytes, ProgressRecord]) -> int | None:
        """Take a partition over with its progress records; the offset to resume at, None for the beginning."""

    def close(self, partition: int) -> None:
        """Forget a partition, without a trace."""

    async def process(self, batch: Mapping[int, Sequence[Received]]) -> Mapping[int, Sequence[Outgoing]]:
        """Take messages in, by partition and in order; what to write, by partition, progress included.

        Called with an empty batch when nothing came, so that time can pass. A partition's messages in hand and
        those to write become effective together or, after a crash, are seen again from the last progress on.

        Raises
        ------
        ProgressUnavailableError : before anything was taken in; that partition is restored, and the others'
            messages come again at once
        """

    def committed(self, partition: int, messages: Sequence[Outgoing], offsets: Sequence[int], /) -> None:
        """Hear that messages of a partition have become visible to read_committed readers, and each one's offset.

        An offset is -1 where it is not known. It may be called while ``process`` waits for something, and for a
        partition that was closed, and even opened anew, since.
        """


class Side(Protocol):
    """Topics that a transform takes in with its input, each partition beside the same one of the input.

    Their messages come to ``process`` with the input's, told apart by their topic; each topic is ordered in itself,
    not against the others. The transform keeps the offsets in its progress.
    """

    side_topics: tuple[str, ...]

    def side_offset(self, partition: int, topic: str) -> int | None:
        """The offset of a topic to resume at once a partition is open, None for the beginning."""
