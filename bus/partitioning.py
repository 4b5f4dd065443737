"""The partition of a key, as Java's client chooses it and every reader of a single patient's messages expects it."""

from functools import lru_cache

from aiokafka.partitioner import murmur2

REMEMBERED = 16_384  # keys: the hash is plain Python, and a patient's key comes four times a second


@lru_cache(REMEMBERED)
def partition_of(key: bytes, partitions: int) -> int:
    """The partition that Kafka's clients choose for a key."""
    return int(murmur2(key) & 0x7FFFFFFF) % partitions
