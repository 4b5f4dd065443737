"""Verdicts in; alerts, dead letters and progress out: what the exactly-once runner drives."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import structlog
from pydantic import ValidationError

from alerting.episodes import PatientState, step
from alerting.metrics import AlertingMetrics
from alerting.progress import PARTITION_KEY, PartitionProgress, restore
from alerting.settings import AlertingSettings
from bus import topics
from bus.dead_letters import DeadLetterLimit, dead_letter
from bus.interfaces import Outgoing, Received
from bus.messages import Alert, Verdict
from ecg.errors import EcgStreamError

SERVICE = "alerting"
# Verdicts that change nothing need no transaction; after so many in a row the place is noted all the same, so that a
# restart rereads a bounded stretch.
NOTE_EVERY = 500

log = structlog.get_logger(__name__)


class BadVerdictError(EcgStreamError):
    """A message on ``ecg.windows`` that cannot be used."""


def decode(value: bytes | None, *, key: bytes | None) -> Verdict:
    """The verdict in a message.

    Raises
    ------
    BadVerdictError : when the bytes are no verdict of a known schema, or the key is not its patient
    """
    if not value:
        raise BadVerdictError("the message is empty: a verdict is a JSON object")
    try:
        verdict = Verdict.model_validate_json(value)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        place = ".".join(map(str, first["loc"])) or "the message"
        raise BadVerdictError(f"no verdict of schema version 1: {place}: {first['msg']}") from error
    if key != verdict.patient.encode():
        raise BadVerdictError(
            f"the key {key!r:.60} is not the patient {verdict.patient!r}: key each verdict by patient"
        )
    return verdict


@dataclass(slots=True, kw_only=True)
class _Ward:
    """The patients with trouble of one partition, and how many verdicts came since the place was last noted."""

    patients: dict[str, PatientState]
    unnoted: int = 0


class AlertingTransform:
    """Exactly-once processing of ``ecg.windows`` (see ``bus.exactly_once.Transform``).

    Parameters
    ----------
    settings : the rules of the episodes
    metrics : what to count on
    """

    input_topic = topics.WINDOWS
    progress_topic = topics.ALERTING_PROGRESS

    def __init__(self, settings: AlertingSettings, metrics: AlertingMetrics) -> None:
        self._settings = settings
        self._metrics = metrics
        self._limit = DeadLetterLimit()
        self._wards: dict[int, _Ward] = {}

    def open(self, partition: int, progress: Mapping[bytes, bytes]) -> int | None:
        """Take a partition over; the offset to resume at, None for the beginning.

        Raises
        ------
        BadProgressError : when a progress record is none of this version
        """
        next_offset, patients = restore(progress)
        self._wards[partition] = _Ward(patients=patients)
        self._measure()
        return next_offset

    def close(self, partition: int) -> None:
        """Forget a partition."""
        self._wards.pop(partition, None)
        self._measure()

    async def process(self, batch: Mapping[int, Sequence[Received]]) -> Mapping[int, Sequence[Outgoing]]:
        """Judge verdicts; what is to be written, by partition.

        Raises
        ------
        EcgStreamError : when too many messages cannot be decoded
        """
        outputs = {partition: self._judge(self._wards[partition], messages) for partition, messages in batch.items()}
        if outputs:
            self._measure()
        return outputs

    def committed(self, messages: Sequence[Outgoing]) -> None:
        """Count and log the alerts of a transaction: now they have been told, and they are told once."""
        self._metrics.transactions.inc()
        for message in messages:
            if message.topic == topics.ALERTS and message.value is not None:
                alert = Alert.model_validate_json(message.value)
                self._metrics.alerts.labels(kind=alert.kind, priority=alert.priority, phase=alert.phase).inc()
                log.info("alert", **alert.as_json())

    def _judge(self, ward: _Ward, messages: Sequence[Received]) -> list[Outgoing]:
        out: list[Outgoing] = []
        changed: dict[str, PatientState | None] = {}
        for message in messages:
            try:
                verdict = decode(message.value, key=message.key)
            except BadVerdictError as error:
                out.append(self._bury(message, str(error)))
                continue
            self._limit.good()
            self._metrics.verdicts.labels(decision=verdict.decision).inc()
            before = ward.patients.get(verdict.patient)
            after, alerts = step(before, verdict, self._settings)
            if after is not before:
                changed[verdict.patient] = after
            if after is None:
                ward.patients.pop(verdict.patient, None)
            else:
                ward.patients[verdict.patient] = after
            # The headers travel on: they tell when the samples came, so that a reader can measure the whole way.
            out += [
                Outgoing(topic=topics.ALERTS, key=alert.id.encode(), value=alert.to_bytes(), headers=message.headers)
                for alert in alerts
            ]
        for patient, state in changed.items():
            out.append(self._progress(patient.encode(), state.model_dump_json().encode() if state else None))
        ward.unnoted += len(messages)
        if out or ward.unnoted >= NOTE_EVERY:
            stand = PartitionProgress(next_offset=messages[-1].offset + 1)
            out.append(self._progress(PARTITION_KEY, stand.model_dump_json().encode()))
            ward.unnoted = 0
        return out

    def _bury(self, message: Received, reason: str) -> Outgoing:
        self._limit.bad(reason)
        self._metrics.dead_letters.inc()
        log.warning("dead_letter", partition=message.partition, offset=message.offset, reason=reason)
        return dead_letter(message, topic=topics.DEAD_LETTERS, service=SERVICE, reason=reason)

    def _progress(self, key: bytes, value: bytes | None) -> Outgoing:
        return Outgoing(topic=topics.ALERTING_PROGRESS, key=key, value=value)

    def _measure(self) -> None:
        states = [state for ward in self._wards.values() for state in ward.patients.values()]
        self._metrics.patients.set(len(states))
        for kind in ("physiological", "technical"):
            count = sum(1 for state in states for name, tracker in state.trackers if name == kind and tracker.open)
            self._metrics.open_alerts.labels(kind=kind).set(count)
