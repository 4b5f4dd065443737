"""The most patients that may be replayed: what compose starts stays within the memory that it gives each service.

`ecgstream bench flood` holds detector, alerting and page to theirs under ids without end.
"""

import asyncio
from collections.abc import Iterator

import pytest

from bus.topic_admin import topic_states
from bus.topics import SAMPLES
from tests.deploy.stack import Stack, stack
from tests.support.waiting import DEADLINE_S

pytestmark = pytest.mark.broker

MOST = "100000"  # of `ecgstream replay --patients`
SENT = 50_000


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    chosen = {"ECGSTREAM_COMPOSE_PATIENTS": MOST}
    with stack(tmp_path_factory.mktemp("memory"), chosen=chosen) as up:
        yield up


async def sent(running: Stack, topic: str) -> int:
    """Messages that lie on a topic."""
    (state,) = (await topic_states(running.kafka, [topic])).values()
    return sum(state.ends.values())


async def test_nothing_is_killed_for_memory(running: Stack) -> None:
    async with asyncio.timeout(DEADLINE_S):
        while await sent(running, SAMPLES) < SENT:
            for service in running.services.values():
                assert service.container.running, service.said()
    containers = [each.container for each in running.services.values()] + list(running.foreign.values())
    assert {container.spec.name: container.limit.kills for container in containers} == dict.fromkeys(
        ("detector", "alerting", "web", "gateway", "producer", "kafka", "postgres"), 0
    )
    for container in containers:
        assert container.running, container.said()
        print(f"{container.spec.name}: {container.limit.peak_mb} MB of {container.spec.memory} at most")  # noqa: T201 # -s
