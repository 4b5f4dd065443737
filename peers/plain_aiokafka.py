"""The plain loop, as in aiokafka's README and its page "Consumer client": one message after the other.

``async for``, scoring in place, ``send``, and offsets that are committed by the client every second. At most once: an
offset may be committed before the verdict of its message was sent, and what memory held is gone after a crash.
"""

import asyncio
from collections import defaultdict

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer

from peers.job import BOOTSTRAP_SERVERS, INPUT_TOPIC, OUTPUT_TOPIC, Judge, Recent, decode


async def main() -> None:
    """Judge every patient, for ever."""
    judge, patients = Judge(), defaultdict[str, Recent](Recent)
    consumer = AIOKafkaConsumer(
        INPUT_TOPIC,
        bootstrap_servers=BOOTSTRAP_SERVERS,
        group_id="plain-aiokafka",
        auto_offset_reset="earliest",
        auto_commit_interval_ms=1000,
    )
    producer = AIOKafkaProducer(bootstrap_servers=BOOTSTRAP_SERVERS)
    async with consumer, producer:
        async for message in consumer:
            chunk = decode(message.value)
            due = patients[chunk.patient].add(chunk, message.timestamp)
            for verdict in judge.verdicts(due):
                await producer.send(OUTPUT_TOPIC, verdict, key=message.key)


if __name__ == "__main__":
    asyncio.run(main())
