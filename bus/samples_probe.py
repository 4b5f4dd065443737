"""The newest samples messages, looked at from outside: whether they lie where their key belongs, and the clock."""

import time
from collections.abc import Sequence
from dataclasses import dataclass

from aiokafka import TopicPartition
from aiokafka.errors import KafkaError

from bus import topics
from bus.connection import (
    BrokerError,
    LetGoError,
    connected,
    new_consumer,
    no_stray_cancellation,
    stopped,
)
from bus.partitioning import partition_of
from bus.settings import KafkaSettings

NEWEST = 50  # messages of each partition
FRESH_MS = 1500  # a patient who is there sends several chunks in that time
READ_MS = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class SamplesProbe:
    """Findings in the newest messages of ``ecg.samples``.

    Attributes
    ----------
    messages : how many were looked at
    keyless : how many of them have no key
    misplaced : keys of those that lie in another partition than Java's client would choose
    broker_ahead_s : how far the broker's clock is ahead of this machine's, s; None while nothing comes
    """

    messages: int
    keyless: int
    misplaced: Sequence[str]
    broker_ahead_s: float | None


async def probe_samples(settings: KafkaSettings) -> SamplesProbe:
    """Look at the newest messages, and for a moment at what comes.

    Raises
    ------
    BrokerError : when Kafka cannot be reached, or does not hand the messages out
    """
    topic = settings.topic(topics.SAMPLES)
    consumer = await connected(settings, lambda: new_consumer(settings, auto_offset_reset="latest"))
    try:
        with no_stray_cancellation():
            await consumer._client.force_metadata_update()  # noqa: SLF001  # aiokafka offers no public way
            # Of one that is not there the ends would be waited for in vain.
            partitions = consumer.partitions_for_topic(topic) or ()
            places = [TopicPartition(topic, partition) for partition in partitions]
            consumer.assign(places)
            ends, beginnings = await consumer.end_offsets(places), await consumer.beginning_offsets(places)
            messages, keyless, misplaced = 0, 0, dict[str, None]()
            for place in places:
                consumer.seek(place, max(beginnings[place], ends[place] - NEWEST))
            while any([await consumer.position(place) < ends[place] for place in places]):
                found = await consumer.getmany(timeout_ms=READ_MS)
                for place, newest in found.items():
                    for message in newest:
                        messages += 1
                        if message.key is None:
                            keyless += 1
                        elif partition_of(message.key, len(places)) != place.partition:
                            misplaced[message.key.decode(errors="replace")] = None
            fresh = await consumer.getmany(timeout_ms=FRESH_MS)
            came = [message.timestamp for newest in fresh.values() for message in newest]
            ahead_s = max(came) / 1000 - time.time() if came else None
    except (KafkaError, LetGoError) as error:
        raise BrokerError(f"Kafka at {settings.bootstrap_servers} does not hand out {topic}: {error!r}") from error
    finally:
        await stopped(consumer)
    return SamplesProbe(messages=messages, keyless=keyless, misplaced=list(misplaced), broker_ahead_s=ahead_s)
