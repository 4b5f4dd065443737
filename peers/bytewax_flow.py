"""Bytewax, after its pages "Kafka connectors", "Stateful operators" and "Recovery".

A patient's newest signal is the state of a keyed operator; all windows that are due in a batch are scored in one call.
State and the place in every input partition are snapshotted together into a recovery store (SQLite) every 5 s, and
Bytewax goes on from the last snapshot after a crash: at least once for what is sent, by its documentation of the sink.
"""

from collections.abc import Iterable

import bytewax.operators as op
from bytewax.connectors.kafka import KafkaSinkMessage, KafkaSourceMessage
from bytewax.connectors.kafka import operators as kop
from bytewax.dataflow import Dataflow

from peers.job import BOOTSTRAP_SERVERS, INPUT_TOPIC, OUTPUT_TOPIC, Due, Judge, Recent, decode

judge = Judge()


def add(recent: Recent | None, message: KafkaSourceMessage) -> tuple[Recent, list[Due]]:
    """Keep a patient's next chunk, and return the windows that it completes."""
    recent = recent or Recent()
    _, timestamp_ms = message.timestamp
    return recent, recent.add(decode(message.value), timestamp_ms)


def verdicts(due: list[tuple[str, Due]]) -> Iterable[KafkaSinkMessage]:
    """Judge the windows of a batch."""
    judged = judge.verdicts([each for _, each in due])
    return [KafkaSinkMessage(patient.encode(), verdict) for (patient, _), verdict in zip(due, judged, strict=True)]


flow = Dataflow("detector")
samples = kop.input("samples", flow, brokers=[BOOTSTRAP_SERVERS], topics=[INPUT_TOPIC])
keyed = op.key_on("patient", samples.oks, lambda message: message.key.decode())
windows = op.stateful_flat_map("windows", keyed, add)
judged = op.flat_map_batch("judge", windows, verdicts)
kop.output("verdicts", judged, brokers=[BOOTSTRAP_SERVERS], topic=OUTPUT_TOPIC)
