"""Consume, transform, produce: every input message takes effect exactly once, whatever crashes.

The input log and a compacted progress topic are the only state store. A transform gives, for what it read of a
partition, messages that go out in one transaction, its progress among them. When an instance dies, another starts
the partition's producer (which fences the dead one), reads the progress topic and rereads the input from where that
says. No group offsets are committed.
"""

import asyncio
import contextlib
import dataclasses
import time
from collections.abc import Callable, Mapping, Sequence
from enum import Enum
from typing import Any

import structlog
from aiokafka import AIOKafkaConsumer, ConsumerRebalanceListener, TopicPartition
from aiokafka.coordinator.assignors.sticky.sticky_assignor import StickyPartitionAssignor
from aiokafka.errors import KafkaError, ProducerFenced

from bus.connection import (
    BrokerError,
    LetGoError,
    connected,
    new_consumer,
    no_stray_cancellation,
    stopped,
)
from bus.interfaces import Outgoing, Received
from bus.pace import Pace
from bus.partition import PartitionWriter, read_compacted
from bus.progress_store import ProgressRecord, ProgressUnavailableError
from bus.reader import received
from bus.settings import KafkaSettings
from bus.side_reader import SideReader, Span
from bus.transforms import Side, Transform
from ecg.errors import EcgStreamError
from ops.clock import Clock, SystemClock

SESSION_TIMEOUT_MS = 6_000  # the least that a broker allows by default
HEARTBEAT_MS = 500
POLL_MS = 100  # an idle loop turns ten times a second
MAX_POLL_RECORDS = 500  # taking them in must not keep the event loop from its heartbeats
FENCED_WAIT_S = 2.0  # who fenced us holds the partition: let the group settle before asking again
RETRY_WAIT_S = 0.5
DRAIN_S = 5.0  # a last commit that takes longer waits for a broker that is away: what it held is seen again
STILL_S = 30.0  # a turn that takes longer does not come back
METADATA_MS = 15_000  # how often the consumer asks how many partitions there are
MAX_PENDING = 10_000  # messages waiting for a commit; beyond it the partition is paused

log = structlog.get_logger(__name__)


class ProgressError(EcgStreamError):
    """Progress that does not fit the input."""


class PartitionsChangedError(BrokerError):
    """The input has another number of partitions than this installation is set up for."""


class InputExpiredError(EcgStreamError):
    """Input was deleted before it was read."""


class State(Enum):
    """State of a partition at this instance."""

    ACQUIRING = "acquiring"  # its task fences the predecessor and reads the progress
    RESTORED = "restored"  # the loop has to open it
    READY = "ready"
    FAILED = "failed"


@dataclasses.dataclass(slots=True)
class _Slot:
    """A partition that the group gave us."""

    place: TopicPartition
    writer: PartitionWriter
    state: State = State.ACQUIRING
    next_offset: int = 0
    pending: list[Outgoing] = dataclasses.field(default_factory=list)
    work: asyncio.Task[None] | None = None  # the acquisition or the commit under way
    began_s: float = 0.0  # when the work began
    progress: Mapping[bytes, ProgressRecord] = dataclasses.field(default_factory=dict)
    beginning: int = 0  # the oldest offset that the input still has
    end: int = 0  # the one behind its newest
    side_next: dict[str, int] = dataclasses.field(default_factory=dict)  # by topic
    side_spans: dict[str, Span] = dataclasses.field(default_factory=dict)
    opened: bool = False  # the transform holds state for it
    paused: bool = False  # too much waits for a commit
    reseek: bool = False
    retry_at_s: float = 0.0

    @property
    def busy(self) -> bool:
        return self.work is not None and not self.work.done()


class _Assignment(ConsumerRebalanceListener):  # type: ignore[misc] # aiokafka has no type information
    """Notes what the group assigns; no more, since no heartbeat runs while a listener does."""

    def __init__(self, consumer: AIOKafkaConsumer) -> None:
        self._consumer = consumer
        self.places: set[TopicPartition] = set()
        self.generation = 0

    async def on_partitions_revoked(self, revoked: Any) -> None:
        """Nothing: an eager rebalance revokes all and gives most of it back."""

    async def on_partitions_assigned(self, assigned: Any) -> None:
        """Pause everything: the loop seeks and resumes when each partition is ready."""
        self.places = set(assigned)
        self.generation += 1
        if assigned:
            self._consumer.pause(*assigned)


