"""Position in the stream of alarms: the id of an event, from which the stream goes on after a break.

``<cluster>:<partition>-<offset>.<partition>-<offset>...``: the offset behind the last message of ``ecg.alerts`` that
was told, by partition; a partition of which nothing was told yet is left out. ``cluster`` is the beginning of Kafka's
cluster id: offsets of another cluster mean nothing.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from ecg.errors import EcgStreamError

CLUSTER = 8  # characters of the cluster's id
MAX_PARTITIONS = 1000  # as bus.settings has it
_FORM = re.compile(r"([A-Za-z0-9_-]{1,22}):((?:\d{1,4}-\d{1,18})?(?:\.\d{1,4}-\d{1,18})*)")


class PositionError(EcgStreamError):
    """A text that is no position."""


@dataclass(slots=True)
class Positions:
    """Position of one client, or of the hub.

    Attributes
    ----------
    cluster : the beginning of the cluster's id
    offsets : by partition, the offset behind the last message
    """

    cluster: str
    offsets: dict[int, int] = field(default_factory=dict)

    def passes(self, partition: int, offset: int) -> bool:
        """Return whether a message is new here; it is not, the next time."""
        if offset < self.offsets.get(partition, 0):
            return False
        self.offsets[partition] = offset + 1
        return True

    def behind(self, others: Mapping[int, int]) -> dict[int, int]:
        """By partition, the offset here, where others have come further."""
        return {
            partition: self.offsets.get(partition, 0)
            for partition, offset in others.items()
            if offset > self.offsets.get(partition, 0)
        }

    def copy(self) -> "Positions":
        """The same, to go on by itself."""
        return Positions(self.cluster, dict(self.offsets))

    def __str__(self) -> str:
        """The event id."""
        return f"{self.cluster}:" + ".".join(f"{part}-{offset}" for part, offset in sorted(self.offsets.items()))


def positions_of(text: str) -> Positions:
    """An event id read back.

    Raises
    ------
    PositionError : when it is none
    """
    match = _FORM.fullmatch(text)
    if not match:
        raise PositionError(f"{text[:80]!r} is not the id of an event: send back the id of the last one unchanged")
    pairs = (pair.split("-") for pair in match[2].lstrip(".").split(".") if pair)
    offsets = {int(partition): int(offset) for partition, offset in pairs}
    if len(offsets) > MAX_PARTITIONS:
        raise PositionError(f"an id of {len(offsets)} partitions is above {MAX_PARTITIONS}: send it as it came")
    return Positions(match[1], offsets)
