"""Sending messages to Kafka."""

import asyncio
from collections.abc import Awaitable, Callable, Generator
from types import TracebackType
from typing import Any, Self

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError, KafkaTimeoutError, MessageSizeTooLargeError

from bus.connection import BrokerError, LetGoError, connected, connection_arguments, no_stray_cancellation, stopped
from bus.interfaces import Outgoing
from bus.settings import KafkaSettings

BATCH_BYTES = 262_144  # one batch a partition waits at most: this bounds the send buffer
ABANDON_S = 1.0  # after an error nobody waits for the messages that are left


class UnderWayError(BrokerError):
    """No word of a message in time: it is still under way, and may be stored yet."""


class KafkaPublisher:
    """Sends messages, each stored once however often the line breaks (``bus.interfaces.Publisher``).

    Parameters
    ----------
    settings : how to reach Kafka
    linger_ms : how long a message waits for others to share its batch, ms
    delivery_timeout_s : how long the brokers may be away before sending fails, s
    """

    def __init__(self, settings: KafkaSettings, *, linger_ms: int = 5, delivery_timeout_s: float = 120.0) -> None:
        self._settings = settings
        self._linger_ms = linger_ms
        self._delivery_timeout_s = delivery_timeout_s
        self._producer: AIOKafkaProducer | None = None
        self._failure: BaseException | None = None

    async def __aenter__(self) -> Self:
        arguments = connection_arguments(self._settings)
        self._producer = await connected(
            self._settings,
            lambda: AIOKafkaProducer(
                **arguments,
                acks="all",
                enable_idempotence=True,
                linger_ms=self._linger_ms,
                max_batch_size=BATCH_BYTES,
                request_timeout_ms=round(self._delivery_timeout_s * 1000),
            ),
        )
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if error is None:
                await self.flush()
        finally:
            # Nothing waits any more after a flush; after an error, or a flush in vain, nobody waits for the rest.
            await stopped(self._producer, patience_s=ABANDON_S)
            self._producer = None

    async def send(self, message: Outgoing) -> Awaitable[None]:
        """Hand a message over, waiting while the send buffer is full; await the result for the broker's word.

        Raises
        ------
        BrokerError : when the message is too large, its topic does not exist, or the brokers stay away; from the
            result ``UnderWayError`` when they say nothing: another wait for the same result may end well
        """
        try:
            future = await self._running().send(
                self._settings.topic(message.topic),
                value=message.value,
                key=message.key,
                partition=message.partition,
                headers=list(message.headers),
            )
        except (KafkaError, AssertionError) as error:
            raise self._broker_error(error, message) from error
        future.add_done_callback(self._note)
        return _Acknowledgement(lambda: self._word(future, message))

    async def flush(self) -> None:
        """Wait until everything handed over has been acknowledged."""
        try:
            with no_stray_cancellation():
                await asyncio.wait_for(self._running().flush(), self._delivery_timeout_s)
        except (LetGoError, TimeoutError) as error:
            raise BrokerError(
                f"Kafka at {self._settings.bootstrap_servers} has not acknowledged everything within "
                f"{self._delivery_timeout_s:g} s: the last messages may be lost; see whether the broker runs"
            ) from error
        if self._failure is not None:
            raise self._broker_error(self._failure, None) from self._failure

    async def _word(self, future: "asyncio.Future[Any]", message: Outgoing) -> None:
        """Wait for the broker's word; not for ever, since a message once under way is tried again for ever."""
        try:
            with no_stray_cancellation():
                await asyncio.wait_for(asyncio.shield(future), self._delivery_timeout_s)
        except TimeoutError as error:
            raise UnderWayError(str(self._broker_error(error, message))) from error
        except (KafkaError, LetGoError) as error:
            raise self._broker_error(error, message) from error

    def _running(self) -> AIOKafkaProducer:
        if self._producer is None:
            raise RuntimeError("use the publisher inside 'async with'")
        return self._producer

    def _note(self, future: "asyncio.Future[Any]") -> None:
        if not future.cancelled() and (error := future.exception()) is not None:
            self._failure = self._failure or error

    def _broker_error(self, error: BaseException, message: Outgoing | None) -> BrokerError:
        topic = self._settings.topic(message.topic) if message else "a topic"
        if isinstance(error, MessageSizeTooLargeError) and message:
            return BrokerError(f"a message of {len(message.value or b'')} bytes for {topic} is too large: send less")
        if isinstance(error, (KafkaTimeoutError, TimeoutError)):
            return BrokerError(
                f"Kafka at {self._settings.bootstrap_servers} has taken nothing for {topic} in "
                f"{self._delivery_timeout_s:g} s: see whether the broker runs"
            )
        return BrokerError(f"Kafka does not take a message for {topic}: {error!r}: see the broker's log")


class _Acknowledgement:
    """Waits for the broker's word on one message when it is awaited, and costs nothing when it is not."""

    __slots__ = ("_word",)

    def __init__(self, word: Callable[[], Awaitable[None]]) -> None:
        self._word = word

    def __await__(self) -> Generator[Any, None, None]:
        return self._word().__await__()
