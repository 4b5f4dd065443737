"""Alarms and commands from Kafka into the database, beside the alerting and never in its way.

It reads what the alerting has committed, like any other client. The place up to which it has read lies in the
database, and is written in one transaction with what was read: a crash at any moment loses nothing and doubles nothing.
A database that is away is waited for; Kafka keeps the messages meanwhile.
"""

import asyncio
import random
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Self, TypeVar

import structlog
from pydantic import ValidationError
from sqlalchemy import URL

from alerting.database.engine import WAIT_S, HistoryError, RefusedError, in_thread, patiently
from alerting.decoding import decode
from alerting.delivery.channels import NONE, Channels
from alerting.history.store import AlarmStore, Entry, Place, PlaceLostError
from alerting.metrics import AlertingMetrics
from bus import topics
from bus.clients import KafkaReader
from bus.dead_letters import BadMessageError
from bus.interfaces import Received
from bus.messages import Alert, AlertCommand
from bus.settings import KafkaSettings
from bus.topic_admin import cluster_id, topic_states
from ops.clock import Clock
from ops.validation import first_error

READ = (topics.ALERTS, topics.ALERT_COMMANDS)
POLL_MS = 200  # how soon an idle recorder sees that it is to leave
BATCH = 500  # messages of a transaction: others may have to wait for it
JITTER_S = 1.0  # services that wait for one database must not come back all at once
LEAVE_S = 3.0  # for the last alarms; a database that is away then gets them after the next start

log = structlog.get_logger(__name__)
ResultT = TypeVar("ResultT")


