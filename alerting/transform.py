"""Verdicts, urgent messages, commands in; alerts, dead letters, progress out: what the exactly-once runner drives."""

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import islice

import structlog
from pydantic import ValidationError

from alerting.decoding import decode, refuse_future
from alerting.ended_alarms import EndedAlarms
from alerting.metrics import AlertingMetrics
from alerting.partition_state import PartitionState
from alerting.patient_time import TOLERANCE_NS, BrokerTime
from alerting.policy import Event, Refusal, Silence, next_due_ns, policy
from alerting.progress import OFFSETS, PARTITION_KEY, PartitionProgress, dump, restore
from alerting.rules import BY_SILENCE, AlarmRules
from bus import topics
from bus.dead_letters import BadMessageError, Letter, dead_letter
from bus.dead_letters import Refusal as RefusedMessage
from bus.interfaces import Headers, Outgoing, Received
from bus.messages import Alert, AlertCommand, DeadLetter, RefusalCode, Urgent, Verdict
from bus.progress_store import ProgressRecord
from bus.quarantine import Quarantine
from ops.clock import Clock

SERVICE = "alerting"
# Verdicts that raise no alarm need no transaction; after so many in a row the place is noted all the same, so that a
# restart rereads a bounded stretch.
NOTE_EVERY = 500
IDLE_S = 20.0  # when nothing has come for so long, it is noted, too: then all that was read stands in the progress
CHECK_EVERY_S = 1.0  # at who is silent
CHECKS_AT_ONCE = 500  # in a partition: a source of thousands that has stopped must not keep the loop from Kafka
# A patient is taken for silent from two windows on: until then time passes with the verdicts alone, so that the same
# samples give the same messages.
SILENT_S = 10.0
# A turn of the loop takes a fraction of a second. What a longer one took beyond it, this service did not listen: on a
# machine that is out of breath, or just woken, patients are not silent because nobody heard them.
TURN_S = 2.0

