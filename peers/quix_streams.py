"""Quix Streams, after its pages "Stateful Applications", "Checkpointing" and "Configuration".

A patient's chunks lie in the state store (RocksDB, backed by a changelog topic), each under a key of its own, so that a
message writes a chunk and not all that is kept. A checkpoint writes state, offsets and output together; after a crash
it goes on from the last one: at least once, or exactly once with ``PEER_GUARANTEE=exactly-once``, where what was
written becomes visible with the checkpoint. Checkpoints come more often than every 5 s, its default: each second, and
four times a second where a verdict waits for one. A static member of the group, and a transactional id that lasts, so
that a restart waits neither for a session nor for a transaction to time out.
"""

import os
from collections.abc import Iterator
from dataclasses import replace

import numpy as np
from quixstreams import Application, State

from ecg.segments import SEGMENT_S
from peers.job import BOOTSTRAP_SERVERS, FOLDER, INPUT_TOPIC, OUTPUT_TOPIC, Chunk, Judge, decode, due_with, needed_from

GUARANTEE = os.environ.get("PEER_GUARANTEE", "at-least-once")
COMMIT_EVERY_S = {"at-least-once": 1.0, "exactly-once": 0.25}[GUARANTEE]
SLOTS = 10 * SEGMENT_S + 2  # chunks that are kept of a patient: what a window needs of the shortest ones, 100 ms

judge = Judge()


def main() -> None:
    """Judge every patient, for ever."""
    app = Application(
        broker_address=BOOTSTRAP_SERVERS,
        consumer_group="quix-streams",
        auto_offset_reset="earliest",
        processing_guarantee=GUARANTEE,
        commit_interval=COMMIT_EVERY_S,
        state_dir=FOLDER / "state",
        consumer_extra_config={"group.instance.id": "quix-streams-1"},
        producer_extra_config={"transactional.id": "quix-streams-1"} if GUARANTEE == "exactly-once" else {},
    )
    samples = app.topic(INPUT_TOPIC, value_deserializer="bytes")
    verdicts = app.topic(OUTPUT_TOPIC, value_serializer="json")
    sdf = app.dataframe(samples)
    sdf = sdf.apply(judge_chunk, stateful=True, metadata=True, expand=True)
    sdf.to_topic(verdicts)
    app.run()


def judge_chunk(
    value: bytes, _key: bytes, timestamp_ms: int, _headers: object, state: State
) -> list[dict[str, object]]:
    """Keep a patient's next chunk, and judge the windows that it completes."""
    chunk = decode(value)
    count = state.get("count", 0)
    state.set_bytes(str(count % SLOTS), chunk.start_index.to_bytes(8) + chunk.samples.tobytes())
    state.set("count", count + 1)
    return judge.fields(due_with(chunk, kept(state, chunk, count), timestamp_ms))


def kept(state: State, newest: Chunk, count: int) -> Iterator[Chunk]:
    """Chunks of a patient in the state store, the newest first, as far back as a window needs them."""
    for number in range(count, max(-1, count - SLOTS), -1):
        value = state.get_bytes(str(number % SLOTS))
        samples = np.frombuffer(value, "<i2", offset=8).reshape(-1, len(newest.leads))
        chunk = replace(newest, start_index=int.from_bytes(value[:8]), samples=samples)
        if chunk.end_index <= needed_from(newest):
            return
        yield chunk


if __name__ == "__main__":
    main()
