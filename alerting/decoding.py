"""Messages as they come: verdicts, urgent messages and commands, or why they are none."""

from typing import TypeVar

from pydantic import ValidationError

from bus.interfaces import Received
from bus.messages import AlertCommand, RefusalCode, Urgent, Verdict
from bus.partitioning import partition_of
from ecg.errors import EcgStreamError
from ops.validation import first_error

AHEAD_NS = 60_000_000_000  # two machines' clocks may differ by so much; beyond it a command's time is wrong

NAMES: dict[type, str] = {Verdict: "a verdict", Urgent: "an urgent message", AlertCommand: "a command"}

MessageT = TypeVar("MessageT", Verdict, Urgent, AlertCommand)


class BadMessageError(EcgStreamError):
    """A message that cannot be used.

    Attributes
    ----------
    code : which kind of fault it is
    patient : whom it names, where that could be read
    """

    def __init__(self, message: str, *, code: RefusalCode = "undecodable", patient: str | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.patient = patient


def decode(message: Received, kind: type[MessageT], *, partitions: int | None = None) -> MessageT:
    """The verdict, urgent message, command or dead letter in a message.

    Parameters
    ----------
    message : as it came
    kind : what it must be
    partitions : how many the topic has, to refuse what lies in another than its key's; None does not look

    Raises
    ------
    BadMessageError : when the bytes are none of a known schema, the key is not its patient, or another partitioner
        than Java's client's chose the partition
    """
    one = NAMES[kind]
    name = one.partition(" ")[2]
    if not message.value:
        raise BadMessageError(f"the message is empty: {one} is a JSON object")
    try:
        read = kind.model_validate_json(message.value)
    except ValidationError as error:
        fault = first_error(error.errors(), whole="the message")
        raise BadMessageError(f"no {name} of schema version 1: {fault}") from error
    key = read.patient.encode()
    if message.key != key:
        raise BadMessageError(
            f"the key {message.key!r:.60} is not the patient {read.patient!r}: key each {name} by patient",
            code="no_key" if message.key is None else "wrong_key",
            patient=read.patient,
        )
    if partitions is not None and (home := partition_of(key, partitions)) != message.partition:
        raise BadMessageError(
            f"the key {read.patient!r} belongs in partition {home} of {partitions} and came in {message.partition}: "
            "another partitioner keyed it; set partitioner=murmur2_random (librdkafka, whose own is "
            "consistent_random), with kcat -X partitioner=murmur2_random",
            code="wrong_partition",
            patient=read.patient,
        )
    return read


def refuse_future(command: AlertCommand, now_ns: int) -> None:
    """Refuse a command that was sent later than now.

    Raises
    ------
    BadMessageError : when it was
    """
    ahead_ns = command.sent_ns - now_ns
    if ahead_ns > AHEAD_NS:
        raise BadMessageError(
            f"command {command.id!r} was sent {ahead_ns / 1e9:.0f} s from now, at most {AHEAD_NS / 1e9:.0f} s may be: "
            "set the sender's clock"
        )
