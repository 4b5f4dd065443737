"""The hub: reads the topics once for all browsers, keeps what they need, and sends it on."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import suppress
from typing import Literal, Self

import structlog
from pydantic import ValidationError

from bus import topics
from bus.clients import BrokerError, KafkaReader, SinceMs
from bus.interfaces import Received
from bus.messages import Alert
from bus.partitioning import partition_of
from bus.reachable import reachable
from bus.samples import BadChunkError, decode
from bus.settings import KafkaSettings
from bus.topic_admin import cluster_id
from ecg.errors import EcgStreamError
from ops.clock import Clock
from web.live.broadcaster import AlarmEvent, EventBroadcaster
from web.live.following import RETRY_S, Follower
from web.live.positions import CLUSTER
from web.live.registry import PatientRegistry, TooManyPatientsError
from web.live.summary import ranked_json
from web.live.verdicts import VerdictHead
from web.live.watching import LiveClient, Watch, Watchers
from web.metrics import WebMetrics

TICK_S = 0.08  # a turn of the hub: what has come in it goes out as one message
POLL_S = 1.0
FLUSH_S = 0.25
READ_TOGETHER = 20  # patients: some 15 ms
REFUSED_S = 60.0  # between two words in the log about patients for whom there is no room
QUIET_S = 3.0  # nothing came for so long: see whether Kafka is there
SAMPLES_BACK_MS = 20_000
VERDICTS_BACK_MS = 3_600_000

Line = Literal["waiting", "catching_up", "connected"]
log = structlog.get_logger(__name__)


class Hub:
    """Content of the topics, held for the browsers.

    To be used in ``async with``: it reads from there on, and waits for a Kafka that is away.

    Attributes
    ----------
    watchers : who watches traces
    events : who is told of events
    working : all that it does; done only when something has failed
    closed : set when the service leaves
    """

    working: "asyncio.Future[list[None]]"

    def __init__(
        self, kafka: KafkaSettings, metrics: WebMetrics, clock: Clock, *, ward: PatientRegistry | None = None
    ) -> None:
        self.ward = ward or PatientRegistry()
        self.watchers = Watchers(metrics)
        self.events = EventBroadcaster(metrics)
        self.closed = asyncio.Event()
        self._kafka = kafka
        self._metrics = metrics
        self._clock = clock
        self._tasks: list[asyncio.Task[None]] = []
        self._reached = False
        self._identified = asyncio.Event()
        self._broadcast_line: Line = "waiting"
        self._logged_refused_s = float("-inf")
        self._newest_samples_ms = 0
        self._damaged = 0
        self._samples = Follower(
            kafka,
            topics.SAMPLES,
            start=lambda: SinceMs(self._now_ms() - SAMPLES_BACK_MS),
            take=self._take_samples,
            clock=clock,
            pace_s=TICK_S,
            after=self._after_samples,
        )
        self._verdicts = Follower(
            kafka,
            topics.WINDOWS,
            start=lambda: SinceMs(self._now_ms() - VERDICTS_BACK_MS),
            take=self._take_verdict,
            clock=clock,
            pace_s=TICK_S,
        )
        self._alerts = Follower(kafka, topics.ALERTS, start=lambda: "beginning", take=self._take_alert, clock=clock)
        self._followers = (self._samples, self._verdicts, self._alerts)

    async def __aenter__(self) -> Self:
        works = (*(follower.run for follower in self._followers), self._broadcast_changes, self._flush, self._see_line)
        self._tasks = [asyncio.create_task(work()) for work in works]
        self.working = asyncio.gather(*self._tasks)
        return self

    async def __aexit__(self, *_: object) -> None:
        self.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        with suppress(asyncio.CancelledError, Exception):  # who waited for it was told
            await self.working

    def close(self) -> None:
        """End all event streams: the service leaves."""
        self.closed.set()
        for listener in self.events.listeners:
            listener.end()

    @property
    def line(self) -> Line:
        """Return whether Kafka answers, and whether all it held has been read."""
        if not self._reached:
            return "waiting"
        return "connected" if all(follower.caught_up.is_set() for follower in self._followers) else "catching_up"

    async def alarms_known(self) -> bool:
        """Wait until all open alarms are known; whether they are, for the service may end before."""
        known = asyncio.create_task(self._all_known())
        closed = asyncio.create_task(self.closed.wait())
        try:
            await asyncio.wait((known, closed), return_when=asyncio.FIRST_COMPLETED)
        finally:
            known.cancel()
            closed.cancel()
        return not self.closed.is_set()

    async def _all_known(self) -> None:
        await self._alerts.caught_up.wait()
        await self._identified.wait()

    async def alarms_since(self, wanted: Mapping[int, int]) -> AsyncIterator[AlarmEvent]:
        """Alarms read back from Kafka, up to its present end.

        Parameters
        ----------
        wanted : by partition, the first offset

        Raises
        ------
        BrokerError : when Kafka does not answer
        """
        start = {place: wanted.get(place[1], offset) for place, offset in self._alerts.positions.items()}
        async with KafkaReader(self._kafka, [topics.ALERTS], start=start) as reader:
            async for message in reader.to_end():
                if message.partition in wanted and (alert := self._alert(message)) is not None:
                    yield _alarm_event(alert, message)

    # --- taking ---

    def _take_samples(self, message: Received) -> None:
        self._newest_samples_ms = message.timestamp_ms
        patient, value = (message.key or b"").decode(errors="replace"), message.value or b""
        unwatched = not self.watchers.watches(patient)
        if unwatched and self.ward.keep_unread(patient, value, message.partition, message.timestamp_ms):
            return
        try:
            chunk = decode(value, key=message.key)
        except BadChunkError:  # the detector puts it aside and says why
            self._metrics.unreadable.inc()
            return
        if message.partition != partition_of(chunk.patient.encode(), len(self._samples.positions)):
            self._metrics.misplaced.inc()
            return
        try:
            arrived = self.ward.take_chunk(chunk, message.timestamp_ms)
        except TooManyPatientsError:
            self._refused()
            return
        if arrived is None:
            return
        self.watchers.arrived(arrived)
        if unwatched:
            self.ward.let_wait(patient, value, message.partition)

    def _after_samples(self) -> None:
        self._metrics.hub_lag_seconds.set(max(0.0, (self._now_ms() - self._newest_samples_ms) / 1000))
        self.watchers.send()

    async def watch(self, client: LiveClient, watch: Watch) -> None:
        """Let a client watch; what it watched before, it does no longer.

        What was kept of the patients as it came is read first, a few at a time: others are waiting for what comes.
        """
        for number, patient in enumerate(self._ids(watch), start=1):
            self.ward.read(patient)
            if not number % READ_TOGETHER:
                await asyncio.sleep(0)
        ids = self._ids(watch)
        for patient in ids:  # whoever came meanwhile, and what did of the first
            self.ward.read(patient)
        self.watchers.watch(client, watch, [self.ward.patients[patient] for patient in ids])

    def _ids(self, watch: Watch) -> list[str]:
        patients = self.ward.patients
        return sorted(patients.keys() if watch.patients is None else watch.patients & patients.keys())

    def _take_verdict(self, message: Received) -> None:
        value = (message.value or b"").replace(b"\r", b" ").replace(b"\n", b" ")  # a line break ends an event
        try:
            head = VerdictHead.model_validate_json(value)
        except ValidationError:
            self._metrics.unreadable.inc()
            return
        try:
            self.ward.take_verdict(head, value, offset=message.offset, sent_ms=message.timestamp_ms)
        except TooManyPatientsError:
            self._refused()
            return
        if self._verdicts.caught_up.is_set():
            self.events.verdict(head.patient, value)

    def _take_alert(self, message: Received) -> None:
        alert = self._gone(message) if message.value is None else self._alert(message)
        if alert is None:
            return
        try:
            self.ward.take_alert(alert, sent_ms=message.timestamp_ms)
        except TooManyPatientsError:
            self._refused()
        self.events.alarm(_alarm_event(alert, message))

    def _gone(self, message: Received) -> Alert | None:
        """The end of an alarm that the topic holds no more: only who has it open still need hear of it."""
        before = self.ward.alarm_gone((message.key or b"").decode(errors="replace"))
        if before is None:
            return None
        end = {"phase": "end", "state": "inactive", "sequence": before.sequence + 1, "end_ns": before.told_ns}
        return before.model_copy(update=end)

    def _refused(self) -> None:
        self._metrics.refused_patients.inc()
        now_s = self._clock.monotonic_s()
        if now_s - self._logged_refused_s >= REFUSED_S:
            self._logged_refused_s = now_s
            log.warning(
                "too_many_patients",
                reason=f"{len(self.ward.patients)} patients are followed, and none of them is dormant: raise "
                "ECGSTREAM_WEB_MAX_PATIENTS, or find out who sends so many ids",
            )

    def _alert(self, message: Received) -> Alert | None:
        if message.value is None:  # the mark that a key is gone
            return None
        try:
            return Alert.model_validate_json(message.value)
        except ValidationError:  # of another release
            self._metrics.unreadable.inc()
            return None

    # --- looking ---

    async def _broadcast_changes(self) -> None:
        """Tell who looks otherwise, every second."""
        while True:
            self.events.changed(self.ward.changed_at(self._now_ms()))
            if self.line != self._broadcast_line:
                self._broadcast_line = self.line
                self.events.say("status", {"kafka": self.line})
            self._metrics.patients.set(len(self.ward.patients))
            self._metrics.unreadable.inc(self.ward.damaged - self._damaged)
            self._damaged = self.ward.damaged
            self._metrics.live_clients.set(self.watchers.clients)
            self._metrics.listeners.set(len(self.events.listeners))
            self._metrics.event_queue_depth.set(max((one.depth for one in self.events.listeners), default=0))
            await self._clock.sleep(POLL_S)

    async def _flush(self) -> None:
        """Send what need not go at once: several things together cost each client one message."""
        while True:
            self.events.flush()
            await self._clock.sleep(FLUSH_S)

    async def _see_line(self) -> None:
        """See whether Kafka is there when nothing comes, and whether it is the same as before."""
        while True:
            last_s = max(follower.last_message_s for follower in self._followers)
            reached = self._clock.monotonic_s() - last_s < QUIET_S or await reachable(self._kafka)
            if reached and not self._reached:
                reached = await self._identify()
            self._reached = reached
            await self._clock.sleep(RETRY_S if self._reached else POLL_S)

    async def _identify(self) -> bool:
        """See which Kafka it is; whether it says so."""
        try:
            found = (await cluster_id(self._kafka))[:CLUSTER]
        except BrokerError as error:
            log.warning("waiting for Kafka", error=str(error))
            return False
        known = self.events.positions.cluster
        if known and found != known:
            raise EcgStreamError(
                f"another Kafka answers at {self._kafka.bootstrap_servers}: cluster {found}, before it was {known}: "
                "what is shown would be of both: restart the web service"
            )
        self.events.positions.cluster = found
        self._identified.set()
        return True

    def _now_ms(self) -> int:
        return self._clock.now_ns() // 1_000_000


def _alarm_event(alert: Alert, message: Received) -> AlarmEvent:
    value = ranked_json(alert, message.value or alert.to_bytes())  # as it was sent; of one that is gone, its end
    return AlarmEvent(alert.patient, message.partition, message.offset, value)