class ExactlyOnce:
    """Runs a transform over a topic with a consumer group.

    Parameters
    ----------
    settings : how to reach Kafka
    transform : what to do
    side : the transform again, where it takes in other topics beside its input
    service : names the consumer group and the transactional ids
    instance : unique and stable name of this instance for static membership, so that a restart causes no
        rebalance; None for a member that comes and goes
    on_expired : is told how many offsets of the input were deleted before they were read
    on_rebalance : is called when the group has dealt the partitions anew, its first deal not counted
    on_commit_failure : is called when a transaction was not committed: its messages are seen again
    """

    def __init__(
        self,
        settings: KafkaSettings,
        transform: Transform,
        *,
        service: str,
        side: Side | None = None,
        instance: str | None = None,
        on_expired: Callable[[int], None] = lambda _: None,
        on_rebalance: Callable[[], None] = lambda: None,
        on_commit_failure: Callable[[], None] = lambda: None,
        clock: Clock | None = None,
    ) -> None:
        self._settings = settings
        self._transform = transform
        self._service = settings.topic_prefix + service
        self._instance = instance
        self._on_expired = on_expired
        self._on_rebalance = on_rebalance
        self._on_commit_failure = on_commit_failure
        self._clock = clock or SystemClock()
        self._slots: dict[int, _Slot] = {}
        self._generation = 0
        self._turned_s = self._clock.monotonic_s()
        self._pace = Pace(wall_s=time.monotonic(), cpu_s=time.process_time())
        self._consumer: Any = None
        self._side = None if side is None else SideReader(settings, side.side_topics)
        self._side_offset = None if side is None else side.side_offset

    @property
    def ready(self) -> bool:
        """True while every partition that the group gave us is being processed."""
        turning = self._clock.monotonic_s() - self._turned_s < STILL_S
        return turning and self._generation > 0 and all(slot.state is State.READY for slot in self._slots.values())

    @property
    def partitions(self) -> int:
        """Number of partitions being processed."""
        return sum(slot.state is State.READY for slot in self._slots.values())

    @property
    def assigned(self) -> int:
        """Number of partitions that the group gave us."""
        return len(self._slots)

    @property
    def existing(self) -> int:
        """Number of partitions of the input; 0 while that is not known."""
        if self._consumer is None:
            return 0
        return len(self._consumer.partitions_for_topic(self._settings.topic(self._transform.input_topic)) or ())

    def lag(self) -> dict[int, int]:
        """Messages that wait in each partition being processed."""
        ready = {number: slot for number, slot in self._slots.items() if slot.state is State.READY}
        return {
            number: max(0, (self._consumer.highwater(slot.place) or 0) - slot.next_offset)
            for number, slot in ready.items()
        }

    async def run(self, stop: asyncio.Event) -> None:
        """Process until ``stop`` is set; then commit what is pending and leave.

        Raises
        ------
        BrokerError : when no broker answers at the start
        PartitionsChangedError : when the input has another number of partitions than ``settings.partitions``
        ProgressError : when the input is shorter than what was read of it: it was deleted and made anew
        Exception : whatever the transform raises; the service cannot go on
        """
        consumer = self._consumer = await connected(self._settings, self._new_consumer)
        assignment = _Assignment(consumer)
        try:
            if self._side:
                await self._side.start()
            consumer.subscribe([self._settings.topic(self._transform.input_topic)], listener=assignment)
            while not stop.is_set():
                await self._turn(assignment)
            await self._drain()
        finally:
            await self._release_all()
            if self._side:
                await self._side.stop()
            await stopped(consumer)

    def _new_consumer(self) -> Any:
        return new_consumer(
            self._settings,
            group_id=self._service,
            group_instance_id=self._instance,
            auto_offset_reset="earliest",
            session_timeout_ms=SESSION_TIMEOUT_MS,
            heartbeat_interval_ms=HEARTBEAT_MS,
            partition_assignment_strategy=(StickyPartitionAssignor,),
            fetch_min_bytes=self._pace.gathering.min_bytes,
            fetch_max_wait_ms=self._pace.gathering.max_wait_ms,
            metadata_max_age_ms=METADATA_MS,
            max_poll_records=MAX_POLL_RECORDS,
        )

    async def _turn(self, assignment: _Assignment) -> None:
        """One turn of the loop: follow the assignment, read, transform, commit what is due."""
        self._turned_s = self._clock.monotonic_s()
        self._refuse_other_count()
        self._reconcile(assignment)
        try:
            with no_stray_cancellation():
                found = await self._consumer.getmany(timeout_ms=POLL_MS)
        except LetGoError as error:
            log.warning("read_cut_off", service=self._service, error=repr(error))
            found = {}
        batch: dict[int, list[Received]] = {}
        topic = self._transform.input_topic
        for place, messages in found.items():
            slot = self._slots.get(place.partition)
            if slot is None or slot.state is not State.READY or slot.reseek:
                continue
            fresh = [received(message, topic) for message in messages if message.offset >= slot.next_offset]
            # The mark of a transaction's end takes an offset, too; more than one at once is seldom.
            if fresh and fresh[0].offset > slot.next_offset + 1 and await self._was_overtaken(slot):
                continue
            if fresh:
                slot.next_offset = fresh[-1].offset + 1
                batch[place.partition] = fresh
        for partition, aside in await self._read_side():
            batch.setdefault(partition, []).extend(aside)
        for partition, outgoing in (await self._process(batch)).items():
            slot = self._slots[partition]
            if slot.state is State.READY:  # it may have failed meanwhile: then all of this will be seen again
                slot.pending.extend(outgoing)
        self._commit_due()
        self._keep_pace(came=bool(batch))

    def _keep_pace(self, *, came: bool) -> None:
        """Let more gather the busier the process is."""
        self._pace.turned(wall_s=time.monotonic(), cpu_s=time.process_time(), came=came)
        # aiokafka reads both anew for each fetch, but offers no way to set them once it runs.
        fetcher, gathering = self._consumer._fetcher, self._pace.gathering  # noqa: SLF001
        fetcher._fetch_min_bytes = gathering.min_bytes  # noqa: SLF001
        fetcher._fetch_max_wait_ms = gathering.max_wait_ms  # noqa: SLF001

    async def _process(self, batch: dict[int, list[Received]]) -> Mapping[int, Sequence[Outgoing]]:
        """Let the transform take messages in, but those of partitions that have to be restored for it."""
        while True:
            try:
                return await self._transform.process(batch)
            except ProgressUnavailableError as error:
                del batch[error.partition]
                self._fail(self._slots[error.partition], error)

    async def _was_overtaken(self, slot: _Slot) -> bool:
        """Return whether messages were deleted before they were read: restoring the slot then counts and logs it."""
        try:
            with no_stray_cancellation():
                beginning = (await self._consumer.beginning_offsets([slot.place]))[slot.place]
        except (KafkaError, LetGoError) as error:
            self._fail(slot, error)
            return True
        if beginning <= slot.next_offset:
            return False
        self._fail(slot, InputExpiredError(f"its input begins at offset {beginning}, {slot.next_offset} was next"))
        return True

    def _refuse_other_count(self) -> None:
        """End before a patient is followed in a partition that holds nothing of what is known of it."""
        found, wanted = self.existing, self._settings.partitions
        if found not in {0, wanted}:
            raise PartitionsChangedError(
                f"{self._settings.topic(self._transform.input_topic)} has {found} partitions now, but "
                f"ECGSTREAM_PARTITIONS={wanted}: patients would move away from what is known of them: stop all senders "
                f"and services, and run 'ecgstream topics grow --partitions {found}'"
            )

    async def _read_side(self) -> list[tuple[int, list[Received]]]:
        """Return what came on each side topic, of the partitions that are processed."""
        if self._side is None:
            return []
        ready = {number: slot for number, slot in self._slots.items() if slot.state is State.READY}
        found = await self._side.read({number: slot.side_next for number, slot in ready.items()})
        for (topic, number), messages in found.items():
            ready[number].side_next[topic] = messages[-1].offset + 1
        return [(number, messages) for (_, number), messages in found.items()]

    def _reconcile(self, assignment: _Assignment) -> None:
        """Bring the slots in line with what the group assigned and with what failed."""
        if assignment.generation != self._generation:
            self._take_assignment(assignment)
        for slot in list(self._slots.values()):
            self._supervise(slot)
            if slot.state is State.FAILED:
                self._close(slot)
                if not slot.busy and self._clock.monotonic_s() >= slot.retry_at_s:
                    self._slots[slot.place.partition] = self._new_slot(slot.place)
            elif slot.state is State.RESTORED:
                self._open(slot)
            elif slot.state is State.READY and slot.reseek:
                # An eager rebalance has moved the consumer's position of the partitions that stayed, too.
                self._continue(slot)

    def _take_assignment(self, assignment: _Assignment) -> None:
        """Give up the partitions that went to others, and begin with those that came."""
        if self._generation:
            self._on_rebalance()
        self._generation = assignment.generation
        kept = {place.partition for place in assignment.places}
        for partition in [p for p in self._slots if p not in kept]:
            log.info("partition_given_up", service=self._service, partition=partition)
            self._drop(partition)
        for place in assignment.places:
            slot = self._slots.get(place.partition)
            if slot is None:
                self._slots[place.partition] = self._new_slot(place)
            else:
                slot.reseek = True

    def _supervise(self, slot: _Slot) -> None:
        """See that no acquisition and no commit ends unheard, or never."""
        if slot.work is None or slot.state not in {State.ACQUIRING, State.READY}:
            return
        if slot.work.done():
            if slot.state is State.ACQUIRING:
                self._fail(slot, LetGoError("the acquisition ended without a word"))
        elif self._clock.monotonic_s() - slot.began_s > self._settings.partition_timeout_s:
            slot.work.cancel()
            self._fail(
                slot,
                TimeoutError(
                    f"no end within ECGSTREAM_PARTITION_TIMEOUT_S={self._settings.partition_timeout_s:g} "
                    f"({slot.state.value})"
                ),
            )

    def _open(self, slot: _Slot) -> None:
        partition = slot.place.partition
        resume = self._transform.open(partition, slot.progress)
        slot.opened = True
        slot.progress = {}
        if resume is not None and resume < slot.beginning:
            log.warning("input_expired", partition=partition, resume=resume, beginning=slot.beginning)
            self._on_expired(slot.beginning - resume)
        if resume is not None and resume > slot.end:
            # Everything up to the place where the old input ended would be taken for seen.
            raise ProgressError(
                f"{slot.place.topic} ends at offset {slot.end} in partition {partition}, but its progress says "
                f"{resume}: it was made anew; stop all instances and delete the progress topic "
                f"{self._settings.topic(self._transform.progress_topic)}"
            )
        slot.next_offset = max(resume or 0, slot.beginning)
        if self._side_offset is not None:
            for topic, span in slot.side_spans.items():
                read = self._side_offset(partition, topic)
                slot.side_next[topic] = span.resume(read)
                if read is not None and read > span.end:
                    log.warning("side_topic_made_anew", topic=topic, partition=partition, read=read, end=span.end)
        slot.state = State.READY
        self._continue(slot)
        log.info("partition_ready", service=self._service, partition=partition, offset=slot.next_offset)

    def _close(self, slot: _Slot) -> None:
        if slot.opened:
            slot.opened = False
            self._transform.close(slot.place.partition)

    def _continue(self, slot: _Slot) -> None:
        """Read on from the slot's place."""
        with contextlib.suppress(KafkaError):  # a rebalance has just taken it: the next turn sees that
            self._consumer.seek(slot.place, slot.next_offset)
            self._consumer.resume(slot.place)
            slot.reseek = slot.paused = False

    def _new_slot(self, place: TopicPartition) -> _Slot:
        writer = PartitionWriter(
            self._settings, transactional_id=f"{self._service}-{place.partition}", partition=place.partition
        )
        slot = _Slot(place=place, writer=writer, began_s=self._clock.monotonic_s())
        slot.work = asyncio.create_task(self._acquire(slot), name=f"acquire-{place.partition}")
        return slot

    async def _acquire(self, slot: _Slot) -> None:
        """Fence the predecessor, restore the state, and let the partition run."""
        partition = slot.place.partition
        try:
            with no_stray_cancellation():
                await slot.writer.start()
                slot.progress = await read_compacted(self._settings, self._transform.progress_topic, partition)
                slot.beginning = (await self._consumer.beginning_offsets([slot.place]))[slot.place]
                slot.end = (await self._consumer.end_offsets([slot.place]))[slot.place]
                if self._side is not None:
                    slot.side_spans = await self._side.spans(partition)
            if slot.state is State.ACQUIRING:
                slot.state = State.RESTORED
        except BaseException as error:  # whatever it was: try again, and say so in the log
            if slot.state is State.ACQUIRING:  # and not given up meanwhile
                self._fail(slot, error)
            if isinstance(error, asyncio.CancelledError):
                raise

    def _commit_due(self) -> None:
        """Begin to commit whatever waits and is not being committed; stop reading where too much waits."""
        for slot in self._slots.values():
            if slot.state is State.READY and slot.pending and not slot.busy:
                slot.began_s = self._clock.monotonic_s()  # here, too: the task may begin after the next look at it
                slot.work = asyncio.create_task(self._commit(slot), name=f"commit-{slot.place.partition}")
        for slot in self._slots.values():
            self._press_back(slot)

    def _press_back(self, slot: _Slot) -> None:
        """Stop reading a partition while too much of it waits for a commit."""
        full = len(slot.pending) > MAX_PENDING
        if slot.state is not State.READY or slot.reseek or full == slot.paused:
            return
        with contextlib.suppress(KafkaError):  # a rebalance has just taken it
            (self._consumer.pause if full else self._consumer.resume)(slot.place)
            slot.paused = full

    async def _commit(self, slot: _Slot) -> None:
        """Commit what waits, and then what has gathered meanwhile, each lot in one transaction, until nothing waits.

        So a lot is as large as what comes during a commit, and none waits for anything but the one before it.
        """
        while slot.pending and slot.state is State.READY:
            messages, slot.pending = slot.pending, []
            slot.began_s = self._clock.monotonic_s()
            try:
                offsets = await slot.writer.commit(messages)
            except BaseException as error:  # whatever it was: nothing of it is visible, so do it again
                self._on_commit_failure()
                if slot.state is State.READY:  # and not given up meanwhile
                    self._fail(slot, error)
                if isinstance(error, asyncio.CancelledError):
                    raise
                return
            self._transform.committed(slot.place.partition, messages, offsets)

    def _fail(self, slot: _Slot, error: BaseException) -> None:
        """Drop what a slot holds in memory, which may be ahead of the log: it is restored from the log."""
        wait_s = FENCED_WAIT_S if isinstance(error, ProducerFenced) else RETRY_WAIT_S
        slot.retry_at_s = self._clock.monotonic_s() + wait_s
        slot.state = State.FAILED
        slot.pending = []
        log.warning(
            "partition_failed", service=self._service, partition=slot.place.partition, error=repr(error), retry_s=wait_s
        )
        slot.work = asyncio.create_task(slot.writer.stop())

    def _drop(self, partition: int) -> None:
        slot = self._slots.pop(partition)
        self._close(slot)
        if slot.state is State.ACQUIRING and slot.work is not None:
            slot.work.cancel()
        slot.state = State.FAILED
        slot.work = asyncio.create_task(slot.writer.stop())

    async def _drain(self) -> None:
        """Commit what is pending, unless the broker is away."""
        try:
            async with asyncio.timeout(DRAIN_S):
                self._commit_due()
                await self._settle()
        except TimeoutError:
            log.warning("drain_given_up", service=self._service, waited_s=DRAIN_S)

    async def _settle(self) -> None:
        await asyncio.gather(
            *(slot.work for slot in self._slots.values() if slot.work is not None and slot.state is State.READY)
        )

    async def _release_all(self) -> None:
        slots = list(self._slots.values())
        for partition in list(self._slots):
            self._drop(partition)
        with contextlib.suppress(Exception):
            await asyncio.gather(*(slot.work for slot in slots if slot.work is not None))
