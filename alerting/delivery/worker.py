"""Delivering: a task and a thread for each channel, so that a slow or dead one holds nobody up but itself.

What waits stays in the database; a channel's worker holds one message at a time. A crash between sending a message and
noting it sends it again, under the same key.
"""

import asyncio
import contextlib
import random
import uuid
from collections.abc import AsyncIterator, Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import structlog
from sqlalchemy import URL

from alerting.database.engine import in_thread, patiently
from alerting.delivery.channels import Channel, Channels
from alerting.delivery.outbox import NS, Backlog, Outbox
from alerting.delivery.sending import ChannelDownError, Delivery, RefusedMessageError, Sender, SendError
from alerting.metrics import AlertingMetrics
from ops.clock import Clock

SHORTEST_REST_S = 0.01  # what should be due and is not must not keep a processor busy
POLL_S = 5.0  # another process may have filled the outbox; this one says so
GAUGES_EVERY_S = 5.0  # how old the gauges may be
PURGE_EVERY_S = 3600.0
JITTER = (0.75, 1.25)  # who failed together must not come back together
LEAVE_S = 3.0  # for calls that are under way at the end; what they send may be sent again

log = structlog.get_logger(__name__)
ResultT = TypeVar("ResultT")


@contextlib.asynccontextmanager
async def delivering(
    url: URL, channels: Channels, metrics: AlertingMetrics, *, clock: Clock, instance: str | None
) -> AsyncIterator[Callable[[], None]]:
    """Deliver while in ``async with``; gives what to call when something new is in the outbox.

    Parameters
    ----------
    url : the database of the alarm history
    channels : over which
    metrics : what to count on
    clock : the wall time of waits and signatures
    instance : a restarted process of this name goes on at once, another waits until a call of it must have ended

    Raises
    ------
    ChannelsError : when a channel can never deliver
    """
    holder = instance or uuid.uuid4().hex
    senders: Mapping[str, Sender] = {
        name: await asyncio.to_thread(channel.sender, name, clock=clock, database=url)
        for name, channel in channels.items()
    }
    workers = [
        DeliveryWorker(Outbox(url, name, channel, holder=holder), senders[name], name, channel, metrics, clock=clock)
        for name, channel in channels.items()
    ]
    work = [asyncio.create_task(worker.run(), name=f"deliver-{worker.name}") for worker in workers]

    def wake() -> None:
        for worker in workers:
            worker.wake()

    try:
        yield wake
        for worker in workers:
            worker.leave()
        if work:
            await asyncio.wait(work, timeout=LEAVE_S)
    finally:
        for task in work:
            task.cancel()
        await asyncio.gather(*work, return_exceptions=True)


