"""A message for a channel, its sender's protocol and the errors of sending."""

import hashlib
from dataclasses import dataclass
from typing import Protocol

from pydantic import ValidationError

from bus.messages import Alert
from ecg.errors import EcgStreamError


class SendError(EcgStreamError):
    """A message was not delivered; later it may be."""


class RefusedMessageError(SendError):
    """A message never will be delivered: trying again cannot help."""


class ChannelDownError(SendError):
    """No message can be delivered now.

    Parameters
    ----------
    message : why
    retry_after_s : how long the other side asks to be left alone, s; None when it does not say
    """

    def __init__(self, message: str, *, retry_after_s: float | None = None) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """One message for one channel.

    Attributes
    ----------
    id : of its row in the outbox
    channel, alarm, sequence : what it is, the same over all attempts
    attempts : this one included
    queued_ns : since when it waits, wall time, ns UTC
    published_ns : when the message was handed to Kafka, wall time, ns UTC
    message : the alert as JSON
    """

    id: int
    channel: str
    alarm: str
    sequence: int
    attempts: int
    queued_ns: int
    published_ns: int
    message: str

    @property
    def key(self) -> str:
        """By it a receiver knows a message that comes again. No patient's id can be read from it."""
        return hashlib.sha256(f"{self.alarm}\0{self.sequence}\0{self.channel}".encode()).hexdigest()

    def alert(self) -> Alert:
        """The message.

        Raises
        ------
        RefusedMessageError : when another release wrote it
        """
        try:
            return Alert.model_validate_json(self.message)
        except ValidationError:
            raise RefusedMessageError("the message is of another release, which this one cannot read") from None


class Sender(Protocol):
    """One channel's way out. One thread at a time uses it; it may block for the channel's timeout."""

    def send(self, delivery: Delivery) -> None:
        """Deliver a message.

        Raises
        ------
        SendError : when it was not delivered, or it is not known whether it was
        """

    def close(self) -> None:
        """Let go of its connections."""