class Recorder:
    """Writes the alarm history while in ``async with``.

    What was committed until its end is recorded, unless the database is away.

    Parameters
    ----------
    kafka : where the topics are
    url : the database
    metrics : what to count on
    clock : tells for how long the database has been away
    channels : over which new messages are to be delivered
    recorded : is called when there are new messages
    """

    def __init__(
        self,
        kafka: KafkaSettings,
        url: URL,
        metrics: AlertingMetrics,
        *,
        clock: Clock,
        channels: Channels = NONE,
        recorded: Callable[[], None] = lambda: None,
    ) -> None:
        self._kafka = kafka
        self._url = url
        self._metrics = metrics
        self._clock = clock
        self._channels = channels
        self._recorded = recorded
        self._leaving = False
        self._failing_since_s: float | None = None
        self._opened = False
        metrics.history_failing_seconds.set_function(self._failing_s)

    async def __aenter__(self) -> Self:
        self._work = asyncio.create_task(self.run(), name="alarm-history")
        return self

    async def __aexit__(self, failure: type[BaseException] | None, *_: object) -> None:
        try:
            if failure is None:
                self.leave()
                await asyncio.wait({self._work}, timeout=LEAVE_S)
        finally:
            self._work.cancel()
            await asyncio.gather(self._work, return_exceptions=True)

    def leave(self) -> None:
        """Read up to the end, and return then."""
        self._leaving = True

    async def run(self) -> None:
        """Record until ``leave`` is called; whatever goes wrong, begin again where the database stands."""
        # A thread of its own: a database that waits for a lock must not keep others from theirs.
        with ThreadPoolExecutor(1, thread_name_prefix="alarm-history") as self._thread:
            while True:
                try:
                    return await self._follow()
                except Exception as error:  # noqa: BLE001 # whatever it was: the alarms go on, and so must their history
                    self._failed()
                    log.warning("alarm_history_begins_again", error=repr(error))
                await asyncio.sleep(WAIT_S + random.uniform(0.0, JITTER_S))  # noqa: S311 # no secret

    async def _follow(self) -> None:
        """Read on from where the database stands, until ``leave``."""
        store = AlarmStore(self._url, cluster=await cluster_id(self._kafka), channels=self._channels)
        try:
            self._opened = False
            start = await self._start(store)
            async with KafkaReader(self._kafka, READ, start=start) as reader:
                log.info(
                    "alarm_history_follows", places={f"{topic}/{number}": at for (topic, number), at in start.items()}
                )
                while True:
                    messages = await reader.batch(timeout_ms=POLL_MS)
                    for first in range(0, len(messages), BATCH):
                        await self._take(store, messages[first : first + BATCH])
                    if not messages and self._leaving:
                        return
        finally:
            await in_thread(self._thread, store.close)

    def _place(self, topic: str, partition: int) -> Place:
        """Return a partition's place in the database, which several installations on a cluster may share."""
        return Place(self._kafka.topic(topic), partition)

    async def _start(self, store: AlarmStore) -> dict[tuple[str, int], int]:
        """The offsets to read on from; the beginning where a topic is shorter than what was read of it."""
        places = await self._patiently(store, store.places)
        ends = {
            (topic, number): end
            for topic, state in (await topic_states(self._kafka, READ)).items()
            for number, end in state.ends.items()
        }
        known = {at: places[place] for at in ends if (place := self._place(*at)) in places}
        anew = [self._place(*at) for at, offset in known.items() if offset > ends[at]]
        if anew:
            log.warning("topic_made_anew", places=[f"{topic}/{number}" for topic, number in anew])
            await self._patiently(store, lambda: store.begin_again(anew))
        return {at: offset for at, offset in known.items() if offset <= ends[at]}

    async def _take(self, store: AlarmStore, messages: Sequence[Received]) -> None:
        entries = [self._entry(message) for message in messages]
        try:
            await self._record(store, entries)
        except RefusedError:
            # One row that can never be written must not keep the others out.
            for entry in entries:
                try:
                    await self._record(store, [entry])
                except RefusedError as error:
                    self._pass_over(entry.place, entry.offset, str(error))
                    await self._record(store, [replace(entry, message=None)])

    async def _record(self, store: AlarmStore, entries: Sequence[Entry]) -> None:
        recorded = await self._patiently(store, lambda: store.record(entries))
        if recorded.events:
            self._recorded()
        self._metrics.history_events.inc(recorded.events)
        self._metrics.history_actions.inc(recorded.actions)
        now_ns = self._clock.now_ns()
        for entry in entries:
            self._metrics.history_delay_seconds.observe(max(0.0, (now_ns - entry.published_ns) / 1e9))
        if recorded.missing:
            self._metrics.history_missing.inc(recorded.missing)
            log.warning("alarm_history_lacks", messages=recorded.missing)

    def _entry(self, message: Received) -> Entry:
        place = self._place(message.topic, message.partition)
        read: Alert | AlertCommand | None = None
        try:
            if message.topic == topics.ALERT_COMMANDS:
                read = decode(message, AlertCommand)
            elif message.value is not None:
                read = Alert.model_validate_json(message.value)
        except BadMessageError as error:
            self._pass_over(place, message.offset, str(error))
        except ValidationError as error:
            self._pass_over(place, message.offset, first_error(error.errors()))
        return Entry(place=place, offset=message.offset, published_ns=message.timestamp_ms * 1_000_000, message=read)

    def _pass_over(self, place: Place, offset: int, reason: str) -> None:
        self._metrics.history_unreadable.inc()
        log.warning(
            "alarm_history_passes_over", topic=place.topic, partition=place.partition, offset=offset, reason=reason
        )

    async def _patiently(self, store: AlarmStore, work: Callable[[], ResultT]) -> ResultT:
        """Do something with the database, again and again while it cannot be done now."""

        def attempted() -> ResultT:
            # After a failure, too: what comes back may be another file, or an older copy.
            if not self._opened:
                store.open()
                self._opened = True
            return work()

        async def attempt() -> ResultT:
            try:
                return await in_thread(self._thread, attempted)
            except HistoryError as error:
                if _passing(error):
                    self._opened = False
                    self._failed()
                raise

        result = await patiently(attempt, on=_passing, wait_s=WAIT_S, jitter_s=JITTER_S)
        self._failing_since_s = None
        return result

    def _failed(self) -> None:
        self._metrics.history_failures.inc()
        if self._failing_since_s is None:
            self._failing_since_s = self._clock.monotonic_s()

    def _failing_s(self) -> float:
        return 0.0 if self._failing_since_s is None else self._clock.monotonic_s() - self._failing_since_s


def _passing(error: Exception) -> bool:
    """Tell a failure that may pass from one that will not."""
    return isinstance(error, HistoryError) and not isinstance(error, (RefusedError, PlaceLostError))
