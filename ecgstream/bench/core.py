"""Time and memory of the detector by step, without Kafka: messages come as they come live, and every step is timed."""

import time
import tracemalloc
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from pathlib import Path
from typing import Any, NamedTuple

from bus.interfaces import Received
from bus.messages import Urgent, Verdict
from bus.samples import encode, receive
from bus.topics import SAMPLES
from detector.due import Due, DueWindow, RapidCheck
from detector.filtering import filter_due
from detector.networks import NetworkOutputs
from detector.offline import EPOCH_NS, chunks_of
from detector.partition_state import PartitionState
from detector.patient import judge_all
from detector.rapid_check import measure_checks
from detector.scorer import Scorer
from ecg.records import Float32Array, Record
from ecg.windows import HOP_S
from ecgstream.bench.capacity import machine
from ops.garbage import search_less_often

WARM_S = 20.0  # until every patient has been judged some times
MEMORY_PATIENTS = 50
MEMORY_S = 40.0
_APART = 0.6180339887  # of a hop, from one patient to the next: so no two are due together, however many there are
_OFFSET_S = 79.0  # from where one patient's recording begins to where the next one's does


@dataclass(frozen=True, slots=True, kw_only=True)
class CorePlan:
    """A measurement.

    Attributes
    ----------
    records : dealt out to the patients in turn, each beginning elsewhere
    models : folder of the models
    patients : how many
    seconds : of signal of each, of which the first ``WARM_S`` are not counted
    chunk_s : length of a message
    gather_s : what comes in so long is worked on at once
    """

    records: Sequence[Record]
    models: Path
    patients: int
    seconds: float
    chunk_s: float
    gather_s: float


class _Message(NamedTuple):
    """A message and when it comes, s."""

    at_s: float
    received: Received


class _TimedScorer(Scorer):
    """A scorer that knows how long its networks take."""

    networks_s = 0.0

    def _outputs(self, inputs: Float32Array) -> NetworkOutputs:
        began_s = time.process_time()
        found = super()._outputs(inputs)
        self.networks_s += time.process_time() - began_s
        return found


class _Watch:
    """CPU time by step, s."""

    def __init__(self) -> None:
        self.steps_s: dict[str, float] = {}
        self._at_s = time.process_time()

    def begin(self) -> None:
        """Count from here."""
        self._at_s = time.process_time()

    def end(self, step: str) -> None:
        """Count what came since then as this step."""
        now_s = time.process_time()
        self.steps_s[step] = self.steps_s.get(step, 0.0) + now_s - self._at_s
        self._at_s = now_s


def run_core(plan: CorePlan) -> dict[str, Any]:
    """Run the detector's core over live patients' messages.

    Returns
    -------
    ms of CPU a window in all and by step, and kB of memory that a live patient takes
    """
    scorer = _TimedScorer(plan.models)
    search_less_often()  # as the service does
    state, watch = PartitionState(), _Watch()
    windows = batches = 0
    warm = False
    for number, messages in groupby(_messages(plan), lambda message: int(message.at_s / plan.gather_s)):
        if not warm and number * plan.gather_s >= WARM_S:
            warm, watch, scorer.networks_s, windows, batches = True, _Watch(), 0.0, 0, 0
        judged = _work([message.received for message in messages], state, scorer, watch)
        windows += judged
        batches += judged > 0
    steps_s = watch.steps_s | {
        "networks": scorer.networks_s,
        "reading the networks": watch.steps_s["scores"] - scorer.networks_s,
    }
    del steps_s["scores"]
    total_s = sum(steps_s.values())
    return {
        "patients": plan.patients,
        "chunk_ms": round(1000 * plan.chunk_s),
        "gather_ms": round(1000 * plan.gather_s),
        "windows": windows,
        "mean_batch": round(windows / max(1, batches), 1),
        "cpu_ms_per_window": round(1000 * total_s / max(1, windows), 3),
        "steps": {
            name: {"ms": round(1000 * spent_s / max(1, windows), 3), "share": round(spent_s / total_s, 3)}
            for name, spent_s in steps_s.items()
        },
        "live_patient_kb": round(_live_patient_kb(plan), 1),
        "machine": machine(),
    }


def _work(messages: Sequence[Received], state: PartitionState, scorer: Scorer, watch: _Watch) -> int:
    """One turn of the detector; how many windows were judged."""
    watch.begin()
    chunks = [receive(message, partitions=1) for message in messages]
    watch.end("decode")
    due: list[Due] = []
    for message, chunk in zip(messages, chunks, strict=True):
        due += state.accept(chunk, message.offset, now_s=0.0, message=message).due
    watch.end("take in")
    signals, after = filter_due(due, state.signals(due), scorer.preprocessing)
    state.filtered(after)
    watch.end("filter")
    windows = [(each, signal) for each, signal in zip(due, signals, strict=True) if isinstance(each, DueWindow)]
    checks = [(each, signal) for each, signal in zip(due, signals, strict=True) if isinstance(each, RapidCheck)]
    scores = iter(scorer.score([window for window, _ in windows], [signal for _, signal in windows]))
    watch.end("scores")
    measured = iter(measure_checks([check for check, _ in checks], [signal for _, signal in checks]))
    watch.end("rapid checks")
    published: list[Verdict | Urgent] = []
    results = [next(scores) if isinstance(each, DueWindow) else next(measured) for each in due]
    contexts = {each.stream: state.context(each.stream) for each in due}
    judged = judge_all(contexts, due, results, class_beats=scorer.class_beats, manifest=scorer.manifest)
    for each, (context, messages_out) in zip(due, judged, strict=True):
        state.judged(each.stream, context, published=bool(messages_out))
        published += messages_out
    watch.end("judge")
    for message_out in published:
        message_out.to_bytes()
    list(state.changed())
    state.partition_record()
    watch.end("messages and records")
    return len(windows)


def _messages(plan: CorePlan) -> Iterator[_Message]:
    """All messages in the order in which they come; made before anything is timed."""
    found: list[tuple[float, str, bytes]] = []
    for number in range(plan.patients):
        record = plan.records[number % len(plan.records)]
        first = round(number * _OFFSET_S % max(1.0, record.seconds - plan.seconds) * record.fs_hz)
        part = replace(record, samples=record.samples[first : first + round(plan.seconds * record.fs_hz)])
        patient, begins_s = f"p{number:05d}", number * _APART % 1 * HOP_S
        chunks = chunks_of(part, patient=patient, device="bench", start_ns=EPOCH_NS, chunk_s=plan.chunk_s)
        found += [(begins_s + (place + 1) * plan.chunk_s, patient, encode(chunk)) for place, chunk in enumerate(chunks)]
    found.sort(key=lambda each: each[0])
    return (
        _Message(
            at_s,
            Received(topic=SAMPLES, partition=0, offset=offset, timestamp_ms=0, key=patient.encode(), value=value),
        )
        for offset, (at_s, patient, value) in enumerate(found)
    )


def _live_patient_kb(plan: CorePlan) -> float:
    """Memory that stays allocated for each patient who is followed, kB."""
    plan = replace(plan, patients=MEMORY_PATIENTS, seconds=MEMORY_S)
    messages = list(_messages(plan))
    scorer, state = Scorer(plan.models), PartitionState()
    tracemalloc.start()
    for _, some in groupby(messages, lambda message: int(message.at_s / plan.gather_s)):
        _work([message.received for message in some], state, scorer, _Watch())
    held, _ = tracemalloc.get_traced_memory()
    del state
    left, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    return (held - left) / MEMORY_PATIENTS / 1000
