"""Messages as they come: verdicts, urgent messages and commands, or why they are none."""

from typing import TypeVar

from pydantic import ValidationError

from bus.dead_letters import BadMessageError, refuse_misplaced
from bus.interfaces import Received
from bus.messages import AlertCommand, Urgent, Verdict
from ops.validation import first_error

AHEAD_NS = 60_000_000_000  # two machines' clocks may differ by so much; beyond it a command's time is wrong

NAMES: dict[type, str] = {Verdict: "a verdict", Urgent: "an urgent message", AlertCommand: "a command"}

MessageT = TypeVar("MessageT", Verdict, Urgent, AlertCommand)


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
    if partitions is not None:
        refuse_misplaced(message, read.patient, partitions, BadMessageError)
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
