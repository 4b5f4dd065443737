"""Commands about alarms, and the alarms on the topic: what the command line and the web service send and see.

What asks Kafka raises ``BrokerError`` when it does not answer, or has no such topic.
"""

import asyncio
import base64
from collections.abc import Iterable
from uuid import uuid4

from pydantic import ValidationError

from bus import topics
from bus.clients import KafkaPublisher, KafkaReader
from bus.interfaces import Outgoing, Publisher, Received
from bus.messages import Alert, AlertCommand, DeadLetter
from bus.settings import KafkaSettings
from ecg.errors import EcgStreamError
from ecg.urgency import alarm_rank
from ops.clock import SystemClock
from ops.validation import first_error

ANSWER_S = 10.0  # the service commits ten times a second


class CommandError(EcgStreamError):
    """A command about an alarm that is none, that was refused, or that nobody answered."""


class CommandRefusedError(CommandError):
    """A command that alerting refused."""


class NoAnswerError(CommandError):
    """A command that nobody answered in time; it takes effect when alerting reads it."""


def patient_of(alert_id: str) -> str:
    """The patient that an alarm's id names.

    Raises
    ------
    CommandError : when it is not an alarm id
    """
    patient, slash, _ = alert_id.partition("/")
    if not slash:
        raise CommandError(f"{alert_id!r} is not an alarm id: take one from `ecgstream alarms list`")
    return patient


def command(
    action: str,
    *,
    alert: str | None,
    patient: str | None,
    by: str,
    minutes: float | None,
    identity: str | None = None,
) -> AlertCommand:
    """A command, sent now.

    Parameters
    ----------
    action : "acknowledge", "silence" or "unsilence"
    alert, patient : the alarm that is meant, or the patient whose all are; one of the two
    by : who
    minutes : how long a silence lasts
    identity : its id, under which it takes effect once however often it is sent; None for a new one

    Raises
    ------
    CommandError : when both or neither is meant, or a value is outside its limits
    """
    if (alert is None) == (patient is None):
        raise CommandError("name one alarm by its id, or all of a patient's with --patient: not both, not neither")
    try:
        return AlertCommand.model_validate(
            {
                "id": identity or uuid4().hex,
                "patient": patient or patient_of(alert or ""),
                "action": action,
                "alert": alert,
                "by": by,
                "duration_s": None if minutes is None else minutes * 60,
                "sent_ns": SystemClock().now_ns(),
            }
        )
    except ValidationError as error:
        raise CommandError(f"{first_error(error.errors(), value=True)}: correct it") from error


def urgency_of(alert: Alert) -> tuple[int, int, str]:
    """Return what sorts alarms, the most urgent first: by rank; of those alike the newest first."""
    return alarm_rank(alert.priority, alert.state), -alert.onset_ns, alert.id


def latest(messages: Iterable[Received]) -> dict[str, Alert]:
    """The last that was told of each alarm, by id; what an older or newer release wrote is left out."""
    found: dict[str, Alert] = {}
    for message in messages:
        try:
            alert = Alert.model_validate_json(message.value or b"")
        except ValidationError:
            continue
        found[alert.id] = alert
    return found


async def alarms(kafka: KafkaSettings, *, patient: str | None = None, ended: bool = False) -> list[Alert]:
    """The alarms on the topic as they stand, the most urgent first; of one patient, and ended ones, if asked for."""
    async with KafkaReader(kafka, [topics.ALERTS], start="beginning") as reader:
        found = latest([message async for message in reader.to_end()])
    wanted = [
        alert
        for alert in found.values()
        if (ended or alert.phase != "end") and (patient is None or alert.patient == patient)
    ]
    return sorted(wanted, key=urgency_of)


async def publish(publisher: Publisher, request: AlertCommand) -> None:
    """Send a command; it takes effect when alerting reads it."""
    command = Outgoing(topic=topics.ALERT_COMMANDS, key=request.patient.encode(), value=request.to_bytes())
    await (await publisher.send(command))


async def answered(
    publisher: Publisher,
    kafka: KafkaSettings,
    request: AlertCommand,
    *,
    known: Iterable[Alert],
    answer_s: float = ANSWER_S,
) -> list[Alert]:
    """Send a command and wait for what alerting says to it.

    Parameters
    ----------
    publisher : what sends
    kafka : how to reach Kafka
    request : the command
    known : the alarms as they stand
    answer_s : how long to wait, s

    Returns
    -------
    the alarms that it was about, as they stand now; of a patient without open alarms none, and nothing is waited for

    Raises
    ------
    CommandRefusedError : when it is refused
    NoAnswerError : when nobody answers in time
    """
    expected = {
        alert.id
        for alert in known
        if alert.patient == request.patient and request.alert in {None, alert.id} and alert.acknowledged_by is None
    }
    async with KafkaReader(kafka, [topics.ALERTS, topics.DEAD_LETTERS], start="end") as reader:
        await publish(publisher, request)
        if request.alert is None and not expected:
            return []
        answers: dict[str, Alert] = {}
        try:
            async with asyncio.timeout(answer_s):
                while not answers or not expected <= answers.keys():
                    for message in await reader.batch(timeout_ms=200):
                        _hear(message, request, answers)
        except TimeoutError:
            if answers:  # an alarm may have ended meanwhile
                return list(answers.values())
            raise NoAnswerError(
                f"no answer within {answer_s:g} s: see whether `ecgstream alert` runs; the command waits on the topic "
                "and takes effect when it does"
            ) from None
    return list(answers.values())


async def send(kafka: KafkaSettings, request: AlertCommand, *, answer_s: float = ANSWER_S) -> list[Alert]:
    """Do what ``answered`` does, with a publisher of its own."""
    known = await alarms(kafka, patient=request.patient)
    async with KafkaPublisher(kafka) as publisher:
        return await answered(publisher, kafka, request, known=known, answer_s=answer_s)


def _hear(message: Received, request: AlertCommand, answers: dict[str, Alert]) -> None:
    """Take a message as an answer to a command, if it is one."""
    if message.topic == topics.ALERTS:
        for alert in latest([message]).values():
            done = {
                "acknowledge": alert.acknowledged_by == request.by,
                "silence": alert.silenced_by == request.by,
                "unsilence": alert.silenced_until_ns is None,
            }[request.action]
            if alert.patient == request.patient and request.alert in {None, alert.id} and done:
                answers[alert.id] = alert
        return
    letter = DeadLetter.model_validate_json(message.value or b"")
    if request.id.encode() in base64.b64decode(letter.value_base64 or ""):
        raise CommandRefusedError(f"refused: {letter.reason}")
