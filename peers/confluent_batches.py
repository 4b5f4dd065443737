"""The loop of somebody who knows confluent-kafka: "Consumer" with ``consume`` (batches, manual commit) and "Producer".

librdkafka fetches and sends in threads of its own, so that nothing has to be answered while windows are scored.
``consume`` gives what came within 50 ms, all windows that are due are scored in one call, and offsets are committed
once a second, after what was sent has been acknowledged: at least once for what is sent. A static member of the group,
so that a restart waits for nobody. What memory held is gone after a crash.
"""

import time
from collections import defaultdict

from confluent_kafka import Consumer, KafkaException, Producer

from peers.job import BOOTSTRAP_SERVERS, INPUT_TOPIC, OUTPUT_TOPIC, Due, Judge, Recent, decode

COMMIT_EVERY_S = 1.0
GATHER_S, MOST = 0.05, 2000


def main() -> None:
    """Judge every patient, for ever."""
    judge, patients = Judge(), defaultdict[str, Recent](Recent)
    consumer = Consumer(
        {
            "bootstrap.servers": BOOTSTRAP_SERVERS,
            "group.id": "confluent-batches",
            "group.instance.id": "confluent-batches-1",
            "auto.offset.reset": "earliest",
            "enable.auto.commit": False,
        }
    )
    # As Java's client chooses partitions, and with it everybody who reads one patient.
    producer = Producer({"bootstrap.servers": BOOTSTRAP_SERVERS, "partitioner": "murmur2_random"})
    consumer.subscribe([INPUT_TOPIC])
    committed_s, taken = time.monotonic(), 0
    while True:
        due: list[Due] = []
        messages = consumer.consume(MOST, timeout=GATHER_S)
        taken += len(messages)
        for message in messages:
            if message.error():
                raise KafkaException(message.error())
            chunk = decode(message.value())
            _, timestamp_ms = message.timestamp()
            due += patients[chunk.patient].add(chunk, timestamp_ms)
        for each, verdict in zip(due, judge.verdicts(due) if due else [], strict=True):
            producer.produce(OUTPUT_TOPIC, verdict, key=each.window.stream.patient.encode())
        producer.poll(0)
        if taken and time.monotonic() - committed_s >= COMMIT_EVERY_S:
            producer.flush()
            consumer.commit(asynchronous=False)
            committed_s, taken = time.monotonic(), 0


if __name__ == "__main__":
    main()
