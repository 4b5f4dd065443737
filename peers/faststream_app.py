"""FastStream, after its pages "Batch Subscriber", "Publishing" and "Acknowledgement Policy".

A batch of chunks in, its verdicts out side by side, each under its patient's key (``publish_batch`` would put all into
one partition, and refuses more than fit into one batch of the client). ``NACK_ON_ERROR`` commits a batch after its
verdicts were sent, and reads it again if that failed: at least once for what is sent. Windows are scored in a thread,
so that the event loop answers the broker meanwhile. Bodies are bytes already: the custom decoder leaves FastStream's
own (JSON first) out, and no serializer its validation. uvloop, and a static member of the group, so that a restart
waits for nobody. What memory held is gone after a crash.
"""

import asyncio
from collections import defaultdict

from faststream import AckPolicy, FastStream
from faststream.kafka import KafkaBroker, KafkaMessage

from peers.job import BOOTSTRAP_SERVERS, INPUT_TOPIC, OUTPUT_TOPIC, Due, Judge, Recent, decode

broker = KafkaBroker(BOOTSTRAP_SERVERS, serializer=None)
app = FastStream(broker)
judge = Judge()
patients = defaultdict[str, Recent](Recent)


async def bodies_as_they_are(message: KafkaMessage) -> list[bytes]:
    """Return the bodies of a batch without looking into them."""
    return list(message.body)


@broker.subscriber(
    INPUT_TOPIC,
    batch=True,
    group_id="faststream",
    group_instance_id="faststream-1",
    auto_offset_reset="earliest",
    ack_policy=AckPolicy.NACK_ON_ERROR,
    decoder=bodies_as_they_are,
)
async def judge_batch(values: list[bytes], message: KafkaMessage) -> None:
    """Keep patients' next chunks, and judge the windows that they complete."""
    due: list[Due] = []
    for value, record in zip(values, message.raw_message, strict=True):
        chunk = decode(value)
        due += patients[chunk.patient].add(chunk, record.timestamp)
    if due:
        verdicts = await asyncio.to_thread(judge.verdicts, due)
        sending = (
            broker.publish(verdict, OUTPUT_TOPIC, key=each.window.stream.patient.encode())
            for each, verdict in zip(due, verdicts, strict=True)
        )
        await asyncio.gather(*sending)
