"""Faust (faust-streaming), after its pages "Agents" and "Streams": an agent that takes what has come in batches.

``take_events`` gives what came within 50 ms, all windows that are due are scored in one call in a thread, and the
verdicts are sent before the batch is acknowledged: at least once for what is sent. A patient's newest signal is in
memory, gone after a crash: a table would write each change to its changelog topic.
"""

import asyncio
from collections import defaultdict

import faust

from peers.job import BOOTSTRAP_SERVERS, FOLDER, INPUT_TOPIC, OUTPUT_TOPIC, Due, Judge, Recent, decode

GATHER_S, MOST = 0.05, 2000

app = faust.App(
    "faust",
    broker=f"kafka://{BOOTSTRAP_SERVERS}",
    datadir=str(FOLDER),
    store="memory://",
    web_enabled=False,
    consumer_auto_offset_reset="earliest",
    consumer_group_instance_id="faust-1",
    broker_commit_interval=1.0,
    topic_disable_leader=True,
)
samples = app.topic(INPUT_TOPIC, key_serializer="raw", value_serializer="raw")
verdicts = app.topic(OUTPUT_TOPIC, key_serializer="raw", value_serializer="raw")
judge = Judge()
patients = defaultdict[str, Recent](Recent)


@app.agent(samples)
async def judge_samples(stream: faust.StreamT[bytes]) -> None:
    """Keep patients' next chunks, and judge the windows that they complete."""
    async for events in stream.take_events(MOST, within=GATHER_S):
        due: list[Due] = []
        for event in events:
            chunk = decode(event.value)
            due += patients[chunk.patient].add(chunk, round(event.message.timestamp * 1000))
        if due:
            judged = await asyncio.to_thread(judge.verdicts, due)
            sent = [
                await verdicts.send(key=each.window.stream.patient.encode(), value=verdict)
                for each, verdict in zip(due, judged, strict=True)
            ]
            await asyncio.gather(*sent)


if __name__ == "__main__":
    app.main()