class DeliveryWorker:
    """Works one channel.

    Parameters
    ----------
    outbox, sender : the channel's
    name, channel : as the channels file has them
    metrics, clock : see ``delivering``
    """

    def __init__(
        self,
        outbox: Outbox,
        sender: Sender,
        name: str,
        channel: Channel,
        metrics: AlertingMetrics,
        *,
        clock: Clock,
    ) -> None:
        self.name = name
        self._outbox = outbox
        self._sender = sender
        self._channel = channel
        self._metrics = metrics
        self._clock = clock
        self._new = asyncio.Event()
        self._left = asyncio.Event()
        self._backlog = Backlog(waiting=0, dead=0, oldest_ns=None)
        self._refreshed_s: float | None = None
        self._purged_s: float | None = None
        metrics.declare_channel(name)
        metrics.delivery_waiting.labels(channel=name).set_function(lambda: self._backlog.waiting)
        metrics.delivery_dead.labels(channel=name).set_function(lambda: self._backlog.dead)
        metrics.delivery_oldest_seconds.labels(channel=name).set_function(self._oldest_s)

    def wake(self) -> None:
        """Something new is in the outbox."""
        self._new.set()

    def leave(self) -> None:
        """Finish the call that is under way, and return."""
        self._left.set()
        self._new.set()

    async def run(self) -> None:
        """Deliver until ``leave`` is called; whatever goes wrong, go on."""
        # Not waited for: a call that hangs must not keep the service from ending.
        self._thread = ThreadPoolExecutor(1, thread_name_prefix=f"deliver-{self.name}")
        try:
            while not self._left.is_set():
                try:
                    await self._step()
                except Exception as error:  # noqa: BLE001 # whatever it was: the next alarm must go out
                    log.warning("delivery_begins_again", channel=self.name, error=type(error).__name__)
                    await self._rest(POLL_S, unless=self._left)
        finally:
            self._thread.submit(self._sender.close)
            self._thread.submit(self._outbox.close)
            self._thread.shutdown(wait=False)

    async def _step(self) -> None:
        """Send what is due, or wait."""
        self._new.clear()
        await self._refresh()
        now_ns = self._clock.now_ns()
        claim = await self._patiently(lambda: self._outbox.claim(now_ns))
        if claim.expired:
            self._count("dead", claim.expired)
            log.error("deliveries_dead", channel=self.name, messages=claim.expired, reason="too old")
        if claim.delivery is not None:
            await self._deliver(claim.delivery, claim.failures)
        elif not claim.expired:
            wait_s = POLL_S if claim.until_ns is None else (claim.until_ns - self._clock.now_ns()) / NS
            await self._rest(wait_s, unless=self._left if claim.closed else self._new)

    async def _deliver(self, delivery: Delivery, failures: int) -> None:
        try:
            await in_thread(self._thread, lambda: self._sender.send(delivery))
        except RefusedMessageError as error:
            now_ns, why = self._clock.now_ns(), str(error)
            await self._patiently(lambda: self._outbox.refused(delivery, now_ns, why))
            self._dead(delivery, why)
        except SendError as error:
            await self._failed(delivery, failures, error)
        except Exception as error:  # noqa: BLE001 # of a library; its text may hold an address with its secrets
            await self._failed(delivery, failures, SendError(f"{type(error).__name__} while sending"))
        else:
            now_ns = self._clock.now_ns()
            await self._patiently(lambda: self._outbox.delivered(delivery, now_ns))
            self._count("done")
            self._metrics.delivery_seconds.labels(channel=self.name).observe(
                max(0.0, (now_ns - delivery.published_ns) / NS)
            )

    async def _failed(self, delivery: Delivery, failures: int, error: SendError) -> None:
        down = isinstance(error, ChannelDownError)
        asked_s = error.retry_after_s if isinstance(error, ChannelDownError) else None
        wait_s = max(self._backoff_s(failures + 1 if down else delivery.attempts), asked_s or 0.0)
        now_ns = self._clock.now_ns()
        next_try_ns = now_ns + round(wait_s * NS)
        if await self._patiently(
            lambda: self._outbox.failed(delivery, str(error), now_ns=now_ns, next_try_ns=next_try_ns, down=down)
        ):
            self._dead(delivery, str(error))
            return
        self._count("failed")
        log.warning(
            "delivery_failed",
            channel=self.name,
            attempt=delivery.attempts,
            error=str(error),
            again_in_s=round(wait_s, 1),
        )

    def _backoff_s(self, failures: int) -> float:
        doubled_s = self._channel.retry_s * 2.0 ** min(failures - 1, 30)
        return min(doubled_s * random.uniform(*JITTER), self._channel.retry_max_s)  # noqa: S311 # no secret

    def _dead(self, delivery: Delivery, error: str) -> None:
        self._count("dead")
        log.error(
            "delivery_dead",
            channel=self.name,
            key=delivery.key,
            attempts=delivery.attempts,
            error=error,
            remedy="ecgstream alarms deliveries --state dead; --retry sends them again",
        )

    def _count(self, outcome: str, messages: int = 1) -> None:
        self._metrics.deliveries.labels(channel=self.name, outcome=outcome).inc(messages)

    async def _refresh(self) -> None:
        """Bring the gauges up to date, and throw away what was delivered long ago, now and then."""
        now_s = self._clock.monotonic_s()
        if self._refreshed_s is None or now_s - self._refreshed_s >= GAUGES_EVERY_S:
            self._backlog = await self._patiently(self._outbox.backlog)
            self._refreshed_s = now_s
        if self._purged_s is None or now_s - self._purged_s >= PURGE_EVERY_S:
            now_ns = self._clock.now_ns()
            await self._patiently(lambda: self._outbox.purge(now_ns))
            self._purged_s = now_s

    def _oldest_s(self) -> float:
        oldest_ns = self._backlog.oldest_ns
        return 0.0 if oldest_ns is None else max(0.0, (self._clock.now_ns() - oldest_ns) / NS)

    async def _rest(self, wait_s: float, *, unless: asyncio.Event) -> None:
        """So long, unless something happens."""
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(unless.wait(), min(max(wait_s, SHORTEST_REST_S), POLL_S))

    async def _patiently(self, work: Callable[[], ResultT]) -> ResultT:
        return await patiently(lambda: in_thread(self._thread, work))
