"""The scoring processes: how many wait, and what becomes of one that breaks or hangs."""

import asyncio
import errno
import os
import signal
from collections.abc import AsyncIterator
from dataclasses import dataclass

import pytest
from prometheus_client import CollectorRegistry

from alerting.rules import load_rules
from detector.settings import DetectorSettings
from ecg.errors import EcgStreamError
from ops.clock import SystemClock
from ops.problems import ProblemError
from tests.support.waiting import until
from web.memory import MOST_BYTES
from web.metrics import WebMetrics
from web.scoring.jobs import Desk
from web.scoring.process import Setup
from web.scoring.workers import Workers


@dataclass(frozen=True)
class Answer:
    value: int

    def do(self, desk: Desk) -> tuple[int, int]:
        del desk
        return self.value, os.getpid()


@dataclass(frozen=True)
class Fail:
    error: Exception

    def do(self, desk: Desk) -> None:
        del desk
        raise self.error


@dataclass(frozen=True)
class Die:
    def do(self, desk: Desk) -> None:
        del desk
        os.kill(os.getpid(), signal.SIGKILL)


@dataclass(frozen=True)
class Hang:
    def do(self, desk: Desk) -> None:
        del desk
        signal.pause()


@dataclass(frozen=True)
class Swallow:
    def do(self, desk: Desk) -> int:
        del desk
        return len(bytearray(2 * MOST_BYTES))


@pytest.fixture
async def workers() -> AsyncIterator[Workers]:
    made = Workers(
        Setup(detector=DetectorSettings(_env_file=None), rules=load_rules(None)),
        count=1,
        metrics=WebMetrics(CollectorRegistry()),
        clock=SystemClock(),
        most_waiting=2,
    )
    yield made
    made.close()


async def refusal(workers: Workers, job: object) -> ProblemError:
    with pytest.raises(ProblemError) as refused:
        await workers.do(job)  # type: ignore[arg-type] # any job
    return refused.value


async def test_whatever_a_job_does_the_next_one_is_done(workers: Workers) -> None:
    _, first = await workers.do(Answer(1))
    for error, status, expected in (
        (EcgStreamError("value: remedy"), 422, "value: remedy"),
        (OSError(errno.ENOSPC, "full"), 507, "disk of the service is full"),
        (FileNotFoundError("gone"), 404, "deleted meanwhile"),
        (ZeroDivisionError("bug"), 500, "its log says why"),
    ):
        refused = await refusal(workers, Fail(error))
        assert (refused.status, expected in str(refused)) == (status, True)
    assert (await workers.do(Answer(1)))[1] == first, "one process did all of it"
    assert (await refusal(workers, Swallow())).status == 422
    _, second = await workers.do(Answer(2))
    assert second != first, "where memory ran out, what was being loaded may be there by half: another process goes on"

    # It hangs; meanwhile two may wait, and a third is sent away at once.
    workers._timeout_s = 1.0
    hanging = asyncio.create_task(refusal(workers, Hang()))
    await until(workers._free.empty)
    await until(lambda: len(workers._running) == 1)
    workers._timeout_s = 60.0
    waiting = [asyncio.create_task(workers.do(Answer(number))) for number in (4, 5)]
    await until(lambda: workers._waiting == 2)
    busy = await refusal(workers, Answer(6))
    assert (busy.status, (busy.headers or {})["Retry-After"]) == (503, "10")
    # Who leaves makes no room in the process, and the answer is nobody else's.
    waiting[0].cancel()
    hung = await hanging
    assert (hung.status, str(hung)) == (422, "it took longer than 1 s: send less at a time")
    answer, third = await waiting[1]
    assert (answer, third != second) == (5, True)

    assert "for lack of memory" in str(await refusal(workers, Die()))
