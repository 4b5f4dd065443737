"""People's commands and decisions on their way to the topics: one publisher, started with the first."""

import asyncio
from collections import OrderedDict
from contextlib import suppress
from http import HTTPStatus
from typing import Self

from alerting.commanding import CommandRefusedError, NoAnswerError, answered, publish
from bus.beat_reviews import publish_review
from bus.clients import BrokerError, KafkaPublisher
from bus.messages import Alert, AlertCommand, BeatReview
from bus.settings import KafkaSettings
from ops.problems import ProblemError
from web.live.registry import PatientRegistry

PATIENCE_S = 10.0  # a person waits for it
REMEMBERED = 1000  # commands: a browser that sends one again soon does not wait for an answer that came already


class Commander:
    """Sends commands.

    To be used in ``async with``.
    """

    def __init__(self, kafka: KafkaSettings, ward: PatientRegistry) -> None:
        self._kafka = kafka.model_copy(update={"connect_timeout_s": min(kafka.connect_timeout_s, PATIENCE_S)})
        self._ward = ward
        self._starting = asyncio.Lock()
        self._publisher: KafkaPublisher | None = None
        self._sent: OrderedDict[str, AlertCommand] = OrderedDict()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._publisher is not None:
            with suppress(BrokerError):  # who sent it was told
                await self._publisher.__aexit__(None, None, None)

    async def send(self, command: AlertCommand) -> AlertCommand:
        """Send a command, once under its id; what was sent under it.

        Raises
        ------
        ProblemError : when another was sent under its id
        BrokerError : when Kafka does not take it
        """
        if (before := self._before(command)) is not None:
            return before
        await publish(await self._running(), command)
        self._remember(command)
        return command

    async def send_review(self, review: BeatReview) -> None:
        """Send a decision on a beat; it is stored when this returns.

        Raises
        ------
        BrokerError : when Kafka does not take it
        """
        await publish_review(await self._running(), review)

    async def send_and_wait(self, command: AlertCommand) -> list[Alert]:
        """Send a command, once under its id, and wait for what alerting says.

        Returns
        -------
        the alarms that it was about, as they stand

        Raises
        ------
        ProblemError : when it is refused, nobody answers, or another was sent under its id
        BrokerError : when Kafka does not take it
        """
        if self._before(command) is not None:
            return self._about(command)
        publisher = await self._running()
        self._remember(command)
        try:
            return await answered(publisher, self._kafka, command, known=self._about(command), answer_s=PATIENCE_S)
        except CommandRefusedError as error:
            raise ProblemError(HTTPStatus.CONFLICT, str(error)) from error
        except NoAnswerError as error:
            raise ProblemError(HTTPStatus.GATEWAY_TIMEOUT, str(error)) from error

    def _before(self, command: AlertCommand) -> AlertCommand | None:
        before = self._sent.get(command.id)
        if before is not None and before.model_copy(update={"sent_ns": command.sent_ns}) != command:
            raise ProblemError(HTTPStatus.CONFLICT, f"id={command.id!r} was sent with another command: choose another")
        return before

    def _remember(self, command: AlertCommand) -> None:
        self._sent[command.id] = command
        if len(self._sent) > REMEMBERED:
            self._sent.popitem(last=False)

    def _about(self, command: AlertCommand) -> list[Alert]:
        live = self._ward.patients.get(command.patient)
        return [alert for alert in live.open_alarms() if command.alert in {None, alert.id}] if live else []

    async def _running(self) -> KafkaPublisher:
        async with self._starting:
            if self._publisher is None:
                publisher = KafkaPublisher(self._kafka, delivery_timeout_s=PATIENCE_S)
                self._publisher = await publisher.__aenter__()
            return self._publisher
