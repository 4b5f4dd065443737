"""Protocols of a bus: the real one is in ``clients``, the in-memory one in ``testing``."""

from collections.abc import AsyncIterator, Awaitable, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

Headers = Sequence[tuple[str, bytes]]


class Received(NamedTuple):
    """A message as it came from a topic, which is named as in ``bus.topics``: a tuple, since thousands come a second.

    ``timestamp_ms`` is when the broker took it in, ms UTC.
    """

    topic: str
    partition: int
    offset: int
    timestamp_ms: int
    key: bytes | None
    value: bytes | None
    headers: Headers = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Outgoing:
    """A message to be sent to a topic, which is named as in ``bus.topics``.

    ``partition`` None leaves the choice to the key's hash.
    """

    topic: str
    key: bytes | None
    value: bytes | None
    partition: int | None = None
    headers: Headers = ()


class Publisher(Protocol):
    """Sends messages."""

    async def send(self, message: Outgoing) -> Awaitable[None]:
        """Hand a message over, waiting while the send buffer is full; await the result for the broker's word."""

    async def flush(self) -> None:
        """Wait until everything handed over has been acknowledged; raise if anything failed."""


class Reader(Protocol):
    """Follows topics outside any consumer group, seeing committed messages only."""

    def __aiter__(self) -> AsyncIterator[Received]:
        """Every message, for ever."""

    async def batch(self, *, timeout_ms: int = ...) -> list[Received]:
        """The next messages, as many as are there; empty when none comes in time."""
