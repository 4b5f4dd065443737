"""Assignment of partitions to members of a consumer group, as the runner's group does it, without a broker. Pure."""

from collections.abc import Mapping, Sequence

from aiokafka import TopicPartition
from aiokafka.cluster import ClusterMetadata
from aiokafka.coordinator.assignors.sticky.sticky_assignor import StickyPartitionAssignor
from aiokafka.coordinator.protocol import ConsumerProtocolMemberMetadata

_TOPIC = "samples"

Assignment = Mapping[str, frozenset[int]]


def assign(partitions: int, members: Sequence[str], before: Assignment | None = None) -> Assignment:
    """Assign partitions to members.

    Parameters
    ----------
    partitions : how many
    members : of the group
    before : what each had before the group changed; those who are no longer members may stand in it

    Returns
    -------
    the partitions of each member
    """
    joined = {member: _joining(member, before or {}) for member in members}
    given = StickyPartitionAssignor.assign(_Cluster(partitions), joined)
    return {
        member: frozenset(partition for _, held in assignment.assignment for partition in held)
        for member, assignment in given.items()
    }


class _Cluster(ClusterMetadata):  # type: ignore[misc] # aiokafka has no type information
    """A cluster that holds one topic."""

    def __init__(self, partitions: int) -> None:
        super().__init__()
        self._numbers = set(range(partitions))

    def topics(self, exclude_internal_topics: bool = True) -> set[str]:  # noqa: ARG002  # as in aiokafka
        """Return the one topic."""
        return {_TOPIC}

    def partitions_for_topic(self, topic: str) -> set[int] | None:
        """Return the partitions of the one topic."""
        return self._numbers if topic == _TOPIC else None


def _joining(member: str, before: Assignment) -> ConsumerProtocolMemberMetadata:
    held = [TopicPartition(_TOPIC, partition) for partition in sorted(before.get(member, ()))]
    return StickyPartitionAssignor._metadata([_TOPIC], held, 1)  # noqa: SLF001  # as a member of the group joins
