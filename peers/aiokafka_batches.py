"""The loop of somebody who knows aiokafka: its pages "Consumer client" (batches, manual commit) and "Producer client".

``getmany`` takes what has come, all windows that are due are scored in one call in a thread, so that the event loop
answers the broker meanwhile, and offsets are committed once a second, after what was sent has been acknowledged: at
least once for what is sent. uvloop, and a static member of the group, so that a restart waits for nobody. What memory
held is gone after a crash.
"""

import asyncio
import time
from collections import defaultdict

import uvloop
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer

from peers.job import BOOTSTRAP_SERVERS, INPUT_TOPIC, OUTPUT_TOPIC, Due, Judge, Recent, decode

COMMIT_EVERY_S = 1.0


async def main() -> None:
    """Judge every patient, for ever."""
    judge, patients = Judge(), defaultdict[str, Recent](Recent)
    consumer = AIOKafkaConsumer(
        INPUT_TOPIC,
        bootstrap_servers=BOOTSTRAP_SERVERS,
        group_id="aiokafka-batches",
        group_instance_id="aiokafka-batches-1",
        auto_offset_reset="earliest",
        enable_auto_commit=False,
    )
    producer = AIOKafkaProducer(bootstrap_servers=BOOTSTRAP_SERVERS)
    committed_s = time.monotonic()
    async with consumer, producer:
        while True:
            batches = await consumer.getmany(timeout_ms=1000)
            due: list[Due] = []
            for message in (message for messages in batches.values() for message in messages):
                chunk = decode(message.value)
                due += patients[chunk.patient].add(chunk, message.timestamp)
            verdicts = await asyncio.to_thread(judge.verdicts, due) if due else []
            sent = [
                await producer.send(OUTPUT_TOPIC, verdict, key=each.window.stream.patient.encode())
                for each, verdict in zip(due, verdicts, strict=True)
            ]
            await asyncio.gather(*sent)
            if time.monotonic() - committed_s >= COMMIT_EVERY_S:
                await consumer.commit()
                committed_s = time.monotonic()


if __name__ == "__main__":
    uvloop.run(main())
