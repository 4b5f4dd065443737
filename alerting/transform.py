"""Verdicts, urgent messages, commands in; alerts, dead letters, progress out: what the exactly-once runner drives."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import structlog

from alerting.decoding import BadMessageError, decode, refuse_future
from alerting.metrics import AlertingMetrics
from alerting.patient_time import TOLERANCE_NS, BrokerTime
from alerting.policy import Event, Refusal, Silence, policy
from alerting.progress import PARTITION_KEY, PartitionProgress, dump, restore
from alerting.rules import AlarmRules
from alerting.state import PatientState
from bus import topics
from bus.dead_letters import Refusal as RefusedMessage
from bus.dead_letters import dead_letter
from bus.interfaces import Headers, Outgoing, Received
from bus.messages import Alert, AlertCommand, Urgent, Verdict
from bus.quarantine import Quarantine
from ops.clock import Clock

SERVICE = "alerting"
# Verdicts that raise no alarm need no transaction; after so many in a row the place is noted all the same, so that a
# restart rereads a bounded stretch.
NOTE_EVERY = 500
IDLE_S = 20.0  # when nothing has come for so long, it is noted, too: then all that was read stands in the progress
LOOK_EVERY_S = 1.0  # at who is silent
# A patient is taken for silent from two windows on: until then time passes with the verdicts alone, so that the same
# samples give the same messages.
SILENT_S = 10.0
# A turn of the loop takes a fraction of a second. What a longer one took beyond it, this service did not listen: on a
# machine that is out of breath, or just woken, patients are not silent because nobody heard them.
TURN_S = 2.0

log = structlog.get_logger(__name__)


@dataclass(slots=True, kw_only=True)
class _Ward:
    """The patients of one partition.

    Attributes
    ----------
    patients : their states
    heard_s : when each was heard last, on the monotonic clock
    changed : whose state was not written since it changed
    next_offset, next_command, next_urgent : of verdicts, commands and urgent messages
    unnoted : messages since the place was last noted
    took_s : when the last of them came, on the monotonic clock
    quarantine : the senders of verdicts and urgent messages that could not be decoded
    """

    patients: dict[str, PatientState]
    heard_s: dict[str, float]
    changed: set[str] = field(default_factory=set)
    next_offset: int = 0
    next_command: int | None = None
    next_urgent: int | None = None
    unnoted: int = 0
    took_s: float = 0.0
    quarantine: Quarantine = field(default_factory=lambda: Quarantine(topic=topics.DEAD_LETTERS, service=SERVICE))


class AlertingTransform:
    """Exactly-once processing of ``ecg.windows``, ``ecg.urgent`` and ``ecg.alert-commands`` (see ``bus.transforms``).

    Parameters
    ----------
    rules : what alarms
    metrics : what to count on
    clock : tells how long nothing has come, and whether a command is from the future
    tolerance_ns : by how much a device's clock may be ahead of the broker's
    """

    input_topic = topics.WINDOWS
    side_topics: tuple[str, ...] = (topics.ALERT_COMMANDS, topics.URGENT)
    progress_topic = topics.ALERTING_PROGRESS

    def __init__(
        self, rules: AlarmRules, metrics: AlertingMetrics, clock: Clock, *, tolerance_ns: int = TOLERANCE_NS
    ) -> None:
        self._rules = rules
        self._metrics = metrics
        self._clock = clock
        self._tolerance_ns = tolerance_ns
        self._wards: dict[int, _Ward] = {}
        self._deaf_s = 0.0
        self._turned_s = self._heard_s = self._looked_s = clock.monotonic_s()

    @property
    def quarantined(self) -> int:
        """How many senders' messages are only counted, since nothing but bad ones come."""
        return sum(ward.quarantine.quarantined for ward in self._wards.values())

    def open(self, partition: int, progress: Mapping[bytes, bytes]) -> int | None:
        """Take a partition over; the offset to resume at, None for the beginning.

        Raises
        ------
        BadProgressError : when a progress record is neither of this version nor of the one before
        """
        place, patients = restore(progress)
        now_s = self._listened_s()
        ward = self._wards[partition] = _Ward(patients=patients, heard_s=dict.fromkeys(patients, now_s))
        # How long nothing has come is not known: nobody is called silent before it is.
        self._heard_s = now_s
        self._measure()
        if place is None:
            return None
        ward.next_offset = place.next_offset
        ward.next_command, ward.next_urgent = place.next_command, place.next_urgent
        ward.quarantine.load(place.refused)
        return place.next_offset

    def side_offset(self, partition: int, topic: str) -> int | None:
        """The offset of the first command or urgent message to read; None for the beginning."""
        ward = self._wards[partition]
        return ward.next_urgent if topic == topics.URGENT else ward.next_command

    def close(self, partition: int) -> None:
        """Forget a partition."""
        self._wards.pop(partition, None)
        self._measure()

    async def process(self, batch: Mapping[int, Sequence[Received]]) -> Mapping[int, Sequence[Outgoing]]:
        """Work verdicts, urgent messages and commands in, and look who is silent; what to write, by partition."""
        now_s = self._listened_s()
        outputs: dict[int, list[Outgoing]] = {}
        # Who is heard by now is not silent, however long nobody looked.
        for partition, messages in batch.items():
            outputs[partition] = self._take(self._wards[partition], messages, now_s)
        if now_s - self._looked_s >= LOOK_EVERY_S:
            self._looked_s = now_s
            self._measure()
            for partition, ward in self._wards.items():
                outputs.setdefault(partition, []).extend(self._look_for_silent(ward, now_s))
        for partition, out in outputs.items():
            self._note(self._wards[partition], out, now_s)
        return {partition: out for partition, out in outputs.items() if out}

    def committed(self, messages: Sequence[Outgoing]) -> None:
        """Count and log the alerts of a transaction: now they have been told, and they are told once."""
        self._metrics.transactions.inc()
        for message in messages:
            if message.topic == topics.ALERTS and message.value is not None:
                alert = Alert.model_validate_json(message.value)
                self._metrics.alerts.labels(kind=alert.kind, priority=alert.priority, phase=alert.phase).inc()
                log.info("alert", **alert.as_json())

    def _listened_s(self) -> float:
        """The monotonic clock, less the time in which this service did not listen."""
        now_s = self._clock.monotonic_s()
        self._deaf_s += max(0.0, now_s - self._turned_s - TURN_S)
        self._turned_s = now_s
        return now_s - self._deaf_s

    def _take(self, ward: _Ward, messages: Sequence[Received], now_s: float) -> list[Outgoing]:
        out: list[Outgoing] = []
        for message in messages:
            # The runner puts the installation's prefix before a topic's name.
            if message.topic.endswith(topics.ALERT_COMMANDS):
                ward.next_command = message.offset + 1
                out += self._take_command(ward, message, now_s)
            elif message.topic.endswith(topics.URGENT):
                ward.next_urgent = message.offset + 1
                out += self._take_urgent(ward, message, now_s)
            else:
                ward.next_offset = message.offset + 1
                out += self._take_verdict(ward, message, now_s)
        ward.unnoted += len(messages)
        ward.took_s = now_s
        return out

    def _take_verdict(self, ward: _Ward, message: Received, now_s: float) -> list[Outgoing]:
        try:
            verdict = decode(message, Verdict)
        except BadMessageError as error:
            return self._refuse(ward, message, str(error))
        letters = self._count_letters(ward.quarantine.good(message))
        self._metrics.verdicts.labels(decision=verdict.decision).inc()
        ward.heard_s[verdict.patient] = self._heard_s = now_s
        # The headers travel on: they tell when the samples came, so that a reader can measure the whole way.
        return [*letters, *self._step(ward, verdict.patient, verdict, message, message.headers)]

    def _take_urgent(self, ward: _Ward, message: Received, now_s: float) -> list[Outgoing]:
        try:
            urgent = decode(message, Urgent)
        except BadMessageError as error:
            return self._refuse(ward, message, str(error))
        letters = self._count_letters(ward.quarantine.good(message))
        # Who is silent is told by the windows; but whoever is followed was heard once.
        ward.heard_s.setdefault(urgent.patient, now_s)
        return [*letters, *self._step(ward, urgent.patient, urgent, message, message.headers)]

    def _take_command(self, ward: _Ward, message: Received, now_s: float) -> list[Outgoing]:
        try:
            command = decode(message, AlertCommand)
            refuse_future(command, self._clock.now_ns())
        except BadMessageError as error:
            return [self._bury(message, str(error))]
        passed = self._silence(ward, command.patient, now_s)
        return [*passed, *self._step(ward, command.patient, command, message)]

    def _look_for_silent(self, ward: _Ward, now_s: float) -> list[Outgoing]:
        return [out for patient in list(ward.patients) for out in self._silence(ward, patient, now_s)]

    def _silence(self, ward: _Ward, patient: str, now_s: float) -> list[Outgoing]:
        """Let time pass for a patient of whom nothing came for a while."""
        state, since_s = ward.patients.get(patient), ward.heard_s.get(patient, now_s)
        if state is None or now_s - since_s < SILENT_S:
            return []
        silence = Silence(now_ns=state.seen_ns + round((now_s - since_s) * 1e9), anybody_s=now_s - self._heard_s)
        return self._step(ward, patient, silence, None)

    def _step(
        self, ward: _Ward, patient: str, event: Event, message: Received | None, headers: Headers = ()
    ) -> list[Outgoing]:
        before = ward.patients.get(patient)
        broker = None if message is None else BrokerTime(message.timestamp_ms * 1_000_000, self._tolerance_ns)
        after, actions = policy(before, event, self._rules, broker=broker)
        if after is not before:
            # Passing time alone is known again from the clock.
            if actions or not isinstance(event, Silence):
                ward.changed.add(patient)
            if after is None:
                ward.patients.pop(patient, None)
                ward.heard_s.pop(patient, None)
            else:
                ward.patients[patient] = after
        out = []
        for action in actions:
            if isinstance(action, Refusal):
                assert message is not None  # noqa: S101 # a refusal answers a command, and that came in a message
                out.append(self._bury(message, action.reason))
            else:
                out.append(
                    Outgoing(topic=topics.ALERTS, key=action.id.encode(), value=action.to_bytes(), headers=headers)
                )
        return out

    def _note(self, ward: _Ward, out: list[Outgoing], now_s: float) -> None:
        """Write with what is told, or after a while without, where the partition stands."""
        idle = ward.unnoted and now_s - ward.took_s >= IDLE_S
        if not out and ward.unnoted < NOTE_EVERY and not idle:
            return
        for patient in sorted(ward.changed):
            state = ward.patients.get(patient)
            out.append(self._progress(patient.encode(), dump(state) if state else None))
        ward.changed.clear()
        stand = PartitionProgress(
            next_offset=ward.next_offset,
            next_command=ward.next_command,
            next_urgent=ward.next_urgent,
            refused=tuple(ward.quarantine.dump()),
        )
        out.append(self._progress(PARTITION_KEY, stand.model_dump_json().encode()))
        ward.unnoted = 0

    def _refuse(self, ward: _Ward, message: Received, reason: str) -> list[Outgoing]:
        """Put aside what could not be decoded; a sender of nothing else is told of now and then."""
        refusal = RefusedMessage(code="undecodable", reason=reason)
        self._metrics.refused_messages.labels(code=refusal.code).inc()
        letters = ward.quarantine.bad(message, refusal)
        if letters:
            log.warning(
                "message_refused",
                topic=message.topic,
                partition=message.partition,
                offset=message.offset,
                reason=reason,
            )
        return self._count_letters(letters)

    def _count_letters(self, letters: list[Outgoing]) -> list[Outgoing]:
        self._metrics.dead_letters.inc(len(letters))
        return letters

    def _bury(self, message: Received, reason: str) -> Outgoing:
        """Answer a command that cannot be done."""
        self._metrics.dead_letters.inc()
        self._metrics.refused_messages.labels(code="command").inc()
        log.warning(
            "dead_letter", topic=message.topic, partition=message.partition, offset=message.offset, reason=reason
        )
        refusal = RefusedMessage(code="command", reason=reason)
        return dead_letter(message, refusal, topic=topics.DEAD_LETTERS, service=SERVICE)

    def _progress(self, key: bytes, value: bytes | None) -> Outgoing:
        return Outgoing(topic=topics.ALERTING_PROGRESS, key=key, value=value)

    def _measure(self) -> None:
        states = [state for ward in self._wards.values() for state in ward.patients.values()]
        self._metrics.patients.set(len(states))
        self._metrics.count_open(alarm for state in states for alarm in state.alarms.values())
