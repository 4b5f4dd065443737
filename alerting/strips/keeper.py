"""The strip of each alarm, read back from the samples topic and kept with the alarm's history.

It works beside the alerting, in a task of its own: an alarm is told at once, and its strip follows when the stream has
come past it. Which alarms wait stands in the database, written with the alarm itself; so a crash forgets none.
"""

import asyncio
import random
from concurrent.futures import ThreadPoolExecutor
from typing import Protocol, Self

import structlog
from sqlalchemy import URL

from alerting.database.engine import HistoryError, in_thread
from alerting.metrics import AlertingMetrics
from alerting.strips.alarm_strip import AlarmStrip
from alerting.strips.store import AFTER_NS, BEFORE_NS, DueStrip, StripStore
from bus.sample_history import NoSamplesError, SamplesGoneError, SearchLimitError, StoredSamples
from bus.samples import BadChunkError
from ecg.records import MISSING
from ops.clock import Clock

POLL_S = 0.5  # between two steps
AT_ONCE = 50  # of those who wait, in a step
RETRY_NS = 2_000_000_000
WAIT_S = 1.0  # after the first failure; doubled after each further one, up to
MAX_WAIT_S = 30.0

log = structlog.get_logger(__name__)


class SampleReader(Protocol):
    """Reads samples back (``bus.sample_history.SampleHistory``)."""

    async def read(self, patient: str, from_ns: int, to_ns: int) -> StoredSamples:
        """The samples of a stretch of time."""


class StripKeeper:
    """Makes the strips while in ``async with``.

    Parameters
    ----------
    samples : reads them back
    url : the database
    metrics : what to count on
    clock : tells who may be tried
    """

    def __init__(self, samples: SampleReader, url: URL, metrics: AlertingMetrics, *, clock: Clock) -> None:
        self._samples = samples
        self._url = url
        self._metrics = metrics
        self._clock = clock

    async def __aenter__(self) -> Self:
        self._work = asyncio.create_task(self.run(), name="alarm-strips")
        return self

    async def __aexit__(self, *_: object) -> None:
        self._work.cancel()
        await asyncio.gather(self._work, return_exceptions=True)

    async def run(self) -> None:
        """Make strips for ever; whatever goes wrong, who waits goes on waiting."""
        wait_s = WAIT_S
        with ThreadPoolExecutor(1, thread_name_prefix="alarm-strips") as self._thread:
            store = StripStore(self._url)
            try:
                while True:
                    try:
                        await in_thread(self._thread, store.check)
                        while True:
                            done = await self.step(store)
                            wait_s = WAIT_S
                            await asyncio.sleep(0 if done == AT_ONCE else POLL_S)
                    except HistoryError as error:  # who records the alarms tells of it
                        log.debug("alarm_strips_wait", error=str(error))
                    except Exception as error:  # noqa: BLE001 # whatever it was: the alarms go on, and so must their strips
                        log.info("alarm_strips_wait", error=repr(error), seconds=wait_s)
                    await asyncio.sleep(wait_s * random.uniform(0.5, 1.0))  # noqa: S311 # no secret
                    wait_s = min(2 * wait_s, MAX_WAIT_S)
            finally:
                await in_thread(self._thread, store.close)  # behind what the thread may still be at

    async def step(self, store: StripStore) -> int:
        """Try some of those who wait; how many those were."""
        now_ns = self._clock.now_ns()
        due = await in_thread(self._thread, lambda: store.due(now_ns, limit=AT_ONCE))
        for each in due:
            await self._try(store, each, now_ns)
        return len(due)

    async def _try(self, store: StripStore, due: DueStrip, now_ns: int) -> None:
        patient = now_ns < due.until_ns
        try:
            found = await self._samples.read(due.patient, due.onset_ns - BEFORE_NS, due.onset_ns + AFTER_NS)
        except (SamplesGoneError, SearchLimitError, BadChunkError) as error:
            await self._give_up(store, due, str(error))
        except NoSamplesError as error:
            if patient:
                await in_thread(self._thread, lambda: store.postpone(due.alarm, to_ns=now_ns + RETRY_NS))
            else:
                await self._give_up(store, due, str(error))
        else:
            if patient and (found.samples[-1] == MISSING).all():
                await in_thread(self._thread, lambda: store.postpone(due.alarm, to_ns=now_ns + RETRY_NS))
            else:
                await in_thread(self._thread, lambda: store.keep(_strip(due, found)))
                self._metrics.strips.labels(outcome="kept").inc()

    async def _give_up(self, store: StripStore, due: DueStrip, reason: str) -> None:
        await in_thread(self._thread, lambda: store.give_up(due.alarm, reason))
        self._metrics.strips.labels(outcome="none").inc()
        log.info("alarm_without_strip", alarm=due.alarm, reason=reason)


def _strip(due: DueStrip, found: StoredSamples) -> AlarmStrip:
    return AlarmStrip(
        alarm=due.alarm,
        patient=due.patient,
        leads=found.leads,
        fs_hz=found.fs_hz,
        start_ns=found.start_ns,
        gain=found.gain,
        baseline=found.baseline,
        samples=found.samples,
    )
