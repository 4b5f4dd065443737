"""The detector over Kafka messages: samples in; verdicts, anomalies, urgent messages, dead letters, progress out."""

import asyncio
import time
from collections import defaultdict
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import structlog

from bus import topics
from bus.dead_letters import Refusal
from bus.interfaces import Headers, Outgoing, Received
from bus.messages import Urgent, Verdict
from bus.progress_store import ProgressRecord, ProgressStore
from bus.samples import BadChunkError, Chunk, receive
from detector.looks import DueLook, judge_look, measure_looks
from detector.metrics import DetectorMetrics
from detector.scorer import Score, Scorer
from detector.stream import Due, DueWindow
from detector.verdicts import make_verdict
from detector.ward import MAX_PATIENTS, PARTITION_KEY, Ward
from ecg.lethal import Measured
from ops.clock import Clock

# On every verdict and urgent message: when the last message that it needed was handed to the broker, ms UTC.
INGEST_HEADER = "ecgstream-ingest-ms"
PARK_EVERY_S = 1.0

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Due:
    """A due window or look, where it came from, and when its last message was handed to the broker."""

    partition: int
    due: Due
    ingest_ms: int


class DetectorTransform:
    """Exactly-once processing of ``ecg.samples`` (see ``bus.transforms.Transform``).

    Parameters
    ----------
    scorer : judges windows; runs in a thread of its own, so that the event loop always answers heartbeats
    silent_s : after how long without anything new a patient is parked
    forget_s : how long a parked patient is remembered
    store : gives out again what was written of a dormant patient
    partitions : how many partitions the input has
    max_patients : how many patients a partition may know at a time
    """

    input_topic = topics.SAMPLES
    progress_topic = topics.DETECTOR_PROGRESS

    def __init__(
        self,
        scorer: Scorer,
        *,
        silent_s: float,
        forget_s: float,
        store: ProgressStore,
        partitions: int,
        max_patients: int = MAX_PATIENTS,
        metrics: DetectorMetrics,
        clock: Clock,
    ) -> None:
        self._scorer = scorer
        self._silent_s = silent_s
        self._forget_s = forget_s
        self._store = store
        self._partitions = partitions
        self._max_patients = max_patients
        self._metrics = metrics
        self._clock = clock
        self._wards: dict[int, Ward] = {}
        self._parked_s = clock.monotonic_s()
        self._executor = ThreadPoolExecutor(1, thread_name_prefix="scoring")

    @property
    def patients(self) -> int:
        """How many patients are followed."""
        return sum(ward.live for ward in self._wards.values())

    @property
    def quarantined(self) -> int:
        """How many senders' messages are only counted, since nothing but bad ones come."""
        return sum(ward.quarantine.quarantined for ward in self._wards.values())

    def open(self, partition: int, progress_records: Mapping[bytes, ProgressRecord]) -> int | None:
        """Take a partition over."""
        self._wards[partition], resume = Ward.restored(
            progress_records, partitions=self._partitions, max_patients=self._max_patients
        )
        return resume

    def close(self, partition: int) -> None:
        """Forget a partition."""
        self._wards.pop(partition, None)

    async def process(self, batch: Mapping[int, Sequence[Received]]) -> Mapping[int, Sequence[Outgoing]]:
        """Step every patient, judge all due windows and looks in one call, and give out what is to be written."""
        outputs: dict[int, list[Outgoing]] = defaultdict(list)
        due: list[_Due] = []
        decoded = {
            partition: [(message, self._decoded(message)) for message in messages]
            for partition, messages in batch.items()
        }
        await self._fetch_returning(decoded)
        for partition, messages in decoded.items():
            ward = self._wards[partition]
            for message, content in messages:
                due.extend(self._step(ward, message, content, outputs[partition]))
                ward.next_offset = message.offset + 1
        windows = [item.due for item in due if isinstance(item.due, DueWindow)]
        looks = [item.due for item in due if isinstance(item.due, DueLook)]
        scored, seen = await self._score(windows, looks)
        scores, measured = iter(scored), iter(seen)
        for item in due:  # each look by what was usual after the verdict before it
            if isinstance(item.due, DueWindow):
                verdict = make_verdict(item.due, next(scores), manifest=self._scorer.manifest)
                outputs[item.partition].extend(self._publish(verdict, item.ingest_ms))
            elif (urgent := judge_look(item.due, next(measured))) is not None:
                self._wards[item.partition].told(urgent.patient)
                outputs[item.partition].append(self._publish_urgent(urgent, item.ingest_ms))
        for partition in batch:
            for patient, record in self._wards[partition].changed():
                outputs[partition].append(self._progress(patient.encode(), record))
        self._park(outputs)
        for partition, messages_out in outputs.items():
            if messages_out:
                messages_out.append(self._progress(PARTITION_KEY, self._wards[partition].partition_record()))
        return outputs

    def _decoded(self, message: Received) -> Chunk | Refusal:
        try:
            return receive(message, partitions=self._partitions)
        except BadChunkError as error:
            return error.refusal

    async def _fetch_returning(self, batch: Mapping[int, Sequence[tuple[Received, Chunk | Refusal]]]) -> None:
        """Get the records of all dormant patients of whom there are chunks.

        Only a chunk that can be taken in brings a patient back, so that no bad message costs a request.
        """
        chunks = [
            (partition, message.offset, content.patient)
            for partition, messages in batch.items()
            for message, content in messages
            if isinstance(content, Chunk)
        ]
        while True:
            returning: dict[int, dict[int, str]] = defaultdict(dict)
            for partition, offset, patient in chunks:
                lies_at = self._wards[partition].awaited(patient, offset)
                if lies_at is not None:
                    returning[partition][lies_at] = patient
            if not returning:
                return
            for partition, patients in returning.items():
                wanted = {offset: patient.encode() for offset, patient in patients.items()}
                records = await self._store.fetch(partition, wanted)
                for offset, patient in patients.items():
                    self._wards[partition].fetched(patient, records[offset])
            # Again: meanwhile, a transaction may have ended that let go of what the ward itself had kept.

    def _step(self, ward: Ward, message: Received, chunk: Chunk | Refusal, outputs: list[Outgoing]) -> list[_Due]:
        """Take one message in; a bad one is refused, once."""
        if isinstance(chunk, Refusal):
            if message.offset >= ward.reported_before:
                self._refuse(ward, message, chunk, outputs)
            return []
        self._metrics.chunks.inc()
        self._metrics.samples.inc(len(chunk.samples))
        accepted = ward.accept(
            chunk, message.offset, now_s=self._clock.monotonic_s(), at_ms=message.timestamp_ms, message=message
        )
        if accepted.begun:
            self._metrics.further_streams.inc(accepted.begun)
        if accepted.stale_samples:
            self._metrics.stale_samples.inc(accepted.stale_samples)
        # What a message that is read again brought about was done before; what it refuses may be older than itself.
        if message.offset >= ward.reported_before:
            for refused, refusal in accepted.refused:
                self._refuse(ward, refused, refusal, outputs)
            if not accepted.refused:
                self._write_letters(ward.quarantine.good(message), outputs)
        return [_Due(partition=message.partition, due=each, ingest_ms=message.timestamp_ms) for each in accepted.due]

    def _refuse(self, ward: Ward, message: Received, refusal: Refusal, outputs: list[Outgoing]) -> None:
        """Put a message aside."""
        self._metrics.refused_messages.labels(code=refusal.code).inc()
        letters = ward.quarantine.bad(message, refusal)
        if letters:  # one for each message at first, and then one now and then
            log.warning(
                "message_refused",
                partition=message.partition,
                offset=message.offset,
                code=refusal.code,
                reason=refusal.reason,
            )
        self._write_letters(letters, outputs)

    def _write_letters(self, letters: list[Outgoing], outputs: list[Outgoing]) -> None:
        self._metrics.dead_letters.inc(len(letters))
        outputs.extend(letters)

    async def _score(self, windows: list[DueWindow], looks: list[DueLook]) -> tuple[list[Score], list[Measured]]:
        if not windows and not looks:
            return [], []

        def work() -> tuple[list[Score], list[Measured]]:
            measured = measure_looks(looks)
            began = time.perf_counter()
            scores = self._scorer.score(windows)
            if windows:
                self._metrics.scoring_seconds.observe(time.perf_counter() - began)
            return scores, measured

        self._metrics.looks.inc(len(looks))
        if windows:
            self._metrics.batch_windows.observe(len(windows))
        return await asyncio.get_running_loop().run_in_executor(self._executor, work)

    def _publish(self, verdict: Verdict, ingest_ms: int) -> list[Outgoing]:
        self._metrics.windows.labels(decision=verdict.decision).inc()
        continuity = verdict.continuity
        gap_s = continuity.gap_before_s + continuity.missing_samples / verdict.fs_hz
        self._metrics.gap_seconds.inc(gap_s)
        self._metrics.duplicate_samples.inc(continuity.duplicate_samples)
        if continuity.clock_jumps_abs_ns:
            self._metrics.clock_jumps.inc()
        names = [topics.WINDOWS] + [topics.ANOMALIES] * (verdict.decision == "abnormal")
        value, key = verdict.to_bytes(), verdict.patient.encode()
        return [Outgoing(topic=name, key=key, value=value, headers=_came(ingest_ms)) for name in names]

    def _publish_urgent(self, urgent: Urgent, ingest_ms: int) -> Outgoing:
        self._metrics.urgent.labels(kind=urgent.kind).inc()
        return Outgoing(
            topic=topics.URGENT, key=urgent.patient.encode(), value=urgent.to_bytes(), headers=_came(ingest_ms)
        )

    def _progress(self, key: bytes, value: bytes | None) -> Outgoing:
        return Outgoing(topic=topics.DETECTOR_PROGRESS, key=key, value=value)

    def _park(self, outputs: dict[int, list[Outgoing]]) -> None:
        """Let patients go from memory of whom nothing is heard, and in the end from the progress topic."""
        now_s = self._clock.monotonic_s()
        if now_s - self._parked_s < PARK_EVERY_S:
            return
        self._parked_s, now_ns = now_s, self._clock.now_ns()
        for partition, ward in self._wards.items():
            for patient, record in ward.park_silent(now_s=now_s, now_ns=now_ns, silent_s=self._silent_s):
                outputs[partition].append(self._progress(patient.encode(), record))
            for patient in ward.forget(now_ns=now_ns, forget_s=self._forget_s):
                outputs[partition].append(self._progress(patient.encode(), None))

    def committed(self, partition: int, messages: Sequence[Outgoing], offsets: Sequence[int]) -> None:
        """Measure how long the verdicts of a transaction took, and let go of what lies on the progress topic now."""
        self._metrics.transactions.inc()
        now_ms = self._clock.now_ns() / 1e6
        ward = self._wards.get(partition)
        for message, offset in zip(messages, offsets, strict=True):
            if message.topic == topics.DETECTOR_PROGRESS:
                if ward is not None and message.key is not None and message.value is not None:
                    ward.written(message.key.decode(), message.value, offset)
            elif message.topic == topics.WINDOWS:
                self._metrics.latency_seconds.observe(
                    max(0.0, now_ms - int(dict(message.headers)[INGEST_HEADER])) / 1000
                )

    def shut_down(self) -> None:
        """End the scoring thread."""
        self._executor.shutdown(wait=True)


def _came(ingest_ms: int) -> Headers:
    return ((INGEST_HEADER, str(ingest_ms).encode()),)
