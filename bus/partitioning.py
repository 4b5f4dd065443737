"""The partition of a key, as Java's client chooses it and every reader of a single patient's messages expects it."""

from functools import lru_cache

REMEMBERED = 16_384  # keys: the hash is plain Python, and a patient's key comes four times a second


@lru_cache(REMEMBERED)
def partition_of(key: bytes, partitions: int) -> int:
    """The partition that Kafka's clients choose for a key."""
    from aiokafka.partitioner import murmur2  # noqa: PLC0415 # who judges files needs no client

    return int(murmur2(key) & 0x7FFFFFFF) % partitions
