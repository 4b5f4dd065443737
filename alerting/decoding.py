"""Messages as they come: verdicts, urgent messages and commands, or why they are none."""

from typing import TypeVar

from pydantic import ValidationError

from bus.interfaces import Received
from bus.messages import AlertCommand, Urgent, Verdict
from ecg.errors import EcgStreamError

AHEAD_NS = 60_000_000_000  # two machines' clocks may differ by so much; beyond it a command's time is wrong

NAMES: dict[type, str] = {Verdict: "a verdict", Urgent: "an urgent message", AlertCommand: "a command"}

MessageT = TypeVar("MessageT", Verdict, Urgent, AlertCommand)


class BadMessageError(EcgStreamError):
    """A message that cannot be used."""


def decode(message: Received, kind: type[MessageT]) -> MessageT:
    """The verdict, urgent message or command in a message.

    Raises
    ------
    BadMessageError : when the bytes are none of a known schema, or the key is not its patient
    """
    one = NAMES[kind]
    name = one.partition(" ")[2]
    if not message.value:
        raise BadMessageError(f"the message is empty: {one} is a JSON object")
    try:
        read = kind.model_validate_json(message.value)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        place = ".".join(map(str, first["loc"])) or "the message"
        raise BadMessageError(f"no {name} of schema version 1: {place}: {first['msg']}") from error
    if message.key != read.patient.encode():
        raise BadMessageError(
            f"the key {message.key!r:.60} is not the patient {read.patient!r}: key each {name} by patient"
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
