"""The detector over Kafka messages: samples in; verdicts, anomalies, urgent messages, dead letters, progress out."""

import asyncio
from collections import defaultdict
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import structlog

from bus import topics
from bus.dead_letters import Letter, Refusal
from bus.interfaces import Headers, Outgoing, Received
from bus.progress_store import ProgressRecord, ProgressStore
from bus.samples import BadChunkError, Chunk, receive
from bus.trace_context import trace_context
from detector.due import Due, StreamId
from detector.metrics import DetectorMetrics
from detector.partition_state import MAX_PATIENTS, PARTITION_KEY, PartitionState
from detector.patient import Judged, PatientContext, judge_all
from detector.publishing import INGEST_HEADER, Publisher
from detector.results import Results, results_of
from detector.scorer import Scorer
from detector.shadow import Shadow, ShadowJudged
from ecg.second_filter import FilteredSignal
from ops.clock import Clock

PARK_EVERY_S = 1.0

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Due:
    """A due window or rapid check and where it came from, with what travels on of the message that made it due."""

    partition: int
    due: Due
    headers: Headers


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
    shadow : judges the same windows beside the scorer; None for nobody
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
        shadow: Shadow | None = None,
        metrics: DetectorMetrics,
        clock: Clock,
    ) -> None:
        self._scorer = scorer
        self._silent_s = silent_s
        self._forget_s = forget_s
        self._store = store
        self._partitions = partitions
        self._max_patients = max_patients
        self._shadow = shadow
        self._metrics = metrics
        self._clock = clock
        self._states: dict[int, PartitionState] = {}
        self._parked_s = clock.monotonic_s()
        self._executor = ThreadPoolExecutor(1, thread_name_prefix="scoring")
        self._publisher = Publisher(scorer, metrics=metrics, clock=clock)

    @property
    def patients(self) -> int:
        """Return how many patients are followed."""
        return sum(state.live for state in self._states.values())

    @property
    def quarantined(self) -> int:
        """Return how many senders' messages are only counted, since nothing but bad ones come."""
        return sum(state.quarantine.quarantined for state in self._states.values())

    @property
    def ring_bytes(self) -> int:
        """Return how many bytes of samples are held."""
        return sum(state.ring_bytes for state in self._states.values())

    def seconds_waiting(self, lag: Mapping[int, int]) -> float:
        """Return how many seconds of ECG of each patient wait in the partition that is furthest behind.

        Parameters
        ----------
        lag : messages that wait, by partition
        """
        return max((waiting * self._seconds_of_one(partition) for partition, waiting in lag.items()), default=0.0)

    def _seconds_of_one(self, partition: int) -> float:
        """Seconds of each patient's ECG that a message of a partition is worth: its patients send in turn."""
        state = self._states.get(partition)
        return 0.0 if state is None else state.chunk_s / max(1, state.live)

    def switch(self, scorer: Scorer) -> None:
        """Judge by other models from the next batch on; what is known of the patients stays.

        Parameters
        ----------
        scorer : of the same preprocessing and hop
        """
        self._scorer = scorer
        self._publisher.use(scorer)
        self._metrics.switches.inc()

    def measure_drift(self) -> None:
        """Bring the figures of the scores' drift up to date."""
        self._publisher.measure_drift()

    def open(self, partition: int, progress_records: Mapping[bytes, ProgressRecord]) -> int | None:
        """Take a partition over."""
        self._states[partition], resume = PartitionState.restored(
            progress_records, partitions=self._partitions, max_patients=self._max_patients, hop_s=self._scorer.hop_s
        )
        return resume

    def close(self, partition: int) -> None:
        """Forget a partition."""
        self._states.pop(partition, None)
        if self._shadow is not None:
            self._shadow.forget(partition)

    async def process(self, batch: Mapping[int, Sequence[Received]]) -> Mapping[int, Sequence[Outgoing]]:
        """Step every patient, judge all that is due in one call, and give out what is to be written."""
        outputs: dict[int, list[Outgoing]] = defaultdict(list)
        decoded = {
            partition: [(message, self._decoded(message)) for message in messages]
            for partition, messages in batch.items()
        }
        self._count_chunks(decoded)
        await self._fetch_returning(decoded)
        due = [each for partition in decoded for each in self._take_in(partition, decoded[partition], outputs)]
        all_judged, shadowed = await self._judged(due)
        for item, judged in zip(due, all_judged, strict=True):
            self._states[item.partition].judged(item.due.stream, judged.context, published=bool(judged.published))
            for each in judged.published:
                outputs[item.partition].extend(self._publisher.messages(each, item.headers))
        self._publish_shadow(due, shadowed, outputs)
        for partition in batch:
            for patient, record in self._states[partition].changed():
                outputs[partition].append(self._progress(patient.encode(), record))
        self._park(outputs)
        for partition, messages_out in outputs.items():
            if messages_out:
                messages_out.append(self._progress(PARTITION_KEY, self._states[partition].partition_record()))
        return outputs

    def _take_in(
        self,
        partition: int,
        decoded: Sequence[tuple[Received, Chunk | Refusal]],
        outputs: dict[int, list[Outgoing]],
    ) -> list[_Due]:
        """Take a partition's messages in; return what is due."""
        state, now_s = self._states[partition], self._clock.monotonic_s()
        due: list[_Due] = []
        for message, content in decoded:
            if isinstance(content, Refusal):
                if message.offset >= state.reported_before:
                    self._refuse(state, message, content, outputs[partition])
            else:
                due += self._step(state, message, content, now_s, outputs[partition])
            state.next_offset = message.offset + 1
        return due

    def _decoded(self, message: Received) -> Chunk | Refusal:
        try:
            return receive(message, partitions=self._partitions)
        except BadChunkError as error:
            return error.refusal

    def _count_chunks(self, batch: Mapping[int, Sequence[tuple[Received, Chunk | Refusal]]]) -> None:
        for partition, messages in batch.items():
            chunks = [content for _, content in messages if isinstance(content, Chunk)]
            if chunks:
                self._metrics.chunks.inc(len(chunks))
                self._metrics.samples.inc(sum(len(chunk.samples) for chunk in chunks))
                self._states[partition].came(sum(len(each.samples) / each.fs_hz for each in chunks) / len(chunks))

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
                lies_at = self._states[partition].awaited(patient, offset)
                if lies_at is not None:
                    returning[partition][lies_at] = patient
            if not returning:
                return
            for partition, patients in returning.items():
                wanted = {offset: patient.encode() for offset, patient in patients.items()}
                records = await self._store.fetch(partition, wanted)
                for offset, patient in patients.items():
                    self._states[partition].fetched(patient, records[offset])
            # Again: meanwhile, a transaction may have ended that let go of what the state itself had kept.

    def _step(
        self, state: PartitionState, message: Received, chunk: Chunk, now_s: float, outputs: list[Outgoing]
    ) -> list[_Due]:
        """Take one chunk in."""
        accepted = state.accept(chunk, message.offset, now_s=now_s, at_ms=message.timestamp_ms, message=message)
        if accepted.begun:
            self._metrics.further_streams.inc(accepted.begun)
        for reason, samples in accepted.stale.items():
            self._metrics.stale_samples.labels(reason=reason).inc(samples)
        # What a message that is read again brought about was done before; what it refuses may be older than itself.
        if message.offset >= state.reported_before:
            for refused, refusal in accepted.refused:
                self._refuse(state, refused, refusal, outputs)
            if not accepted.refused:
                self._write_letters(state.quarantine.good(message), outputs)
        if not accepted.due:
            return []
        # One trace can go on, of the some twenty that a window's chunks may have: the chunk's that completed it, whose
        # coming is what the verdict waited for and what its latency counts from.
        headers = ((INGEST_HEADER, str(message.timestamp_ms).encode()), *trace_context(message.headers))
        return [_Due(partition=message.partition, due=each, headers=headers) for each in accepted.due]

    def _refuse(self, state: PartitionState, message: Received, refusal: Refusal, outputs: list[Outgoing]) -> None:
        """Put a message aside."""
        self._metrics.refused_messages.labels(code=refusal.code).inc()
        letters = state.quarantine.bad(message, refusal)
        if letters:  # one for each message at first, and then one now and then
            log.warning(
                "message_refused",
                partition=message.partition,
                offset=message.offset,
                code=refusal.code,
                reason=refusal.reason,
            )
        self._write_letters(letters, outputs)

    def _write_letters(self, letters: list[Letter], outputs: list[Outgoing]) -> None:
        for letter in letters:
            self._metrics.dead_letters.labels(code=letter.code).inc()
        outputs.extend(letters)

    async def _judged(self, items: Sequence[_Due]) -> tuple[list[Judged], ShadowJudged | None]:
        """Score and judge all that is due, in a thread of its own; and once more in the shadow, if there is one."""
        if not items:
            return [], None
        by_partition: dict[int, list[Due]] = defaultdict(list)
        for item in items:
            by_partition[item.partition].append(item.due)
        signals: dict[StreamId, FilteredSignal] = {}
        contexts: dict[StreamId, PatientContext] = {}
        in_shadow: dict[StreamId, PatientContext] = {}
        for partition, due in by_partition.items():
            state = self._states[partition]
            signals |= state.signals(due)
            contexts |= {each.stream: state.context(each.stream) for each in due}
            if self._shadow is not None:
                in_shadow |= self._shadow.contexts(partition, {each.stream for each in due})
        found, judged, shadowed = await asyncio.get_running_loop().run_in_executor(
            self._executor, self._score_and_judge, [item.due for item in items], signals, contexts, in_shadow
        )
        for partition, due in by_partition.items():
            self._states[partition].filtered({each.stream: found.signals[each.stream] for each in due})
        self._metrics.looks.inc(found.checks)
        if found.windows:
            self._metrics.batch_windows.observe(found.windows)
            self._metrics.scoring_seconds.observe(found.scoring_s)
        return judged, shadowed

    def _score_and_judge(
        self,
        due: list[Due],
        signals: Mapping[StreamId, FilteredSignal],
        contexts: Mapping[StreamId, PatientContext],
        in_shadow: Mapping[StreamId, PatientContext],
    ) -> tuple[Results, list[Judged], ShadowJudged | None]:
        scorer = self._scorer
        found = results_of(due, scorer, signals)
        judged = judge_all(contexts, due, found.results, class_beats=scorer.class_beats, manifest=scorer.manifest)
        shadowed = None if self._shadow is None else self._shadow.judge(due, found, in_shadow)
        return found, judged, shadowed

    def _publish_shadow(
        self, items: Sequence[_Due], judged: ShadowJudged | None, outputs: dict[int, list[Outgoing]]
    ) -> None:
        """Give out the verdicts of the shadow, in the transaction of those that count."""
        if self._shadow is None or judged is None:
            return
        by_partition: dict[int, list[Due]] = defaultdict(list)
        for item, verdict in zip(items, judged.verdicts, strict=True):
            by_partition[item.partition].append(item.due)
            if verdict is not None:
                outputs[item.partition].append(
                    Publisher.shadow_message(verdict, item.headers, us_per_window=judged.us_per_window)
                )
        for partition, due in by_partition.items():
            self._shadow.remember(partition, due, judged)

    def _progress(self, key: bytes, value: bytes | None) -> Outgoing:
        return Outgoing(topic=topics.DETECTOR_PROGRESS, key=key, value=value)

    def _park(self, outputs: dict[int, list[Outgoing]]) -> None:
        """Let patients go from memory of whom nothing is heard, and in the end from the progress topic."""
        now_s = self._clock.monotonic_s()
        if now_s - self._parked_s < PARK_EVERY_S:
            return
        self._parked_s, now_ns = now_s, self._clock.now_ns()
        for partition, state in self._states.items():
            for patient, record in state.park_silent(now_s=now_s, now_ns=now_ns, silent_s=self._silent_s):
                outputs[partition].append(self._progress(patient.encode(), record))
                if self._shadow is not None:
                    self._shadow.forget(partition, patient)
            for patient in state.forget(now_ns=now_ns, forget_s=self._forget_s):
                outputs[partition].append(self._progress(patient.encode(), None))

    def committed(self, partition: int, messages: Sequence[Outgoing], offsets: Sequence[int]) -> None:
        """Measure how long the verdicts of a transaction took, and let go of what lies on the progress topic now."""
        self._metrics.transactions.inc()
        now_ms = self._clock.now_ns() / 1e6
        state = self._states.get(partition)
        for message, offset in zip(messages, offsets, strict=True):
            if message.topic == topics.DETECTOR_PROGRESS:
                if state is not None and message.key is not None and message.value is not None:
                    state.written(message.key.decode(), message.value, offset)
            elif message.topic == topics.WINDOWS:
                self._metrics.latency_seconds.observe(
                    max(0.0, now_ms - int(dict(message.headers)[INGEST_HEADER])) / 1000
                )

    def shut_down(self) -> None:
        """End the scoring thread."""
        self._executor.shutdown(wait=True)