REFUSER = "detector"  # whose dead letters are about patients' signals
LETTER_NEWS_NS = 600_000_000_000  # what was refused longer ago does not alarm
MAX_UNHEARD = 200  # patients in a partition of whom only refused messages are known: anybody can name them

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Alerting's limits.

    Attributes
    ----------
    tolerance_ns : by how much a device's clock may be ahead of the broker's
    max_patients : that are followed in a partition
    ended_retention_ms : how long an alarm that has ended stays on the topic
    partitions : how many the topics have; None does not look where a message lies
    """

    tolerance_ns: int = TOLERANCE_NS
    max_patients: int = 2500
    ended_retention_ms: int = 7 * 86_400_000
    partitions: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class _OutgoingAlert(Outgoing):
    """A message about an alarm, with the alarm itself: once it is written, it is counted as it stands."""

    alert: Alert

    @classmethod
    def of(cls, alert: Alert, headers: Headers) -> "_OutgoingAlert":
        return cls(topic=topics.ALERTS, key=alert.id.encode(), value=alert.to_bytes(), headers=headers, alert=alert)


class AlertingTransform:
    """Exactly-once processing of ``ecg.windows``, ``ecg.urgent``, ``ecg.alert-commands`` and ``ecg.dead-letters``.

    See ``bus.transforms``.

    Parameters
    ----------
    rules : what alarms
    metrics : what to count on
    clock : tells how long nothing has come, and whether a command is from the future
    limits : what it is held to
    """

    input_topic = topics.WINDOWS
    side_topics: tuple[str, ...] = (topics.ALERT_COMMANDS, topics.URGENT, topics.DEAD_LETTERS)
    progress_topic = topics.ALERTING_PROGRESS

    def __init__(
        self, rules: AlarmRules, metrics: AlertingMetrics, clock: Clock, *, limits: Limits | None = None
    ) -> None:
        self._rules = rules
        self._metrics = metrics
        self._clock = clock
        self._limits = limits or Limits()
        self._partitions: dict[int, PartitionState] = {}
        self._intakes = {
            topics.WINDOWS: self._take_verdict,
            topics.ALERT_COMMANDS: self._take_command,
            topics.URGENT: self._take_urgent,
            topics.DEAD_LETTERS: self._take_letter,
        }
        self._deaf_s = 0.0
        self._turned_s = self._heard_s = self._checked_s = self._checked_heard_s = clock.monotonic_s()

    @property
    def quarantined(self) -> int:
        """Number of senders whose messages are only counted, since nothing but bad ones come."""
        return sum(state.quarantine.quarantined for state in self._partitions.values())

    def open(self, partition: int, progress: Mapping[bytes, ProgressRecord]) -> int | None:
        """Take a partition over; the offset to resume at, None for the beginning.

        Raises
        ------
        BadProgressError : when a progress record is neither of this version nor of the one before
        """
        place, patients, records = restore({key: record.value for key, record in progress.items()})
        now_s = self._listened_s()
        ended = EndedAlarms(self._limits.ended_retention_ms)
        ended.load(records)
        state = self._partitions[partition] = PartitionState(
            patients=patients,
            heard_s=dict.fromkeys(patients, now_s),
            ended=ended,
            quarantine=Quarantine(topic=topics.DEAD_LETTERS, service=SERVICE, partitions=self._limits.partitions),
        )
        for patient in patients:
            state.schedule(patient, now_s + SILENT_S)
        # How long nothing has come is not known: nobody is called silent before it is.
        self._heard_s = now_s
        self._measure()
        if place is None:
            return None
        state.next_offsets = place.offsets
        state.quarantine.load(place.refused)
        return place.next_offset

    def side_offset(self, partition: int, topic: str) -> int | None:
        """The offset of the first command, urgent message or dead letter to read; None for the beginning."""
        return self._partitions[partition].next_offsets.get(topic)

    def close(self, partition: int) -> None:
        """Forget a partition."""
        self._partitions.pop(partition, None)
        self._measure()

    async def process(self, batch: Mapping[int, Sequence[Received]]) -> Mapping[int, Sequence[Outgoing]]:
        """Work verdicts, urgent messages and commands in, and look who is silent; what to write, by partition."""
        now_s = self._listened_s()
        outputs: dict[int, list[Outgoing]] = {}
        # Who is heard by now is not silent, however long nobody looked.
        for partition, messages in batch.items():
            outputs[partition] = self._take(self._partitions[partition], messages, now_s)
        if now_s - self._checked_s >= CHECK_EVERY_S:
            self._checked_s = now_s
            self._measure()
            for partition, state in self._partitions.items():
                outputs.setdefault(partition, []).extend(self._check_silent(state, now_s))
                outputs[partition].extend(self._remove_ended(state))
            self._checked_heard_s = self._heard_s
        for partition, out in outputs.items():
            self._note(self._partitions[partition], out, now_s)
        return {partition: out for partition, out in outputs.items() if out}

    def committed(self, _partition: int, messages: Sequence[Outgoing], _offsets: Sequence[int]) -> None:
        """Count and log the alerts of a transaction: now they have been told, and they are told once."""
        self._metrics.transactions.inc()
        for message in messages:
            if message.topic == topics.ALERTS and message.value is None:
                self._metrics.removed_alerts.inc()
            elif isinstance(message, _OutgoingAlert):
                alert = message.alert
                self._metrics.alerts.labels(kind=alert.kind, priority=alert.priority, phase=alert.phase).inc()
                log.info("alert", phase=alert.phase, priority=alert.priority, condition=alert.condition)
                log.debug("alert", **alert.as_json())  # who it is about is for those who may read the topic

    def _listened_s(self) -> float:
        """The monotonic clock, less the time in which this service did not listen."""
        now_s = self._clock.monotonic_s()
        self._deaf_s += max(0.0, now_s - self._turned_s - TURN_S)
        self._turned_s = now_s
        return now_s - self._deaf_s

    def _take(self, state: PartitionState, messages: Sequence[Received], now_s: float) -> list[Outgoing]:
        out: list[Outgoing] = []
        for message in messages:
            state.next_offsets[message.topic] = message.offset + 1
            out += self._intakes[message.topic](state, message, now_s)
        state.unnoted += len(messages)
        state.took_s = now_s
        return out

    def _take_verdict(self, state: PartitionState, message: Received, now_s: float) -> list[Outgoing]:
        try:
            verdict = decode(message, Verdict, partitions=self._limits.partitions)
            self._refuse_newcomer(state, verdict.patient)
        except BadMessageError as error:
            return self._refuse(state, message, error)
        letters = self._count_letters(state.quarantine.good(message))
        self._metrics.verdicts.labels(decision=verdict.decision).inc()
        state.heard_s[verdict.patient] = self._heard_s = now_s
        state.schedule(verdict.patient, now_s + SILENT_S)
        # The headers travel on: they tell when the samples came, so that a reader can measure the whole way.
        return [*letters, *self._step(state, verdict.patient, verdict, message, message.headers)]

    def _take_urgent(self, state: PartitionState, message: Received, now_s: float) -> list[Outgoing]:
        try:
            urgent = decode(message, Urgent, partitions=self._limits.partitions)
            self._refuse_newcomer(state, urgent.patient)
        except BadMessageError as error:
            return self._refuse(state, message, error)
        letters = self._count_letters(state.quarantine.good(message))
        # Who is silent is told by the windows; but whoever is followed was heard once.
        state.heard_s.setdefault(urgent.patient, now_s)
        state.schedule(urgent.patient, now_s + SILENT_S)
        return [*letters, *self._step(state, urgent.patient, urgent, message, message.headers)]

    def _take_command(self, state: PartitionState, message: Received, now_s: float) -> list[Outgoing]:
        try:
            command = decode(message, AlertCommand, partitions=self._limits.partitions)
            refuse_future(command, self._clock.now_ns())
        except BadMessageError as error:
            code = error.refusal.code
            return [self._dead_letter(message, str(error), code="command" if code == "undecodable" else code)]
        passed = self._silence(state, command.patient, now_s)
        done = self._step(state, command.patient, command, message)
        if command.patient in state.patients:
            state.schedule(command.patient, now_s)  # what falls due has changed
        return [*passed, *done]

    def _take_letter(self, state: PartitionState, message: Received, now_s: float) -> list[Outgoing]:
        """Take in what the detector refused; our own letters lie on that topic too, and nothing answers a letter."""
        if self._clock.now_ns() - message.timestamp_ms * 1_000_000 > LETTER_NEWS_NS:
            return []
        try:
            letter = DeadLetter.model_validate_json(message.value or b"")
        except ValidationError:
            return []
        if letter.service != REFUSER or letter.patient is None:
            return []
        known = letter.patient in state.patients
        if not known and len(state.unheard) >= MAX_UNHEARD:
            return []
        if not known or letter.patient in state.unheard:
            state.heard_s[letter.patient] = now_s
        out = self._step(state, letter.patient, letter, message)
        state.schedule(letter.patient, now_s + SILENT_S)
        return out

    def _refuse_newcomer(self, state: PartitionState, patient: str) -> None:
        followed = len(state.patients) - len(state.unheard)
        if followed >= self._limits.max_patients and (patient not in state.patients or patient in state.unheard):
            raise BadMessageError(
                f"patient {patient!r} would be one more than the {self._limits.max_patients} that are followed in a "
                "partition: raise ECGSTREAM_ALERTING_MAX_PATIENTS and the memory, or stop who sends ids without end",
                code="too_many_patients",
                patient=patient,
            )

    def _check_silent(self, state: PartitionState, now_s: float) -> list[Outgoing]:
        out: list[Outgoing] = []
        if self._heard_s > self._checked_heard_s:  # the source has not stopped, then
            for patient in sorted(state.stopped):
                out += self._silence(state, patient, now_s)
                state.schedule(patient, now_s)
        for patient in list(islice(state.due(now_s), CHECKS_AT_ONCE)):
            if self._due_s(state, patient) <= now_s:
                out += self._silence(state, patient, now_s)
            if patient in state.patients:
                state.schedule(patient, max(self._due_s(state, patient), now_s + CHECK_EVERY_S / 2))
        return out

    def _due_s(self, state: PartitionState, patient: str) -> float:
        """Return when something falls due of a patient if nothing comes any more, on the monotonic clock."""
        patient_state, since_s = state.patients.get(patient), state.heard_s.get(patient, 0.0)
        if patient_state is None:
            return math.inf
        due_s = since_s + (next_due_ns(patient_state, self._rules) - patient_state.seen_ns) / 1e9
        source = self._rules.of(patient)["source_stopped"]
        if source.enabled and source.after_s is not None and not BY_SILENCE & patient_state.alarms.keys():
            due_s = min(due_s, self._heard_s + source.after_s)
        return max(since_s + SILENT_S, due_s)

    def _silence(self, state: PartitionState, patient: str, now_s: float) -> list[Outgoing]:
        """Let time pass for a patient of whom nothing came for a while."""
        patient_state, since_s = state.patients.get(patient), state.heard_s.get(patient, now_s)
        if patient_state is None or now_s - since_s < SILENT_S:
            return []
        silence = Silence(
            now_ns=patient_state.seen_ns + round((now_s - since_s) * 1e9), anybody_s=now_s - self._heard_s
        )
        return self._step(state, patient, silence, None)

    def _remove_ended(self, state: PartitionState) -> list[Outgoing]:
        """Take alarms that ended long ago off the topic."""
        due = state.ended.due(self._clock.now_ns() // 1_000_000)
        return [Outgoing(topic=topics.ALERTS, key=alarm.encode(), value=None) for alarm in due]

    def _step(
        self, state: PartitionState, patient: str, event: Event, message: Received | None, headers: Headers = ()
    ) -> list[Outgoing]:
        before = state.patients.get(patient)
        broker = None if message is None else BrokerTime(message.timestamp_ms * 1_000_000, self._limits.tolerance_ns)
        after, actions = policy(before, event, self._rules, broker=broker)
        if after is not before:
            # Passing time alone is known again from the clock.
            if actions or not isinstance(event, Silence):
                state.changed.add(patient)
            state.replace(patient, after)
        out = []
        for action in actions:
            if isinstance(action, Refusal):
                assert message is not None  # noqa: S101 # a refusal answers a command, and that came in a message
                out.append(self._dead_letter(message, action.reason))
            else:
                if action.phase == "end":
                    state.ended.add(action.id, self._clock.now_ns() // 1_000_000)
                out.append(_OutgoingAlert.of(action, headers))
        return out

    def _note(self, state: PartitionState, out: list[Outgoing], now_s: float) -> None:
        """Write with what is told, or after a while without, where the partition stands."""
        idle = state.unnoted and now_s - state.took_s >= IDLE_S
        if not out and state.unnoted < NOTE_EVERY and not idle:
            return
        for patient in sorted(state.changed):
            patient_state = state.patients.get(patient)
            out.append(self._progress(patient.encode(), dump(patient_state) if patient_state else None))
        state.changed.clear()
        out.extend(self._progress(key, value) for key, value in state.ended.changes())
        offsets = {OFFSETS[topic]: offset for topic, offset in state.next_offsets.items()}
        place = PartitionProgress.model_validate({"next_offset": 0, "refused": state.quarantine.dump()} | offsets)
        out.append(self._progress(PARTITION_KEY, place.model_dump_json().encode()))
        state.unnoted = 0

    def _refuse(self, state: PartitionState, message: Received, error: BadMessageError) -> list[Outgoing]:
        """Put aside what cannot be used; a sender of nothing else is told of now and then."""
        refusal = error.refusal
        self._metrics.refused_messages.labels(code=refusal.code).inc()
        letters = state.quarantine.bad(message, refusal)
        if letters:
            log.warning(
                "message_refused",
                topic=message.topic,
                partition=message.partition,
                offset=message.offset,
                reason=refusal.reason,
            )
        return [*self._count_letters(letters)]

    def _count_letters(self, letters: list[Letter]) -> list[Letter]:
        for letter in letters:
            self._metrics.dead_letters.labels(code=letter.code).inc()
        return letters

    def _dead_letter(self, message: Received, reason: str, *, code: RefusalCode = "command") -> Outgoing:
        """Answer a command that cannot be done."""
        self._metrics.dead_letters.labels(code=code).inc()
        self._metrics.refused_messages.labels(code=code).inc()
        log.warning(
            "dead_letter", topic=message.topic, partition=message.partition, offset=message.offset, reason=reason
        )
        refusal = RefusedMessage(code=code, reason=reason)
        return dead_letter(
            message, refusal, topic=topics.DEAD_LETTERS, service=SERVICE, partitions=self._limits.partitions
        )

    def _progress(self, key: bytes, value: bytes | None) -> Outgoing:
        return Outgoing(topic=topics.ALERTING_PROGRESS, key=key, value=value)

    def _measure(self) -> None:
        states = self._partitions.values()
        self._metrics.patients.set(sum(len(state.patients) for state in states))
        self._metrics.patients_limit.set(self._limits.max_patients * len(states))
        self._metrics.ended_alerts.set(sum(len(state.ended) for state in states))
        self._metrics.set_open(sum((state.open_alarms for state in states), Counter()))
